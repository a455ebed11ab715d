"""OME-Zarr as other tools write it: zarr 2 metadata, units, extra axes, no colour."""

from __future__ import annotations

import json

import numpy as np
import pytest

from histoscribe.core.errors import SlideError
from histoscribe.slide import open_slide

zarr = pytest.importorskip("zarr")


def image(path, pixels, axes, *, unit="micrometer", scale=0.25):
    """Write the layout of OME-NGFF 0.4 by hand."""
    group = zarr.open_group(str(path), mode="w", zarr_format=2)
    array = group.create_array(
        "0", shape=pixels.shape, chunks=tuple(min(64, n) for n in pixels.shape), dtype=pixels.dtype
    )
    array[...] = pixels
    described = [{"name": a, "type": "space"} | ({"unit": unit} if a in "xy" and unit else {}) for a in axes]
    factors = [scale if a in "xy" else 1.0 for a in axes]
    dataset = {"path": "0", "coordinateTransformations": [{"type": "scale", "scale": factors}]}
    text = json.dumps({"multiscales": [{"version": "0.4", "axes": described, "datasets": [dataset]}]})
    (path / ".zattrs").write_text(text)
    return path


@pytest.fixture
def pixels(rng):
    return rng.integers(0, 256, (3, 90, 150), dtype=np.uint8)


def test_pixels_and_scale_are_those_of_the_file(tmp_path, pixels):
    slide = open_slide(image(tmp_path / "a.zarr", pixels, "cyx"))
    assert (slide.size, slide.mpp) == ((150, 90), 0.25)
    found = slide.region(30, 20, width=100, height=60, out=(100, 60)).pixels
    np.testing.assert_array_equal(found, pixels[:, 20:80, 30:130].transpose(1, 2, 0))


def test_axes_of_length_one_are_left_out(tmp_path, pixels):
    slide = open_slide(image(tmp_path / "a.zarr", pixels[None, :, None], "tczyx", unit=None))
    assert (slide.size, slide.mpp) == ((150, 90), None)
    np.testing.assert_array_equal(slide.thumbnail(max_px=150), pixels.transpose(1, 2, 0))


def test_what_is_no_colour_image_is_refused(tmp_path, pixels):
    with pytest.raises(SlideError, match=r"is no colour image \(c 2, y 90, x 150, uint8\)"):
        open_slide(image(tmp_path / "a.zarr", pixels[:2], "cyx"))
    with pytest.raises(SlideError, match=r"is no colour image .*uint16"):
        open_slide(image(tmp_path / "b.zarr", pixels.astype(np.uint16), "cyx"))
    (tmp_path / "c").mkdir()
    with pytest.raises(SlideError, match="is a folder, not a slide"):
        open_slide(tmp_path / "c")
    (tmp_path / "a.zarr" / ".zattrs").write_text('{"multiscales": [{"axes": ["c", "y", "x"]}]}')
    with pytest.raises(SlideError, match="metadata lack 'datasets'"):
        open_slide(tmp_path / "a.zarr")
