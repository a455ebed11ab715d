import numpy as np
import pytest

from histoscribe.core.errors import SlideError
from histoscribe.slide import open_slide, write_tiff
from histoscribe.testing import ArraySlide


@pytest.fixture
def slide(rng):
    blocks = rng.integers(0, 256, (22, 25, 3), dtype=np.uint8)
    return ArraySlide(np.kron(blocks, np.ones((60, 60, 1), np.uint8))[:1301, :1477], mpp=0.5)


def whole(slide):
    width, height = slide.size
    return slide.region(0, 0, width=width, height=height, out=(width, height)).pixels


@pytest.mark.parametrize("backend", ["tiff", "openslide"])
def test_every_backend_reads_the_same_pixels_levels_and_scale(slide, tmp_path, backend):
    found = open_slide(write_tiff(slide, tmp_path / "a.tif"), backend=backend)
    assert [(level.width, level.height) for level in found.levels] == [(1477, 1301), (738, 650)]
    assert found.mpp == pytest.approx(0.5)
    np.testing.assert_array_equal(whole(found), slide.pixels)
    reduced = found.region(0, 0, width=1476, height=1300, out=(738, 650)).pixels
    expected = slide.region(0, 0, width=1476, height=1300, out=(738, 650)).pixels
    # Strips are reduced one by one: at their seams the filter has less to see.
    assert np.abs(reduced.astype(int) - expected).mean() < 1


def test_jpeg_is_smaller_and_nearly_the_same(tmp_path):
    ramp = np.linspace(0, 255, 1200)[:, None, None]
    smooth = ArraySlide(np.broadcast_to(ramp, (1200, 1100, 3)).astype(np.uint8), mpp=None)
    path = write_tiff(smooth, tmp_path / "a.tif", mpp=0.25, compression="jpeg")
    found = open_slide(path)
    assert found.mpp == pytest.approx(0.25)
    assert np.abs(whole(found).astype(int) - smooth.pixels).max() <= 4
    assert path.stat().st_size < smooth.pixels.nbytes / 20


def test_a_slide_that_breaks_off_leaves_no_half_file(slide, tmp_path, monkeypatch):
    read, calls = slide._read, []

    def broken(*args):
        calls.append(args)
        if len(calls) > 3:
            raise SlideError("tile is damaged")
        return read(*args)

    monkeypatch.setattr(slide, "_read", broken)
    with pytest.raises(SlideError, match="tile is damaged"):
        write_tiff(slide, tmp_path / "a.tif")
    assert not list(tmp_path.iterdir())
