import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from PIL import Image
from scipy import ndimage

from histoscribe.core.errors import CoordinateError
from histoscribe.core.section import Section
from histoscribe.testing import ArraySlide
from histoscribe.tiles.check import check
from histoscribe.tiles.check_transform import IDENTITY, Transformation, pitch_px, symmetries

MPP, WIDTH, HEIGHT, PITCH = 4.0, 600, 450, 25.0


def texture(rng, shape, sigma):
    field = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    return (field - field.mean()) / field.std()


@pytest.fixture(scope="module")
def tissue():
    """An outline without any symmetry, on a white slide."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    body = ((x - 230) / 170) ** 2 + ((y - 250) / 130) ** 2 < 1
    arm = ((x - 420) / 110) ** 2 + ((y - 150) / 60) ** 2 < 1
    return body | arm


def painted(mask, seed=0):
    """Pink tissue, darker here and there over about 100 um, on white glass; and its darkness."""
    rng = np.random.default_rng(seed)
    dark = texture(rng, mask.shape, 8)
    pixels = np.full((*mask.shape, 3), 243.0)
    for channel, (base, depth) in enumerate(((205, 28), (130, 35), (180, 22))):
        pixels[..., channel] = np.where(mask, base - depth * dark, pixels[..., channel])
    pixels += rng.normal(0, 3, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8), dark


def spots(pixels, dark, mask, *, follows=True, seed=1, pitch_um=PITCH * MPP):
    """Spots on a square array over `mask`; half of the genes follow the darkness, unless `follows` is False."""
    rng = np.random.default_rng(seed)
    column, row = (v.ravel() for v in np.meshgrid(np.arange(23), np.arange(17)))
    xy = np.column_stack([20 + PITCH * column, 15 + PITCH * row])
    at = xy.astype(int)
    keep = mask[at[:, 1], at[:, 0]]
    xy, at, column, row = xy[keep], at[keep], column[keep], row[keep]
    driver = dark[at[:, 1], at[:, 0]] if follows else rng.normal(size=len(at))
    slope = np.repeat([0.6, -0.6, 0.0], 10)
    counts = rng.poisson(8 * np.exp(driver[:, None] * slope))
    return section_of(pixels, xy, counts, pitch_um=pitch_um, obs={"array_row": row, "array_col": column})


def section_of(pixels, xy, counts, *, pitch_um=None, spot_um=None, obs=None, mpp=MPP):
    index = [f"s{i}" for i in range(len(xy))]
    table = AnnData(
        obs=pd.DataFrame(obs or {}, index=index), var=pd.DataFrame(index=[f"g{i}" for i in range(counts.shape[1])])
    )
    table.layers["counts"] = sp.csr_matrix(counts)
    table.obs["total_counts"] = counts.sum(1).astype(float)
    table.obsm["spatial"] = np.asarray(xy, dtype=float)
    slide = ArraySlide(pixels, mpp=None)
    return Section(table, slide, mpp, "toy", "d", pitch_um=pitch_um, spot_um=spot_um)


def moved(section, xy, **changes):
    table = section.table.copy()
    table.obsm["spatial"] = np.asarray(xy, dtype=float)
    return section.replace(table=table, **changes)


@pytest.fixture(scope="module")
def good(tissue):
    return spots(*painted(tissue), tissue)


def recorded_as(section, truth):
    """Coordinates that `truth` turns into the right ones."""
    places = Transformation(truth.swap, truth.flip_x, truth.flip_y)
    xy, size = section.xy, section.slide.size
    x = size[0] - xy[:, 0] if places.flip_x else xy[:, 0]
    y = size[1] - xy[:, 1] if places.flip_y else xy[:, 1]
    return np.column_stack([y, x] if places.swap else [x, y])


def test_right_coordinates_are_confirmed(good):
    report = check(good)
    assert report.verdict == "ok"
    assert report.ok
    assert report.share_on_tissue > 0.95
    assert report.recorded.z > 5
    assert report.suggestion is None
    assert report.pitch_um == pytest.approx(100.0)
    assert report.raise_for_problems() is report
    assert report.apply(good) is good


@pytest.mark.parametrize("truth", [t for t in symmetries() if t != IDENTITY], ids=lambda t: t.name)
def test_every_symmetry_is_found_and_undone(good, truth):
    wrong = moved(good, recorded_as(good, truth))
    report = check(wrong)
    assert report.verdict == "wrong"
    assert report.suggestion.transformation == truth
    assert report.suggestion.share > 0.95
    np.testing.assert_allclose(report.apply(wrong).xy, good.xy, atol=1e-9)
    with pytest.raises(CoordinateError, match=truth.name):
        report.raise_for_problems()


def test_flips_are_found_where_the_whole_image_is_tissue():
    everywhere = np.ones((HEIGHT, WIDTH), dtype=bool)
    section = spots(*painted(everywhere), everywhere)
    assert check(section).verdict == "ok"
    x, y = section.xy.T
    report = check(moved(section, np.column_stack([WIDTH - x, y])))
    assert report.suggestion.name == "flip x"


def test_nothing_is_claimed_where_nothing_can_be_told():
    everywhere = np.ones((HEIGHT, WIDTH), dtype=bool)
    section = spots(*painted(everywhere), everywhere, follows=False)
    report = check(section)
    assert report.verdict == "cannot tell"
    assert not report.ok
    assert report.problems == ()
    assert "does not confirm" in report.reason
    report.raise_for_problems()


def test_the_outline_decides_without_counts(good):
    table = good.table.copy()
    del table.layers["counts"]
    bare = good.replace(table=table)
    assert check(bare).verdict == "ok"
    x, y = bare.xy.T
    report = check(moved(bare, np.column_stack([WIDTH - x, y])))
    assert report.suggestion.name == "flip x"
    assert report.evidence == "share on tissue only"


@pytest.mark.parametrize("factor", [0.15, 6.67])
def test_coordinates_of_another_resolution_are_found_from_the_pitch(good, factor):
    wrong = moved(good, good.xy * factor)
    report = check(wrong)
    assert report.verdict == "wrong"
    assert report.suggestion.transformation.scale == pytest.approx(1 / factor, rel=0.01)
    assert "neighbours are" in " ".join(report.problems)
    fixed = report.apply(wrong)
    np.testing.assert_allclose(fixed.xy, good.xy, atol=0.3 * PITCH)
    assert fixed.mpp == pytest.approx(MPP, rel=0.01)


@pytest.mark.parametrize("factor", [0.15, 6.67])
def test_coordinates_of_another_image_are_found_although_the_pitch_is_right(good, factor):
    # Derived from the coordinates, um/px is wrong by the same factor and the pitch comes out right.
    wrong = moved(good, good.xy * factor, mpp=MPP / factor)
    report = check(wrong)
    assert report.verdict == "wrong"
    assert report.suggestion.transformation.scale == pytest.approx(1 / factor, rel=0.01)
    assert report.apply(wrong).mpp == pytest.approx(MPP, rel=0.01)


def test_factors_of_the_folder_are_tried(good):
    table = good.table.copy()
    table.uns["histoscribe"] = {"scale_factors": [0.17, 0.4]}
    wrong = moved(good.replace(table=table), good.xy / 0.17, mpp=MPP * 0.17)
    assert check(wrong).suggestion.transformation.scale == 0.17


def test_a_shift_is_found(good):
    report = check(moved(good, good.xy + np.array((2 * PITCH, 0))))
    assert report.verdict == "wrong"
    assert report.suggestion.transformation.shift == pytest.approx((-2 * PITCH, 0))


def test_a_wrong_resolution_is_told_from_wrong_coordinates(good):
    report = check(good.replace(mpp=1.0))
    assert report.verdict == "wrong"
    assert report.suggestion is None
    assert report.problems == ("neighbours are 25 um apart at 1 um/px, but 100 um on this array: um/px should be 4.",)


def cells(seed=0, n=400):
    """Dark nuclei on pink tissue that fills the image, and cells at the nuclei."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(10, (WIDTH - 10, HEIGHT - 10), (4 * n, 2))
    ink = np.zeros((HEIGHT, WIDTH))
    np.add.at(ink, (xy[:, 1].astype(int), xy[:, 0].astype(int)), 1.0)
    ink = np.minimum(ndimage.gaussian_filter(ink, 2.0) * 25, 1.0)
    pixels = np.clip(np.array([215, 150, 190]) - 110 * ink[..., None] + rng.normal(0, 4, (HEIGHT, WIDTH, 3)), 0, 255)
    counts = rng.poisson(1.0, (n, 12))
    counts[:, 0] += 1
    return section_of(pixels.astype(np.uint8), xy[:n], counts, mpp=2.0)


def test_cells_are_judged_by_their_nuclei():
    report = check(cells())
    assert report.verdict == "ok"
    assert report.evidence.startswith("darkness at cell centres")


def test_swapped_columns_of_cells_are_noticed():
    section = cells()
    report = check(moved(section, section.xy[:, ::-1]))
    assert report.verdict == "wrong"
    assert report.suggestion.name == "swap x and y"
    assert "of the observations lie outside the image" in report.problems[0]


def test_a_section_without_slide_or_observations_is_not_called_ok(good):
    assert check(good.replace(slide=None)).verdict == "cannot tell"
    assert check(good.subset(np.zeros(good.n_obs, dtype=bool))).verdict == "cannot tell"


def test_the_report_is_plain_json(good):
    x, y = good.xy.T
    report = check(moved(good, np.column_stack([WIDTH - x, y])))
    value = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert value["suggestion"]["name"] == "flip x"
    assert len(value["candidates"]) == 8


def test_the_check_gives_the_same_answer_twice(good):
    assert check(good).to_dict() == check(good).to_dict()


def test_the_overlay_is_a_picture_and_twice_as_wide_with_a_suggestion(good, tmp_path):
    x, y = good.xy.T
    flipped = moved(good, np.column_stack([WIDTH - x, y]))
    check(good).overlay(tmp_path / "one.png")
    check(flipped).overlay(tmp_path / "two.png")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "two.png") as two:
        assert two.size[0] > 1.8 * one.size[0]
        assert len(one.convert("RGB").getcolors(1 << 24)) > 100


def test_pitch_comes_from_the_array_and_not_from_what_was_sampled(good):
    few = good.subset(np.arange(0, good.n_obs, 7))
    assert pitch_px(few) == pytest.approx(PITCH)
    rng = np.random.default_rng(0)
    scattered = moved(good, rng.uniform(0, 400, (good.n_obs, 2)))
    scattered.table.obs.drop(columns=["array_row", "array_col"], inplace=True)
    assert pitch_px(scattered) is None
