"""Tissue filters drop pens, shadows and glass, and leave black nuclei alone."""

import numpy as np
import pytest

from histoscribe.core.errors import RegistryError
from histoscribe.slide import open_slide
from histoscribe.tiles import FILTERS, section_mask, tile, tissue_mask
from histoscribe.tiles._filters import dropped
from tiles import painted
from tiles.painted import GREY, INKS, MPP, SIZE, WHITE, ellipse, photograph, stroke, tissue

#: Felt pens as deep-histopath's numbers know them: RGB.
PENS = {"red-pen": (170, 45, 60), "green-pen": (40, 140, 110), "blue-pen": (50, 70, 190)}


def on_glass(glass=WHITE, *, fold=False):
    """A thumbnail of tissue on glass, its mask; a fold doubles the tissue's density along a band."""
    mask = ellipse()
    density = tissue()
    if fold:
        density = density * np.where(stroke([(130, 120), (290, 280)], 14), 2.5, 1.0)[..., None]
    return photograph(np.asarray(glass) + density * mask[..., None]), mask


def lost(found, truth):
    """Share of the truth that is not in the mask."""
    return 1 - (found & truth).sum() / truth.sum()


@pytest.mark.parametrize("name", sorted(set(FILTERS) - {"density"}))
def test_a_filter_keeps_tissue_and_answers_with_a_mask(name):
    image, mask = on_glass()
    before = image.copy()
    keep = FILTERS.get(name)(image, MPP)
    assert keep.shape == mask.shape
    assert keep.dtype == bool
    assert lost(keep, mask) < 0.06
    # Entropy is a window's: it lacks its half at the rim.
    most = 0.06 if name == "entropy" else 0.02
    assert lost(tissue_mask(image, mpp=MPP, filters=(name,)), tissue_mask(image, mpp=MPP)) < most
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("strength", [1.0, 2.5])
def test_density_takes_tissue_that_absorbs_little_red_for_glass(strength):
    mask = ellipse()
    image = photograph(np.asarray(WHITE) + tissue(strength=strength) * mask[..., None])
    share = FILTERS.get("density")(image, MPP)[mask].mean()
    assert share < 0.3 if strength == 1.0 else share > 0.95


@pytest.mark.parametrize("name", ["green", "grey", "hysteresis", "density", "entropy"])
def test_filters_of_glass_drop_glass(name):
    image, mask = on_glass()
    assert FILTERS.get(name)(image, MPP)[~mask].mean() < 0.05


@pytest.mark.parametrize("name", list(PENS))
def test_a_pen_is_dropped_by_its_own_filter_and_by_pen_and_tissue_is_kept(name):
    image, mask = on_glass()
    line = stroke([(30, 390), (390, 390)], 16)
    image[line] = PENS[name]
    for filters in ((name,), ("pen",)):
        out = dropped(image, filters, MPP)
        assert lost(out, line) < 0.02
        assert (out & mask).sum() < 0.02 * mask.sum()
    others = [other for other in PENS if other != name]
    assert (dropped(image, others, MPP) & line).sum() < 0.05 * line.sum()


@pytest.mark.parametrize("ink", ["red", "green", "blue"])
def test_a_pen_across_the_tissue_is_taken_out_of_the_mask(ink):
    image, mask = on_glass()
    line = stroke([(210, 30), (210, 390)], 14)
    image = photograph(np.asarray(WHITE) + tissue() * mask[..., None] + np.asarray(INKS[ink]) * line[..., None])
    found = tissue_mask(image, mpp=MPP, filters=("pen",))
    away = mask & ~stroke([(210, 30), (210, 390)], 34)
    assert (found & line).sum() < 0.1 * line.sum()
    assert lost(found, away) < 0.03


def test_a_grey_shadow_is_dropped_and_black_nuclei_are_not():
    image, mask = on_glass()
    shadow = ellipse((100, 370), (60, 30)) & ~mask
    image[shadow] = (150, 152, 149)
    black = ellipse((210, 200), (14, 14))
    image[black] = 3
    keep = FILTERS.get("grey")(image, MPP)
    assert not keep[shadow].any()
    assert keep[black].all()
    # As released, black is grey: a hole in the tissue.
    released = ~((image.max(2).astype(int) - image.min(2)) <= 15)
    assert not released[black].any()
    assert lost(tissue_mask(image, mpp=MPP, filters=("grey",)), mask) < 0.04


def test_black_px_are_tissue_for_every_filter_of_colour_and_density():
    image, _ = on_glass()
    black = ellipse((210, 200), (14, 14))
    image[black] = 0
    for name in ("green", "grey", "density", "hysteresis", "pen"):
        assert FILTERS.get(name)(image, MPP)[black].all(), name
    # As released, the sum of three uint8 channels tells tissue from background: 256 wraps to 0.
    assert np.array([86, 85, 85], dtype=np.uint8).sum(dtype=np.uint8) == 0


def test_black_surroundings_are_no_tissue_with_any_filter():
    image, mask = on_glass()
    image[:, :24] = 0
    image[-30:] = 0
    for filters in ((), ("green",), ("grey", "pen")):
        found = tissue_mask(image, mpp=MPP, filters=filters)
        assert not found[:, :20].any()
        assert not found[-26:].any()
        assert lost(found, mask) < 0.05


def test_a_fold_stays_tissue():
    image, mask = on_glass(fold=True)
    fold = stroke([(130, 120), (290, 280)], 14) & mask
    assert lost(tissue_mask(image, mpp=MPP, filters=("pen", "grey", "green")), fold) < 0.02


def test_the_green_threshold_rises_where_it_would_drop_nearly_all():
    image = np.full((40, 40, 3), 245, dtype=np.uint8)
    image[:, :30, 1] = 222  # pale tissue: 75 % of the image, none below 200
    keep = FILTERS.get("green")(image, MPP)
    np.testing.assert_array_equal(keep, np.indices((40, 40))[1] < 30)  # 200 drops all, 228 does not
    few = np.full((40, 40, 3), 255, dtype=np.uint8)
    assert not FILTERS.get("green")(few, MPP).any()  # and it ends


def test_entropy_is_that_of_the_window():
    # 81 different grey levels in each window of 9 x 9: log2(81) = 6.3 bits; two levels: 1 bit at most.
    y, x = np.indices((27, 27))
    many = np.repeat((9 * (y % 9) + x % 9 + 50).astype(np.uint8)[..., None], 3, axis=2)
    two = np.repeat((((x + y) % 2) * 100 + 50).astype(np.uint8)[..., None], 3, axis=2)
    assert FILTERS.get("entropy")(many, MPP)[5:-5, 5:-5].all()
    assert not FILTERS.get("entropy")(two, MPP).any()


def test_single_px_of_an_ink_s_colour_drop_nothing(rng):
    image, _ = on_glass()
    image[rng.uniform(size=image.shape[:2]) < 0.05] = PENS["blue-pen"]
    assert not dropped(image, ["pen"], MPP).any()


@pytest.mark.parametrize("zoom", [2, 1])
def test_sizes_are_in_um(zoom):
    image, _ = on_glass()
    line = stroke([(60, 330), (370, 380)], 12)
    image[line] = PENS["green-pen"]
    found = dropped(image[::zoom, ::zoom], ["green-pen"], MPP * zoom)
    share = found.mean()
    assert share == pytest.approx(dropped(image, ["green-pen"], MPP).mean(), rel=0.15)


def test_without_filters_the_mask_is_what_it_was():
    image, _ = on_glass(GREY)
    np.testing.assert_array_equal(tissue_mask(image, mpp=MPP, filters=()), tissue_mask(image, mpp=MPP))


def test_an_unknown_filter_is_refused():
    with pytest.raises(RegistryError, match=r"no filter called 'pens'. Did you mean 'pen'"):
        tissue_mask(on_glass()[0], mpp=MPP, filters=("pens",))


def test_filters_reach_the_tiles_of_a_slide(tmp_path):
    from PIL import Image

    from histoscribe.io import read

    image, mask = on_glass()
    dot = ellipse((210, 200), (28, 28))  # shorter than the 1 mm from which the mask itself knows pens
    image[dot] = PENS["red-pen"]
    path = tmp_path / "slide.png"
    Image.fromarray(image).save(path)
    section = read("slide", path, mpp=MPP)
    plain, filtered = (tile(section, 160, min_tissue=0.6, tissue_filters=f) for f in ((), ("pen",)))
    assert filtered.n_obs < plain.n_obs
    on_dot = [dot[tuple(np.floor(t.xy).astype(int).T[::-1])].sum() for t in (plain, filtered)]
    assert on_dot[0] > 0
    assert on_dot[1] == 0
    assert section_mask(section, filters=("pen",)) is not section_mask(section)
    assert open_slide(path).size == (SIZE, SIZE)
    assert painted.overlap(section_mask(section).mask, mask) > 0.8
