import gzip

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from PIL import Image

from histoscribe.core.errors import CoordinateError, DataError, GeneError, ScaleError, SlideError
from histoscribe.io import read


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "scan.png"
    Image.fromarray(np.full((300, 400, 3), 200, np.uint8)).save(path)
    return str(path)


@pytest.fixture
def table():
    """Bins of 8 px on a square lattice of 10 x 12, mirrored against the image in x."""
    row, column = (v.ravel() for v in np.meshgrid(np.arange(10), np.arange(12), indexing="ij"))
    counts = np.random.default_rng(0).poisson(2, (120, 5))
    value = ad.AnnData(
        X=sp.csr_matrix(counts.astype(np.float32)),
        obs=pd.DataFrame(
            {"array_row": row, "array_col": column, "all": counts.sum(1) + 7}, index=[f"b{i}" for i in range(120)]
        ),
        var=pd.DataFrame(index=["A", "B", "C", "D", "E"]),
    )
    value.obsm["spatial"] = np.column_stack([300.0 - 8 * column, 20.0 + 8 * row])
    return value


@pytest.fixture
def write(tmp_path):
    def to_file(value, name="bins.h5ad"):
        value.write_h5ad(tmp_path / name)
        return tmp_path / name

    return to_file


def test_image_of_ones_own_with_a_scale(write, table, image):
    section = read(None, write(table), image=image, mpp=2.0, donor="K1", depth="all")
    assert section.mpp == 2.0
    assert section.pitch_um == pytest.approx(16.0)
    assert section.donor == "K1"
    assert (section.depth == table.obs["all"]).all()
    assert section.table.layers["counts"].dtype.kind == "i"
    np.testing.assert_array_equal(section.xy, table.obsm["spatial"])


def test_a_section_without_scale_is_refused_with_the_way_out(write, table, image):
    with pytest.raises(ScaleError, match=r"'bins' has no um/px .*Give mpp=<um per pixel of the image>, or pitch_um="):
        read("h5ad", write(table), image=image)


def test_the_pitch_of_a_square_array_gives_the_scale(write, table, image):
    assert read("h5ad", write(table), image=image, pitch_um=16.0).mpp == pytest.approx(2.0)
    with pytest.raises(ScaleError, match=r"mpp=0\.5 was given, but the square array of 16 um says 2 um/px"):
        read("h5ad", write(table), image=image, pitch_um=16.0, mpp=0.5)


def test_a_library_size_below_the_counts_is_refused(write, table, image):
    table.obs["all"] -= 8
    with pytest.raises(DataError, match="smaller than the sum of the counts in 120 observations"):
        read("h5ad", write(table), image=image, mpp=2.0, depth="all")
    with pytest.raises(DataError, match="has no obs column 'umi'"):
        read("h5ad", write(table), image=image, mpp=2.0, depth="umi")


def visium(table, images):
    row, column = (v.ravel() for v in np.meshgrid(np.arange(10), np.arange(12), indexing="ij"))
    keep = (row + column) % 2 == 0
    spots = table[keep].copy()
    spots.obsm["spatial"] = np.column_stack([40 + 10 * column[keep], 30 + 17.4 * row[keep]])  # 5 um/px
    factors = {"tissue_hires_scalef": 0.5, "tissue_lowres_scalef": 0.2, "spot_diameter_fullres": 13.0}
    spots.uns["spatial"] = {"lib": {"images": images, "scalefactors": factors}}
    return spots


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_the_legacy_slot_brings_image_and_scale(write, table, dtype):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (120, 100, 3)).astype(np.uint8)
    stored = pixels if dtype is np.uint8 else pixels.astype(np.float32) / 255
    section = read("h5ad", write(visium(table, {"hires": stored})))
    assert section.mpp == pytest.approx(10.0)  # 5 um/px at full resolution, hires is half of it
    assert section.xy[0].tolist() == [20.0, 15.0]
    assert (section.platform, section.pitch_um, section.spot_um) == ("visium", 100.0, 55.0)
    np.testing.assert_array_equal(section.slide.thumbnail(max_px=200), pixels)


def test_a_named_image_of_the_slot_is_used(write, table):
    images = {"hires": np.zeros((120, 100, 3), np.uint8), "lowres": np.zeros((48, 40, 3), np.uint8)}
    assert read("h5ad", write(visium(table, images)), image="lowres").mpp == pytest.approx(25.0)


def test_no_image_at_all_says_what_to_give(write, table):
    with pytest.raises(SlideError, match=r"no image in uns\['spatial'\]. Give image="):
        read("h5ad", write(table), mpp=2.0)
    assert read("h5ad", write(table), mpp=2.0, image="none").slide is None


def test_coordinates_from_columns(write, table, image):
    x, y = table.obsm["spatial"].T
    table.obs["px"], table.obs["py"] = x, y
    del table.obsm["spatial"]
    section = read("h5ad", write(table), image=image, mpp=2.0, coords="px,py")
    np.testing.assert_array_equal(section.xy, np.column_stack([x, y]))
    with pytest.raises(CoordinateError, match=r"no coordinates in .*obs has array_row, .*Give coords="):
        read("h5ad", write(table), image=image, mpp=2.0)
    table.obs["x_pixel"], table.obs["y_pixel"] = x, y
    assert "x, y from the obs columns x_pixel, y_pixel" in list(
        read("h5ad", write(table), image=image, mpp=2.0).table.uns["histoscribe"]["notes"]
    )


def test_missing_coordinates_are_counted(write, table, image):
    table.obsm["spatial"][3, 0] = np.nan
    with pytest.raises(CoordinateError, match="1 of 120 observations have no numeric x, y"):
        read("h5ad", write(table), image=image, mpp=2.0)


def test_whole_numbers_are_found_in_the_layer_or_raw(write, table, image):
    raw = table.X.copy()
    table.raw = table.copy()
    table.X = table.X.log1p()
    section = read("h5ad", write(table), image=image, mpp=2.0)
    assert (section.table.layers["counts"] != raw).nnz == 0
    assert "counts from raw" in section.table.uns["histoscribe"]["notes"]
    table.layers["counts"] = raw * 2
    section = read("h5ad", write(table), image=image, mpp=2.0)
    assert (section.table.layers["counts"] != raw * 2).nnz == 0
    with pytest.raises(DataError, match=r"fractional values.*normalised"):
        read("h5ad", write(table), image=image, mpp=2.0, counts="X")
    with pytest.raises(DataError, match="has no counts in 'umi'"):
        read("h5ad", write(table), image=image, mpp=2.0, counts="umi")


@pytest.mark.parametrize(("value", "kind"), [(-1.0, "negative"), (0.5, "fractional"), (np.nan, "NaN")])
def test_values_that_are_no_counts_are_refused(write, table, image, value, kind):
    dense = table.X.toarray()
    dense[4, 1] = value
    table.X = sp.csr_matrix(dense)
    with pytest.raises(DataError, match=rf"X holds 1 {kind}.*observation b4, gene B"):
        read("h5ad", write(table), image=image, mpp=2.0)


def test_an_empty_matrix_is_refused(write, table, image):
    with pytest.raises(DataError, match="holds no counts"):
        read("h5ad", write(table[:, :0].copy()), image=image, mpp=2.0)


def test_duplicates_are_refused(write, table, image):
    table.var_names = ["A", "A", "C", "D", "E"]
    with pytest.raises(GeneError, match=r"1 gene\(s\) more than once \(A\)"):
        read("h5ad", write(table), image=image, mpp=2.0)
    table.var_names = list("ABCDE")
    table.obs_names = ["b0", "b0", *[f"b{i}" for i in range(2, 120)]]
    with pytest.raises(DataError, match=r"1 observation\(s\) more than once \(b0\)"):
        read("h5ad", write(table), image=image, mpp=2.0)


def test_damaged_files_are_one_clear_line(write, table, image):
    path = write(table)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cannot be read.*truncated") as caught:
        read("h5ad", path, image=image, mpp=2.0)
    assert "\n" not in str(caught.value)
    path.write_bytes(gzip.compress(whole))
    with pytest.raises(DataError, match="Run gunzip on it first"):
        read("h5ad", path, image=image, mpp=2.0)
    path.write_bytes(b"not HDF5 at all")
    with pytest.raises(DataError, match="cannot be read"):
        read("h5ad", path, image=image, mpp=2.0)


def test_observations_outside_the_image_are_refused_dropped_or_kept(write, table, image):
    table.obsm["spatial"][:, 0] += 110
    path = write(table)
    with pytest.raises(CoordinateError, match=r"20 of 120 observations lie outside the 400 x 300 px image \(x 322"):
        read("h5ad", path, image=image, mpp=2.0)
    assert read("h5ad", path, image=image, mpp=2.0, outside="drop").n_obs == 100
    assert read("h5ad", path, image=image, mpp=2.0, outside="keep").n_obs == 120


def test_swapped_axes_are_named_where_they_explain_everything(write, table, image):
    table.obsm["spatial"] = table.obsm["spatial"][:, ::-1] + [0, 60]
    with pytest.raises(CoordinateError, match="They fit when x and y are swapped"):
        read("h5ad", write(table), image=image, mpp=2.0)


def test_a_subset_by_a_query_keeps_what_it_says(write, table, image):
    section = read("h5ad", write(table), image=image, mpp=2.0, where="array_col >= 6 and array_row < 5")
    assert section.n_obs == 30
    assert section.origin.options["where"] == "array_col >= 6 and array_row < 5"


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("arraycol >= 6", r"cannot be applied to obs .*columns are array_row, array_col"),
        ("array_col >=", "cannot be applied"),
        ("array_col + 1", "not true or false for each observation"),
        ("array_col > 99", "keeps none of the 120 observations"),
    ],
)
def test_a_query_that_cannot_be_applied_says_why(write, table, image, where, message):
    with pytest.raises(DataError, match=message):
        read("h5ad", write(table), image=image, mpp=2.0, where=where)
