from importlib.util import find_spec

import pytest

from histoscribe.encoders import ENCODERS
from histoscribe.testing import ENCODER_CHECKS


def _kind(name):
    """What tells the networks of two foundation models apart; those of the package itself are one of a kind."""
    card = ENCODERS.get(name).card
    if not hasattr(card, "family"):
        return name
    arch = card.arch if card.family == "transformers" else ""
    return card.family, arch, card.layout, card.stage, card.pooling, card.prefix_tokens > 1


#: Those that HistoScribe computes, one of a kind; tests/encoders/test_registry.py takes every one.
COMPUTED = [name for name in ENCODERS if getattr(ENCODERS.get(name).card, "loads", True)]
KINDS = list({_kind(name): name for name in COMPUTED}.values())


@pytest.mark.parametrize("promise", ENCODER_CHECKS)
@pytest.mark.parametrize("name", [*KINDS, "efficientnet-lite0+colour"])
def test_encoder_keeps_its_promise(name, promise):
    library = getattr(ENCODERS.get(name).card, "family", "numpy") if name in ENCODERS else "numpy"
    if find_spec(library) is None:
        pytest.skip(f"needs {library}")
    ENCODER_CHECKS[promise](name)
