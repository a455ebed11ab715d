import pytest

from histoscribe.methods import VOLUME
from histoscribe.testing import IMPUTER_CHECKS


@pytest.mark.parametrize("promise", IMPUTER_CHECKS)
@pytest.mark.parametrize("name", VOLUME)
def test_imputer_keeps_its_promise(name, promise):
    IMPUTER_CHECKS[promise](name)
