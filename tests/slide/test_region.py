"""Regions: places, scales, antialiasing and padding, the same for every backend."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import openslide
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from histoscribe.core.errors import SlideError
from histoscribe.core.pixels import PixelSource
from histoscribe.slide import SLIDES, open_slide
from slide import pictures

KINDS = ("png", "webp", "deepzoom", "pages", "subifds", "ome", "flat", "striped", "planar", "channels")
LEVELLED = ("deepzoom", "pages", "subifds", "ome")


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    """The same picture in every lossless format."""
    found = {kind: tmp_path_factory.mktemp(kind) for kind in KINDS}
    pixels = pictures.picture()
    return {kind: open_slide(pictures.write(kind, folder, pixels)) for kind, folder in found.items()}


def png(tmp_path, pixels):
    Image.fromarray(np.ascontiguousarray(pixels)).save(tmp_path / "a.png")
    return open_slide(tmp_path / "a.png")


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_of_level_0_come_back_unchanged(slides, kind):
    found = slides[kind].region(37, 101, width=300, height=260, out=(300, 260))
    np.testing.assert_array_equal(found.pixels, pictures.picture()[101:361, 37:337])
    assert found.padded == 0


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_gives_the_same_pixels_at_fractions_of_a_px(slides, kind):
    where = {"width": 300.7, "height": 211.3, "out": (211, 173)}
    found = slides[kind].region(20.4, -33.3, **where)
    expected = slides["png"].region(20.4, -33.3, **where)
    np.testing.assert_array_equal(found.pixels, expected.pixels)
    assert found.padded == expected.padded == pytest.approx(33.3 / 211.3)


@pytest.mark.parametrize("kind", LEVELLED)
def test_a_level_of_the_file_is_read_where_it_fits(slides, kind):
    half = pictures.halved(pictures.picture())
    found = slides[kind].region(100, 60, width=400, height=300, out=(200, 150)).pixels
    np.testing.assert_array_equal(found, half[30:180, 50:250])


@pytest.mark.parametrize("kind", KINDS)
def test_every_slide_is_a_pixel_source_with_the_whole_picture_as_thumbnail(slides, kind):
    slide = slides[kind]
    assert isinstance(slide, PixelSource)
    assert slide.size == (pictures.WIDTH, pictures.HEIGHT)
    small = slide.thumbnail(max_px=70)
    assert small.shape == (50, 70, 3)
    cells = pictures.picture().reshape(50, 10, 70, 10, 3).mean((1, 3))
    # A triangle filter reaches into the neighbouring cells; the picture varies over about 8 px.
    assert np.abs(small - cells).mean() < 6


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickled_slide_and_a_closed_slide_read_again(slides, kind):
    slide = slides[kind]
    before = slide.region(5, 5, width=50, height=50, out=(50, 50)).pixels
    copy = pickle.loads(pickle.dumps(slide))
    slide.close()
    for one in (copy, slide):
        np.testing.assert_array_equal(one.region(5, 5, width=50, height=50, out=(50, 50)).pixels, before)


@pytest.mark.parametrize("kind", ["png", "pages", "deepzoom", "striped"])
def test_threads_read_what_one_reader_reads(slides, kind):
    slide = slides[kind]
    slide.close()
    places = np.random.default_rng(0).uniform(-20, 400, (60, 2))

    def read(place):
        return slide.region(*place, width=90, height=90, out=(64, 64)).pixels

    alone = [read(place) for place in places]
    slide.close()
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read, places))
    np.testing.assert_array_equal(together, alone)


@settings(max_examples=60, deadline=None)
@given(x=st.floats(30, 60), y=st.floats(30, 60), width=st.floats(10, 100), out=st.integers(8, 120))
def test_a_linear_gradient_is_reproduced_at_any_offset_and_scale(gradient, x, y, width, out):
    found = gradient.region(x, y, width=width, height=width, out=(out, out)).pixels
    centres = (np.arange(out) + 0.5) * width / out
    # Pixel i holds i in red and in green its row; its centre lies at i + 0.5.
    assert np.abs(found[..., 0] - (x + centres - 0.5)).max() <= 0.51
    assert np.abs(found[..., 1] - (y + centres - 0.5)[:, None]).max() <= 0.51


@pytest.fixture(scope="module")
def gradient(tmp_path_factory):
    rows, columns = np.mgrid[:240, :250].astype(np.uint8)
    return png(tmp_path_factory.mktemp("gradient"), np.stack([columns, rows, columns], axis=2))


@pytest.mark.parametrize("scale", [2.0, 3.7, 8.0, 20.5])
def test_a_fine_checkerboard_becomes_grey_and_not_a_coarse_one(tmp_path, scale):
    board = (np.indices((400, 400)).sum(0) % 2 * 255).astype(np.uint8)
    slide = png(tmp_path, np.repeat(board[..., None], 3, axis=2))
    n = int(300 / scale)
    found = slide.region(41.3, 40, width=n * scale, height=n * scale, out=(n, n)).pixels.astype(float)
    assert np.abs(found - 127.5).max() < 20
    assert found.mean() == pytest.approx(127.5, abs=1)


def test_bands_of_a_large_reduction_join_without_a_seam(slides, monkeypatch):
    where = {"width": 650, "height": 460, "out": (97, 61)}
    whole = slides["png"].region(11.5, 3.25, **where).pixels
    monkeypatch.setattr("histoscribe.slide._pyramid._BAND_PX", 20_000)
    np.testing.assert_allclose(slides["png"].region(11.5, 3.25, **where).pixels.astype(int), whole, atol=1)


@pytest.mark.parametrize(
    ("x", "y", "width", "height", "share"),
    [
        (0, 0, 700, 500, 0),
        (-100, 0, 200, 100, 0.5),
        (650, 450, 100, 100, 0.75),
        (-50, -50, 800, 600, 1 - 350 / 480),
        (-300, 20, 100, 100, 1),
        (20, 600.5, 10, 10, 1),
        (-0.25, 0, 1, 1, 0.25),
    ],
)
def test_the_padded_share_is_exact(slides, x, y, width, height, share):
    found = slides["pages"].region(x, y, width=width, height=height, out=(20, 20))
    assert found.padded == pytest.approx(share, abs=1e-12)
    assert found.pixels.shape == (20, 20, 3)


def test_padding_repeats_the_edge(slides):
    found = slides["pages"].region(-30, 495, width=40, height=40, out=(40, 40)).pixels
    pixels = pictures.picture()
    np.testing.assert_array_equal(found[:5, :30], np.broadcast_to(pixels[495:, :1], (5, 30, 3)))
    np.testing.assert_array_equal(found[5:, 30:], np.broadcast_to(pixels[-1:, :10], (35, 10, 3)))


@pytest.mark.parametrize(("width", "out"), [(0, 5), (-3, 5), (float("nan"), 5), (10, 0)])
def test_an_empty_rectangle_is_refused(slides, width, out):
    with pytest.raises(SlideError, match=r"cannot read .* Give finite places and sizes above 0"):
        slides["png"].region(0, 0, width=width, height=10, out=(out, 5))


@pytest.mark.parametrize("compression", ["jpeg", "deflate"])
@pytest.mark.parametrize("layout", ["pages", "flat"])
def test_tiles_equal_openslide_s_on_every_level(tmp_path, layout, compression):
    path = pictures.write_tiff(tmp_path / "a.tif", pictures.picture(), layout=layout, compression=compression)
    ours = open_slide(path)
    assert type(ours) is SLIDES.get("tiff")
    with openslide.OpenSlide(str(path)) as theirs:
        assert len(ours.levels) == theirs.level_count
        for index, level in enumerate(ours.levels):
            d = int(level.downsample)
            x, y, n = 13, 21, 90
            expected = np.asarray(theirs.read_region((x * d, y * d), index, (n, n)))[..., :3]
            found = ours.region(x * d, y * d, width=n * d, height=n * d, out=(n, n)).pixels
            np.testing.assert_array_equal(found, expected)


def test_the_openslide_backend_gives_the_tiff_backend_s_regions(tmp_path):
    path = pictures.write_tiff(tmp_path / "a.tif", pictures.picture(), compression="jpeg")
    ours, theirs = (open_slide(path, backend=name) for name in ("tiff", "openslide"))
    for x, y, width, out in [(3.3, 8.1, 120.5, 100), (-40, 20, 400, 90), (100, 60, 400, 200), (500.5, 300.2, 300, 224)]:
        where = {"width": width, "height": width, "out": (out, out)}
        one, other = ours.region(x, y, **where), theirs.region(x, y, **where)
        np.testing.assert_array_equal(one.pixels, other.pixels)
        assert one.padded == other.padded


def test_levels_of_rounded_sizes_have_whole_downsamples(tmp_path):
    slide = open_slide(pictures.write_tiff(tmp_path / "a.tif", pictures.picture(501, 703)))
    assert [level.downsample for level in slide.levels] == [1, 2, 4]
    assert slide.levels[2].width == 176
