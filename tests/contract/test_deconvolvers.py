import pytest

from histoscribe.methods import COMPOSITION
from histoscribe.testing import DECONVOLVER_CHECKS


@pytest.mark.parametrize("promise", DECONVOLVER_CHECKS)
@pytest.mark.parametrize("name", COMPOSITION)
def test_deconvolver_keeps_its_promise(name, promise):
    DECONVOLVER_CHECKS[promise](name)
