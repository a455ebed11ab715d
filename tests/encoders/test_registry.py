"""Names become encoders, and every registered one keeps the contract."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.core.errors import DataError, RegistryError
from histoscribe.encoders import ENCODERS, Encoder, make_encoder
from histoscribe.encoders._concat import Concatenation
from histoscribe.testing._small_model import stand_in

TILES = np.random.default_rng(0).integers(0, 256, (3, 3, 224, 224), dtype=np.uint8)


@pytest.mark.parametrize("name", [name for name in ENCODERS if getattr(ENCODERS.get(name).card, "loads", True)])
def test_an_encoder_keeps_its_contract(name):
    encoder = stand_in(name)
    features = encoder.encode(TILES)
    assert isinstance(encoder, Encoder)
    assert encoder.card.name == name
    assert encoder.card.paper or encoder.card.reference
    assert features.shape == (3, encoder.dim)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    np.testing.assert_array_equal(encoder.encode(TILES[1:2]), features[1:2])
    assert encoder.fingerprint() == stand_in(name, threads=2).fingerprint()
    assert encoder.parts == (encoder,)


def test_a_plus_puts_features_side_by_side():
    both = make_encoder("colour+random", device="cpu")
    parts = [make_encoder(name, device="cpu") for name in ("colour", "random")]
    assert both.card.name == "colour+random"
    assert both.dim == 8 + 1280
    np.testing.assert_array_equal(both.encode(TILES), np.hstack([part.encode(TILES) for part in parts]))


def test_a_concatenation_is_named_by_its_parts_in_order():
    names = ("colour+random", "random+colour", "colour")
    assert len({make_encoder(name).fingerprint() for name in names}) == 3


def test_a_concatenations_card_sums_up_its_parts():
    card = make_encoder("efficientnet-lite0+colour").card
    assert not card.control
    assert "Apache-2.0" in card.licence
    assert card.trained_on == ("ImageNet-1k",)
    assert make_encoder("random+colour").card.control


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(RegistryError, match=r"no encoder called 'color'. Did you mean 'colour'"):
        make_encoder("efficientnet-lite0+color")


def test_a_part_that_stands_twice_is_refused():
    with pytest.raises(RegistryError, match="names colour more than once"):
        make_encoder("colour+random+colour")


def test_parts_that_need_other_tiles_are_refused():
    small, large = make_encoder("colour"), make_encoder("random")
    small.tile_px = 64
    with pytest.raises(DataError, match="colour 64 px, random 224 px"):
        Concatenation([small, large])


@pytest.mark.parametrize(("named", "expected"), [("3", 3), ("0", None), ("", None), ("many", None)])
def test_the_environment_sets_the_threads(named, expected, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", named)
    threads = make_encoder("colour").threads
    assert threads == expected if expected else 1 <= threads <= 8
