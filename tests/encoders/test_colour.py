"""The eight colour statistics, each against a number worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.encoders import make_encoder

PX = 224


@pytest.fixture(scope="module")
def colour():
    return make_encoder("colour")


def flat(*rgb):
    return np.broadcast_to(np.array(rgb, dtype=np.uint8)[None, :, None, None], (1, 3, PX, PX)).copy()


def test_means_and_sds_are_those_of_numpy(colour, rng):
    tiles = rng.integers(0, 256, (3, 3, PX, PX), dtype=np.uint8)
    found = colour.encode(tiles)
    values = tiles.reshape(3, 3, -1) / 255.0
    np.testing.assert_allclose(found[:, :3], values.mean(2), atol=1e-6)
    np.testing.assert_allclose(found[:, 3:6], values.std(2), atol=1e-6)


def test_a_flat_tile_has_no_spread(colour):
    np.testing.assert_allclose(colour.encode(flat(200, 100, 50))[0, 3:6], 0.0, atol=1e-6)


def test_half_black_half_white_has_mean_and_sd_one_half(colour):
    tile = flat(0, 0, 0)
    tile[..., : PX // 2] = 255
    np.testing.assert_allclose(colour.encode(tile)[0, :6], 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("rgb", "saturation"), [((200, 100, 50), 0.75), ((90, 90, 90), 0.0), ((0, 0, 0), 0.0), ((255, 0, 0), 1.0)]
)
def test_saturation_is_the_range_over_the_maximum(rgb, saturation, colour):
    assert colour.encode(flat(*rgb))[0, 7] == pytest.approx(saturation, abs=1e-6)


def test_white_holds_no_haematoxylin(colour):
    assert colour.encode(flat(255, 255, 255))[0, 6] == pytest.approx(0.0, abs=1e-6)


def test_pure_haematoxylin_of_density_one_is_measured_as_one(colour):
    """Each channel absorbs the published share of it: intensity 256 * 10^-density - 1."""
    direction = np.array([0.65, 0.70, 0.29])
    rgb = np.round(256 * 10 ** -(direction / np.linalg.norm(direction)) - 1)
    assert colour.encode(flat(*rgb))[0, 6] == pytest.approx(1.0, abs=0.02)


def test_pure_eosin_holds_no_haematoxylin(colour):
    direction = np.array([0.07, 0.99, 0.11])
    rgb = np.round(256 * 10 ** -(direction / np.linalg.norm(direction)) - 1)
    assert colour.encode(flat(*rgb))[0, 6] == pytest.approx(0.0, abs=0.02)


def test_statistics_do_not_depend_on_where_pixels_lie(colour, rng):
    tile = rng.integers(0, 256, (1, 3, PX, PX), dtype=np.uint8)
    order = rng.permutation(PX * PX)
    shuffled = tile.reshape(1, 3, -1)[:, :, order].reshape(tile.shape)
    np.testing.assert_allclose(colour.encode(shuffled), colour.encode(tile), rtol=1e-6)


def test_no_tile_is_no_feature(colour):
    assert colour.encode(np.empty((0, 3, PX, PX), dtype=np.uint8)).shape == (0, 8)
