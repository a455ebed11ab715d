"""Tiles: where they are laid, and the pixels that come from there."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from PIL import Image

from histoscribe.core.errors import CoordinateError, ScaleError, SlideError
from histoscribe.core.section import Section
from histoscribe.slide import open_slide
from histoscribe.testing import ArraySlide
from histoscribe.tiles import padded_share, read_tiles, section_mask, tile
from tiles import painted


def around(xy, *, size=(600, 400), mpp=0.5, slide=None):
    """A section with observations at `xy` on a gradient: red is x / 4, green y / 4, blue 7."""
    y, x = np.indices(size[::-1])
    pixels = np.stack([x // 4, y // 4, np.full_like(x, 7)], axis=2).astype(np.uint8)
    xy = np.asarray(xy, dtype=float).reshape(-1, 2)
    table = AnnData(np.ones((len(xy), 2), np.float32), obs=pd.DataFrame(index=[f"s{i}" for i in range(len(xy))]))
    table.obsm["spatial"] = xy
    return Section(table, slide or ArraySlide(pixels, mpp=mpp), mpp, "toy", "donor", spot_um=55.0, pitch_um=100.0)


def on_tissue(mpp=8.0):
    image, truth = painted.section(painted.PINK)
    section = around(np.zeros((0, 2)), slide=ArraySlide(image, mpp=mpp), mpp=mpp)
    return section.replace(table=section.table[:, :0].copy()), truth


def test_tiles_stand_around_observations_and_the_rest_stays():
    section = around([(100, 100), (250.25, 300.5)])
    tiled = tile(section, 40.0, tile_px=32)
    np.testing.assert_array_equal(tiled.grid.centres, section.xy)
    assert (tiled.grid.sides_um, tiled.grid.tile_px, tiled.grid.mpp) == ((40.0,), 32, 0.5)
    assert (tiled.spot_um, tiled.pitch_um) == (55.0, 100.0)
    assert "padded_share" not in section.table.obs
    assert tiled.table.obs["padded_share"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("mpp", "sides", "given", "expected"),
    [
        (0.5, 112.0, None, 0.5),
        (0.25, 112.0, None, 0.5),
        (0.7, 112.0, None, 0.7),
        (0.25, (448, 112), None, 0.5),
        (0.25, 112.0, 0.8, 0.8),
    ],
)
def test_the_finest_detail_is_the_slide_s_or_the_tile_s(mpp, sides, given, expected):
    assert tile(around([(300, 200)], mpp=mpp), sides, read_mpp=given).grid.read_mpp == pytest.approx(expected)


def test_sides_of_several_contexts_are_kept_in_order():
    grid = tile(around([(300, 200)]), [112, 448.0, 224]).grid
    assert grid.sides_um == (112.0, 448.0, 224.0)


def test_the_padded_share_is_the_largest_tile_s():
    tiled = tile(around([(300, 200), (0, 200), (0, 0), (590, 200)]), [10.0, 100.0], tile_px=16)
    np.testing.assert_allclose(tiled.table.obs["padded_share"], [0, 0.5, 0.75, 0.45], atol=1e-6)
    _, read = read_tiles(tiled.slide, tiled.grid, 100.0, slice(None))
    np.testing.assert_allclose(read, padded_share(tiled.slide, tiled.grid), atol=1e-6)


def test_observations_outside_the_image_are_refused_and_counted():
    section = around([(10, 10), (601, 10), (10, -1), (600, 400)])
    with pytest.raises(
        CoordinateError, match=r"2 of 4 observations .*first: s1.* 600 x 400 px image.*histoscribe check"
    ):
        tile(section, 40.0)


@pytest.mark.parametrize(
    "wrong", [{"size_um": 0}, {"size_um": []}, {"size_um": [112, -1]}, {"size_um": float("nan")}, {"tile_px": 0}]
)
def test_sizes_that_are_none_are_refused(wrong):
    with pytest.raises(ScaleError, match="section 'toy'. Give sizes above 0"):
        tile(around([(10, 10)]), **wrong)


def test_a_section_without_slide_is_refused():
    with pytest.raises(SlideError, match="'toy' has no slide"):
        tile(around([(10, 10)]).replace(slide=None))


def test_without_observations_a_grid_covers_the_tissue():
    section, truth = on_tissue()
    tiled = tile(section, 160.0, min_tissue=0.5)
    obs = tiled.table.obs
    assert tiled.n_obs == pytest.approx(truth.sum() * 64 / 160**2, rel=0.05)
    assert tiled.pitch_um == 160.0
    assert tiled.spot_um is None
    assert all(name == f"x{c}y{r}" for name, r, c in zip(obs.index, obs["array_row"], obs["array_col"], strict=True))
    np.testing.assert_allclose(tiled.xy_um, (obs[["array_col", "array_row"]].to_numpy() + 0.5) * 160)
    assert (section_mask(section).share(tiled.xy, 80.0) >= 0.5).all()


def test_a_stricter_share_of_tissue_gives_a_part_of_the_grid():
    section, _ = on_tissue()
    loose, strict = (set(tile(section, 160.0, min_tissue=m).table.obs_names) for m in (0.1, 0.95))
    assert strict < loose


def test_the_step_is_the_smallest_side_unless_it_is_given():
    section, _ = on_tissue()
    assert tile(section, [448, 160.0]).pitch_um == 160.0
    near = tile(section, 160.0, step_um=80.0)
    assert near.pitch_um == 80.0
    assert near.n_obs == pytest.approx(4 * tile(section, 160.0).n_obs, rel=0.1)


def test_tissue_that_no_tile_is_filled_with_is_refused():
    section, _ = on_tissue()
    with pytest.raises(SlideError, match=r"no tile of 5000 um .* at least 100% tissue.* lower min_tissue"):
        tile(section, 5000.0, step_um=500.0, min_tissue=1.0)


def test_a_slide_without_tissue_is_refused():
    section, _ = on_tissue()
    blank = np.full((300, 300, 3), 240, np.uint8)
    with pytest.raises(SlideError, match="no stained tissue"):
        tile(section.replace(slide=ArraySlide(blank, mpp=8.0)), 160.0)


def test_tiles_show_what_is_around_their_centre():
    tiled = tile(around([(100, 100), (250.25, 300.5), (421.7, 121.1)]), [28.0, 100.0], tile_px=56)
    for side in (28.0, 100.0):
        pixels, padded = read_tiles(tiled.slide, tiled.grid, side, slice(None))
        assert pixels.shape == (3, 3, 56, 56)
        assert (pixels.dtype, padded.dtype) == (np.uint8, np.float32)
        # Pixel values are floor(x / 4): the mean over x is x / 4 - 0.5.
        centres = pixels[:, :2].mean((2, 3))
        np.testing.assert_allclose(centres, tiled.xy / 4 - 0.5, atol=0.3)
        spread = pixels[:, 0, :, -1].mean(1) - pixels[:, 0, :, 0].mean(1)
        np.testing.assert_allclose(spread, side / 0.5 / 4 * 55 / 56, atol=1.3)
        assert (pixels[:, 2] == 7).all()


def test_at_the_slide_s_own_resolution_pixels_are_the_slide_s():
    section = around([(100, 100), (300, 200)])
    tiled = tile(section, 32.0, tile_px=64)
    pixels, _ = read_tiles(tiled.slide, tiled.grid, 32.0, slice(None))
    np.testing.assert_array_equal(pixels[1].transpose(1, 2, 0), section.slide.pixels[168:232, 268:332])


@pytest.mark.parametrize("rows", [slice(1, 3), np.array([2, 0]), np.array([], dtype=int), slice(3, 3)])
def test_rows_choose_tiles_in_order(rows):
    tiled = tile(around([(100, 100), (200, 150), (300, 200)]), 40.0, tile_px=32)
    every, _ = read_tiles(tiled.slide, tiled.grid, 40.0, slice(None))
    some, padded = read_tiles(tiled.slide, tiled.grid, 40.0, rows)
    np.testing.assert_array_equal(some, every[rows])
    assert len(padded) == len(some)


def test_a_finer_slide_shows_no_more_than_the_detail_asked_for():
    """A checkerboard of 2 px at 0.25 um/px is gone at 1 um/px, although the tile is as large as before."""
    board = np.kron(np.indices((200, 200)).sum(0) % 2, np.ones((2, 2))) * 200 + 20
    slide = ArraySlide(np.repeat(board[..., None], 3, axis=2).astype(np.uint8), mpp=0.25)
    section = around([(200, 200)], slide=slide, mpp=0.25)
    sharp, dull = (tile(section, 50.0, tile_px=200, read_mpp=m) for m in (0.25, 1.0))
    assert read_tiles(slide, sharp.grid, 50.0, slice(None))[0].std() > 90
    pixels, _ = read_tiles(slide, dull.grid, 50.0, slice(None))
    assert pixels.shape == (1, 3, 200, 200)
    assert pixels.std() < 12


def test_a_file_gives_the_tiles_of_the_same_pixels_in_memory(tmp_path):
    section = around([(100.5, 99.25), (3, 398), (300, 200)])
    Image.fromarray(section.slide.pixels).save(tmp_path / "a.png")
    tiled = tile(section, [40.0, 120.0], tile_px=48)
    for side in (40.0, 120.0):
        one, other = (
            read_tiles(s, tiled.grid, side, slice(None)) for s in (tiled.slide, open_slide(tmp_path / "a.png"))
        )
        np.testing.assert_array_equal(one[0], other[0])
        np.testing.assert_array_equal(one[1], other[1])
