"""Token pooling by name, and the tiles around an observation."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.core.errors import RegistryError
from histoscribe.core.features import Features
from histoscribe.encoders import encode, encode_surround, grid_side, make_encoder
from histoscribe.methods.train import prepare
from histoscribe.testing import make_section
from histoscribe.tiles import tile


@pytest.fixture(scope="module")
def tiles():
    return np.random.default_rng(0).integers(0, 256, (3, 3, 224, 224), dtype=np.uint8)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "colour"])
def test_the_mean_of_the_finest_tokens_is_the_mean_of_the_map(name, tiles):
    tokens = make_encoder(f"{name}[grid7]").encode(tiles).reshape(3, 49, -1)
    assert np.allclose(tokens.mean(1), make_encoder(f"{name}[grid1]").encode(tiles), atol=1e-5)


def test_the_mean_of_the_network_s_tokens_is_its_feature(tiles):
    tokens = make_encoder("efficientnet-lite0[grid7]").encode(tiles).reshape(3, 49, 1280)
    assert np.allclose(tokens.mean(1), make_encoder("efficientnet-lite0").encode(tiles), atol=1e-5)


def test_tokens_run_row_by_row_from_the_top_left():
    tile = np.zeros((1, 3, 224, 224), dtype=np.uint8)
    tile[:, :, :32, 192:] = 255  # the cell at the top right
    red = make_encoder("colour[grid7]").encode(tile).reshape(49, 8)[:, 0]
    assert red[6] == pytest.approx(1.0)
    assert np.delete(red, 6).max() == 0


def test_the_centre_sees_the_middle_only(tiles):
    painted = tiles.copy()
    painted[:, :, :64] = 0
    painted[:, :, 160:] = 0
    centre = make_encoder("colour[centre3]")
    assert np.array_equal(centre.encode(tiles), centre.encode(painted))


def test_an_unknown_pooling_is_refused():
    with pytest.raises(RegistryError, match="names no known pooling"):
        make_encoder("colour[top3]")


def test_the_grid_side_is_read_off_the_name():
    assert [grid_side(n) for n in ("colour", "colour[grid5]", "colour[centre3]")] == [1, 5, 1]


def test_the_middle_of_the_surroundings_is_the_tile_itself():
    (section,) = prepare([make_section(0, size_um=600.0)], "colour", size_um=112.0)
    around = encode_surround(section, "colour", k=3)
    assert around.features.shape == (section.n_obs, 9, 8)
    own = Features.of(section.table).matrix
    inside = around.inside[:, 4]
    assert inside.any()
    assert np.allclose(around.features[inside, 4], own[inside], atol=2e-2)


def test_tiles_beyond_the_slide_are_masked_and_zero():
    (section,) = prepare([make_section(0, size_um=600.0)], "colour", size_um=112.0)
    around = encode_surround(section, "colour", k=5)
    corner = int(np.argmin(section.xy.sum(1)))
    assert not around.inside[corner, 0]
    assert not around.features[~around.inside].any()


def test_a_tile_shared_by_two_observations_has_one_feature():
    section = make_section(0, size_um=600.0)
    xy = 300.0 + 112.0 * np.array([[0, 0], [1, 0]])
    section = section.subset(np.array([0, 1]))
    table = section.table.copy()
    table.obsm["spatial"] = xy / section.mpp
    (section,) = prepare([section.replace(table=table)], "colour", size_um=112.0)
    around = encode_surround(section, "colour", k=3)
    assert np.array_equal(around.features[0, [1, 2, 4, 5, 7, 8]], around.features[1, [0, 1, 3, 4, 6, 7]])


def test_parts_of_a_divided_section_share_one_encoding(tmp_path):
    section = tile(make_section(0, size_um=600.0), 112.0)
    whole = encode(section, "colour", cache=tmp_path)
    keep = np.arange(section.n_obs) % 3 == 0
    part = encode(section.divisible().subset(keep), "colour", cache=tmp_path)
    assert np.array_equal(Features.of(part.table).matrix, Features.of(whole.table).matrix[keep])
    folders = len(list(tmp_path.rglob("*.json")))
    encode(section.divisible().subset(~keep), "colour", cache=tmp_path)
    assert len(list(tmp_path.rglob("*.json"))) == folders  # nothing was encoded anew
    around = encode_surround(section, "colour", k=3, cache=tmp_path)
    own = encode_surround(section.divisible().subset(keep), "colour", k=3, cache=tmp_path)
    assert np.array_equal(own.features, around.features[keep])
