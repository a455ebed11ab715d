import pytest

from histoscribe.encoders import ENCODERS
from histoscribe.testing import ENCODER_CHECKS


@pytest.mark.parametrize("promise", ENCODER_CHECKS)
@pytest.mark.parametrize("name", [*ENCODERS, "efficientnet-lite0+colour"])
def test_encoder_keeps_its_promise(name, promise):
    ENCODER_CHECKS[promise](name)
