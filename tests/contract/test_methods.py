import pytest

from histoscribe.methods import EXPRESSION
from histoscribe.testing import METHOD_CHECKS


@pytest.mark.parametrize("promise", METHOD_CHECKS)
@pytest.mark.parametrize("name", EXPRESSION)
def test_method_keeps_its_promise(name, promise):
    METHOD_CHECKS[promise](name)
