"""Each contract check must catch the plug-in that breaks its promise, and no other check may hide it."""

import numpy as np
import pytest

from histoscribe.core import keys
from histoscribe.core.card import Card
from histoscribe.core.features import Features
from histoscribe.encoders import Encoder
from histoscribe.encoders.colour import Colour
from histoscribe.methods._expression import Predictor
from histoscribe.methods.expression.ridge import Ridge
from histoscribe.testing import ENCODER_CHECKS, METHOD_CHECKS, ContractError, check_encoder, check_method


def make(**members):
    """Ridge with some members replaced."""
    return type("Broken", (Ridge,), members)


def leaky_predict(self, section):
    found = Predictor.predict(self, section)
    found.X = found.X + 1e-3 * np.log1p(np.nan_to_num(section.depth))[:, None].astype(np.float32)
    return found


def noisy(self, section):
    return Ridge._predict(self, section) + np.random.default_rng().normal(size=(section.n_obs, 1))


def globally_noisy(self, section):
    return Ridge._predict(self, section) + np.random.normal(0, 1e-3)  # noqa: NPY002


def by_position(self, section):
    return Ridge._predict(self, section) + np.arange(section.n_obs)[:, None]


def forgetful(self):
    return {
        "strengths": self.strengths_,
        "centred": np.array([False]),
        "coef": self.coef_,
        "intercept": 0 * self.intercept_,
    }


def writes_section(self, section):
    section.table.obsm[keys.SPATIAL] += 1.0
    return Ridge._predict(self, section)


def nan_somewhere(self, section):
    values = Ridge._predict(self, section)
    values[0, 0] = np.nan
    return values


def text_state(self):
    return Ridge.state(self) | {"name": np.array(["a"])}


def ignores_image(self, section):
    return np.tile(self.train_mean_, (section.n_obs, 1))


def sorted_genes(self, section):
    return Ridge._predict(self, section)[:, np.argsort(self.genes_)]


def hidden_parameter(self, **params):
    Ridge.__init__(self, **params)
    self.also = np.float32(1.0)


def takes_any_features(self, section):
    self.spec_ = Features.of(section.table).spec
    return Predictor.predict(self, section)


@pytest.mark.parametrize(
    ("members", "promise"),
    [
        ({"card": Card(name="Broken One", summary="No stop", paper="")}, "its card is complete"),
        ({"__init__": hidden_parameter}, "its parameters are JSON and rebuild it"),
        ({"predict": leaky_predict}, "it writes _fit and _predict, not fit and predict"),
        ({"predict": leaky_predict}, "it never sees the truth"),
        ({"_predict": by_position}, "it follows its observations"),
        ({"_predict": noisy}, "it is deterministic under one seed"),
        ({"_predict": globally_noisy}, "it is deterministic under one seed"),
        ({"state": forgetful}, "it survives saving"),
        ({"state": text_state}, "it survives saving"),
        ({"_predict": nan_somewhere}, "its output is finite, named and in order"),
        ({"_predict": ignores_image}, "it learns a planted signal"),
        ({"_predict": sorted_genes}, "it learns a planted signal"),
        ({"_predict": ignores_image}, "it sees the image"),
        ({"_predict": writes_section}, "it leaves its inputs alone"),
        ({"predict": takes_any_features}, "it refuses features made otherwise"),
    ],
)
def test_broken_method_is_caught(members, promise):
    with pytest.raises((ContractError, TypeError)):
        METHOD_CHECKS[promise](make(**members))


def test_a_parameter_that_the_loss_never_reaches_is_caught():
    import torch

    from histoscribe.methods.expression.stnet import STNet

    def build(self, shapes, n_genes):
        network = STNet.build(self, shapes, n_genes)
        network.idle = torch.nn.Linear(2, 2)
        return network

    with pytest.raises(ContractError, match=r"2 parameters get no gradient from the loss \(first: idle.weight"):
        METHOD_CHECKS["it trains every parameter"](type("Idle", (STNet,), {"build": build}))


def test_report_names_every_broken_promise():
    broken = make(state=forgetful, card=Card(name="ridge", summary="No stop", paper="x"))
    with pytest.raises(ContractError, match="breaks 2 of 13") as caught:
        check_method(broken)
    assert "card.summary" in str(caught.value)
    assert "restored from state()" in str(caught.value)


def batch_norm(self, tiles):
    found = Colour.encode(self, tiles)
    return found - found.mean(0) if len(found) else found


def blind_encode(self, tiles):
    return np.ones((len(tiles), self.dim), dtype=np.float32)


def doubles(self, tiles):
    return Colour.encode(self, tiles).astype(np.float64)


def grey(self, tiles):
    mean = tiles.mean(1, dtype=np.float64).round().astype(np.uint8)
    return Colour.encode(self, np.stack([mean] * 3, axis=1))


def in_place(self, tiles):
    if len(tiles) and tiles.flags.writeable:
        tiles[:] = 255 - tiles
    return Colour.encode(self, tiles)


def random_name(self):
    return str(np.random.default_rng().integers(1 << 60))


def jitter(self, tiles):
    return Colour.encode(self, tiles) + np.random.default_rng().normal(0, 1e-3, (len(tiles), 8)).astype(np.float32)


@pytest.mark.parametrize(
    ("members", "promise"),
    [
        ({"card": Card(name="Bad name", summary="S.", paper="p")}, "its card is complete"),
        ({"encode": doubles}, "its output has the promised shape and type"),
        ({"dim": 9}, "its output has the promised shape and type"),
        ({"encode": batch_norm}, "a tile does not depend on its batch"),
        ({"encode": jitter}, "it is deterministic"),
        ({"encode": blind_encode}, "it sees the image"),
        ({"encode": grey}, "it tells colours apart"),
        ({"encode": in_place}, "it leaves the tiles alone"),
        ({"fingerprint": random_name}, "its fingerprint names it alone"),
        ({"fingerprint": lambda self: Colour.fingerprint(Colour())}, "its fingerprint names it alone"),
    ],
)
def test_broken_encoder_is_caught(members, promise):
    members = {"card": Card(name="broken", summary="Breaks a promise.", paper="p")} | members
    with pytest.raises(ContractError):
        ENCODER_CHECKS[promise](type("Broken", (Colour,), members))


def test_sound_encoder_class_passes_without_being_registered():
    class Mean(Encoder):
        card = Card(name="mean-colour", summary="Mean of each channel.", paper="ruifrok-2001")
        dim = 3

        def encode(self, tiles):
            return tiles.mean((2, 3), dtype=np.float64).astype(np.float32).reshape(-1, 3)

        def fingerprint(self):
            return "mean-colour-1"

    check_encoder(Mean)


def test_sound_method_class_passes_without_being_registered():
    check_method(Ridge)
