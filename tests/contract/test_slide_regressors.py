import pytest

from histoscribe.methods import SLIDE_LEVEL
from histoscribe.testing import SLIDE_REGRESSOR_CHECKS


@pytest.mark.parametrize("promise", SLIDE_REGRESSOR_CHECKS)
@pytest.mark.parametrize("name", SLIDE_LEVEL)
def test_slide_regressor_keeps_its_promise(name, promise):
    SLIDE_REGRESSOR_CHECKS[promise](name)
