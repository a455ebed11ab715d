"""Tissue masks: planted outlines on difficult glass, and the real sections on which simpler masks fail."""

from __future__ import annotations

import gc
import gzip
import json
import weakref

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import ndimage
from scipy.spatial import cKDTree

from histoscribe.core.errors import ScaleError, SlideError
from histoscribe.core.section import Section
from histoscribe.slide import open_slide
from histoscribe.testing import ArraySlide
from histoscribe.tiles import TissueMask, section_mask, tissue_mask
from histoscribe.tiles._mask import work_px
from tiles import painted
from tiles.painted import MPP, SIZE


@pytest.mark.parametrize("glass", [painted.WHITE, painted.GREY, painted.PINK], ids=["white", "grey", "pink"])
@pytest.mark.parametrize("light", ["even", "uneven"])
@pytest.mark.parametrize("strength", [1.0, 0.4], ids=["deep", "pale"])
def test_tissue_is_found_on_any_glass(glass, light, strength):
    image, truth = painted.section(glass, extra=painted.uneven() if light == "uneven" else 0.0, strength=strength)
    assert painted.overlap(tissue_mask(image, mpp=MPP), truth) > 0.96


def test_stain_that_ran_out_of_the_tissue_is_glass():
    extra = painted.halo(painted.ellipse())
    image, truth = painted.section(painted.PINK, extra=extra)
    beside = (extra.max(2) > 0.05) & ~ndimage.binary_dilation(truth, iterations=3)
    assert beside.sum() > 2000
    found = tissue_mask(image, mpp=MPP)
    assert found[beside].mean() < 0.01
    assert painted.overlap(found, truth) > 0.96


@pytest.mark.parametrize("ink", painted.INKS)
@pytest.mark.parametrize("glass", [painted.WHITE, painted.GREY], ids=["white", "grey"])
def test_pen_marks_are_not_tissue(ink, glass):
    truth = painted.ellipse()
    pen = painted.stroke([(40, 30), (60, 380), (390, 390)], 40)
    density = np.asarray(glass) + painted.tissue() * truth[..., None]
    image = painted.photograph(density + pen[..., None] * np.array(painted.INKS[ink]))
    found = tissue_mask(image, mpp=MPP)
    assert found[pen].mean() < 0.01
    assert painted.overlap(found, truth) > 0.96


def test_dust_bubbles_and_frames_are_not_tissue():
    truth = painted.ellipse()
    grey = np.zeros((SIZE, SIZE))
    grey[5:30, 40:160] = 0.3  # a blurred printed frame
    grey[380:400, 300:320] = 1.2  # dust
    y, x = np.indices(grey.shape)
    grey[np.abs(np.hypot(y - 370, x - 60) - 25) < 3] = 0.9  # the rim of a bubble
    extra = ndimage.gaussian_filter(grey, 2)[..., None] * np.ones(3)
    image, _ = painted.section(painted.WHITE, extra=extra)
    found = tissue_mask(image, mpp=MPP)
    assert not (found & ~ndimage.binary_dilation(truth, iterations=6)).any()


def test_black_surroundings_and_a_preview_in_them_are_not_tissue():
    image, truth = painted.section(painted.PINK)
    rim = ndimage.binary_dilation(truth, iterations=8)  # what a mask drawn by hand leaves of the glass
    masked = np.where(rim[..., None], image, 0)
    masked[:90, 300:] = image[::4, ::3][:90, :120]
    found = tissue_mask(masked, mpp=MPP)
    assert not found[:95, 295:].any()
    assert painted.overlap(found, truth) > 0.95


def test_holes_that_are_glass_stay_open_and_small_gaps_close():
    truth = painted.ellipse()
    lumen, gap = painted.ellipse((210, 150), (40, 40)), painted.ellipse((210, 270), (5, 5))
    density = np.asarray(painted.WHITE) + painted.tissue() * (truth & ~lumen & ~gap)[..., None]
    found = tissue_mask(painted.photograph(density), mpp=MPP)
    assert found[lumen].mean() < 0.1
    assert found[gap].all()


@pytest.mark.parametrize("glass", [painted.WHITE, painted.GREY, painted.PINK])
def test_a_slide_without_tissue_has_an_empty_mask(glass):
    image = painted.photograph(np.asarray(glass) + painted.uneven())
    assert not tissue_mask(image, mpp=MPP).any()


@pytest.mark.parametrize("value", [0, 255])
def test_an_image_of_one_colour_has_no_tissue(value):
    assert not tissue_mask(np.full((60, 70, 3), value, np.uint8), mpp=MPP).any()


def test_an_image_that_is_all_tissue_has_a_full_mask():
    image = painted.photograph(np.asarray(painted.WHITE) + painted.tissue())
    assert tissue_mask(image, mpp=MPP).mean() > 0.97


def test_specks_are_dropped_below_the_smallest_area():
    speck = painted.ellipse((40, 360), (10, 10))  # 314 px of 64 um2 = 20,000 um2
    density = np.asarray(painted.WHITE) + painted.tissue() * (painted.ellipse() | speck)[..., None]
    image = painted.photograph(density)
    assert not tissue_mask(image, mpp=MPP)[speck].any()
    assert tissue_mask(image, mpp=MPP, min_area_um2=10_000)[speck].mean() > 0.8


@pytest.mark.parametrize("zoom", [0.5, 2.0, 4.0])
def test_the_mask_has_the_image_s_shape_at_any_resolution(zoom):
    image, truth = painted.section(painted.PINK)
    scaled = ndimage.zoom(image, (zoom, zoom, 1), order=1)
    found = tissue_mask(scaled, mpp=MPP / zoom)
    assert found.shape == scaled.shape[:2]
    assert painted.overlap(found, ndimage.zoom(truth, zoom, order=0)) > 0.94


def test_the_same_image_gives_the_same_mask_and_is_left_alone():
    image, _ = painted.section(painted.GREY)
    before = image.copy()
    np.testing.assert_array_equal(tissue_mask(image, mpp=MPP), tissue_mask(image, mpp=MPP))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("image", "mpp", "error"),
    [
        (np.zeros((9, 9, 3), np.uint8), 0, ScaleError),
        (np.zeros((9, 9, 3), np.uint8), float("nan"), ScaleError),
        (np.zeros((9, 9), np.uint8), 8, SlideError),
        (np.zeros((9, 9, 3)), 8, SlideError),
        (np.zeros((0, 9, 3), np.uint8), 8, SlideError),
    ],
)
def test_what_is_no_image_or_no_scale_is_refused(image, mpp, error):
    with pytest.raises(error):
        tissue_mask(image, mpp=mpp)


def on_slide(image, *, mpp=MPP, slide=None):
    table = AnnData(obs=pd.DataFrame(index=pd.Index([], dtype=object)))
    table.obsm["spatial"] = np.zeros((0, 2))
    return Section(table, slide or ArraySlide(image, mpp=mpp), mpp, "painted", "donor")


def test_a_tissue_mask_answers_in_level_0_px_and_um():
    mask = np.zeros((10, 20), dtype=bool)
    mask[:, :10] = True
    found = TissueMask(mask, (4.0, 4.0), 0.5)
    assert found.area_um2 == 100 * 4 * 4 * 0.25
    places = np.array([[0, 0], [39.9, 39.9], [40.1, 5], [-0.1, 5], [5, 40.1], [79.9, 1]])
    assert found.at(places).tolist() == [True, True, False, False, False, False]
    # Discs of 6 um, 12 px: inside, on the edge of the tissue, off it, and half outside the slide.
    share = found.share(np.array([[20.0, 20.0], [40.0, 20.0], [60.0, 20.0], [0.0, 20.0]]), 6.0)
    np.testing.assert_allclose(share, [1, 0.5, 0, 0.5], atol=0.02)
    assert found.share(np.zeros((0, 2)), 6.0).shape == (0,)


@pytest.mark.parametrize("mpp", [2.0, 8.0, 20.0])
def test_a_section_s_mask_fits_its_slide(mpp):
    image, truth = painted.section(painted.PINK)
    found = section_mask(on_slide(image, mpp=mpp))
    y, x = np.nonzero(truth)
    assert found.at(np.stack([x, y], axis=1) + 0.5).mean() > 0.95
    assert found.area_um2 == pytest.approx(truth.sum() * mpp**2, rel=0.08)


def test_a_mask_is_made_once_and_goes_with_its_slide(monkeypatch):
    section = on_slide(painted.section()[0])
    first = section_mask(section)
    monkeypatch.setattr("histoscribe.tiles._section_mask.tissue_mask", None)
    assert section_mask(section.replace(name="same slide")) is first
    slide, mask = weakref.ref(section.slide), weakref.ref(first)
    del section, first
    gc.collect()
    assert slide() is None
    assert mask() is None


def test_a_slide_without_tissue_is_refused_with_a_remedy():
    blank = painted.photograph(np.asarray(painted.WHITE) + painted.uneven())
    with pytest.raises(SlideError, match=r"no stained tissue .* section 'painted' .* give an H&E image\."):
        section_mask(on_slide(blank))


def test_a_section_without_slide_is_refused():
    section = on_slide(painted.section()[0]).replace(slide=None)
    with pytest.raises(SlideError, match="section 'painted' has no slide"):
        section_mask(section)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["C2", "C5"])
def test_real_sections_on_white_and_pink_glass(shared_data, name):
    """Measured 2026-11: every spot at least half on tissue, mean share 0.983-0.991, 0.4 % of the mask far off."""
    root = shared_data / "her2st" / "data"
    slide = open_slide(next((root / "ST-imgs" / "C" / name).glob("*.jpg")))
    spots = pd.read_csv(root / "ST-spotfiles" / f"{name}_selection.tsv", sep="\t")
    xy = spots[["pixel_x", "pixel_y"]].to_numpy()
    mpp = 200 / np.polyfit(spots["new_x"], spots["pixel_x"], 1)[0]
    mask = section_mask(on_slide(None, mpp=mpp, slide=slide))
    slide.close()
    share = mask.share(xy, 50.0)
    assert (share >= 0.5).all()
    assert share.mean() > 0.98
    assert 0.16 < mask.mask.mean() < 0.19
    y, x = np.nonzero(mask.mask)
    far = cKDTree(xy).query((np.stack([x, y], axis=1) + 0.5) * mask.step_px)[0]
    assert (far * mpp > 200).mean() < 0.01


@pytest.mark.shared
@pytest.mark.parametrize("name", ["MOB1", "MOB2", "MOB3", "MOB4"])
def test_real_sections_with_frames_bubbles_and_pale_tissue(shared_data, name):
    """Measured 2026-11: 98.3 % of the selected spots at least half on tissue, 0.4 % of the others."""
    folder = shared_data / "mob_st2k"
    with gzip.open(folder / f"alignment_table_{name}.tsv.gz") as file:
        spots = pd.read_csv(file, sep="\t")
    slide = open_slide(folder / f"{name}.jpg")
    mask = section_mask(on_slide(None, mpp=400 / 48.25 / 2, slide=slide))
    on = mask.share(spots[["pixel_x", "pixel_y"]].to_numpy(), 50.0) >= 0.5
    selected = spots["selected"].to_numpy() == 1
    assert on[selected].mean() > 0.97
    assert on[~selected].mean() < 0.015


@pytest.mark.shared
@pytest.mark.parametrize("name", ["A1", "A2"])
def test_a_real_picture_on_black_with_a_preview(shared_data, name):
    slide = open_slide(shared_data / "her2st" / "app" / "www" / "imgs" / f"{name}_HE_image_dark.png")
    mask = section_mask(on_slide(None, mpp=0.917 * 6960 / 2000, slide=slide))
    y, x = (np.indices(mask.mask.shape) + 0.5) * np.array(mask.step_px)[::-1, None, None]
    assert not mask.mask[(x > 1490) & (y < 545)].any()
    assert 0.27 < mask.mask.mean() < 0.34
    black = slide.thumbnail(max_px=max(mask.mask.shape)).max(2) < 20
    assert mask.mask[black].mean() < 0.01


@pytest.mark.shared
@pytest.mark.parametrize("name", ["151673", "151674"])
def test_real_cortex_on_grey_glass_with_fiducials(shared_data, name):
    """Measured 2026-11: 99.9 % of the spots in tissue; 7 % of the others, most of them on debris beside it."""
    folder = shared_data / "dlpfc" / "10X" / name
    spots = pd.read_csv(folder / "tissue_positions_list.txt", header=None).to_numpy()
    factor = json.loads((folder / "scalefactors_json.json").read_text())["tissue_lowres_scalef"]
    xy, inside = spots[:, [5, 4]].astype(float) * factor, spots[:, 1] == 1
    mask = section_mask(on_slide(None, mpp=16.1, slide=open_slide(folder / "tissue_lowres_image.png")))
    on = mask.share(xy, 27.5) >= 0.5
    assert on[inside].mean() > 0.99
    assert on[~inside].mean() < 0.1


def test_the_scale_of_a_mask_suits_slides_of_every_size():
    """2 mm, 40 mm, 80 mm and (a scale that is wrong by far) 4 m, all at most 40 um/px where that can be had."""
    assert work_px(4_000, 0.5) == 400
    assert work_px(80_000, 0.5) == 1600
    assert work_px(160_640, 0.5) == 2510
    assert 160_640 * 0.5 / 2510 < 40
    assert work_px(100_000, 40.0) == 4000
