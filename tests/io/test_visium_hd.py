import json
import re

import h5py
import numpy as np
import pandas as pd
import pytest

from histoscribe.core.errors import CoordinateError, DataError, ScaleError
from histoscribe.io import _hd_counts, detect_reader, read

MPP = 4.0
N_ROW, N_COL = 22, 27  # bins of 2 um: the last squares of 8 um are cut in both directions
GENES = ("ACTB", "GAPDH", "KRT8", "MT-CO1", "GAPDH")


def lattice(size, n_row, n_col):
    """All bins of an array that is mirrored in x and turned by 2 degrees, as Space Ranger lists them."""
    row, column = (v.ravel() for v in np.meshgrid(np.arange(n_row), np.arange(n_col), indexing="ij"))
    step, c, s = size / MPP, np.cos(np.radians(2)), np.sin(np.radians(2))
    return pd.DataFrame(
        {
            "barcode": [f"s_{size:03d}um_{r:05d}_{k:05d}-1" for r, k in zip(row, column, strict=True)],
            "in_tissue": ((row > 0) & (column < n_col - 1)).astype("int32"),
            "array_row": row,
            "array_col": column,
            "pxl_row_in_fullres": 10 + step * ((row + 0.5) * c + (column + 0.5) * s),
            "pxl_col_in_fullres": 40 + step * ((row + 0.5) * s - (column + 0.5) * c),
        }
    )


def write_bins(outs, size, positions, counts, made, **factors):
    folder = outs / "binned_outputs" / f"square_{size:03d}um"
    (folder / "spatial").mkdir(parents=True)
    positions.to_parquet(folder / "spatial" / "tissue_positions.parquet", index=False)
    # As in real files: bins in no order.
    shuffled = counts.sample(frac=1, random_state=0)
    made.write_matrix_h5(folder / "filtered_feature_bc_matrix.h5", shuffled)
    stated = {
        "bin_size_um": float(size),
        "microns_per_pixel": MPP,
        "spot_diameter_fullres": size / MPP,
        "fiducial_diameter_fullres": 300.0,
        "tissue_hires_scalef": 1.0,
        "tissue_lowres_scalef": 0.5,
    } | factors
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(stated))
    made.write_image(folder / "spatial" / "tissue_hires_image.png", 60, 60)
    return folder


@pytest.fixture
def bins(made):
    """Counts of all 2 um bins under tissue but an empty corner, which the matrix does not list."""
    positions = lattice(2, N_ROW, N_COL)
    there = (positions["in_tissue"] == 1) & ~((positions["array_row"] < 8) & (positions["array_col"] < 12))
    values = np.random.default_rng(1).poisson(0.4, (int(there.sum()), len(GENES)))
    return positions, pd.DataFrame(values, index=positions["barcode"][there], columns=list(GENES))


@pytest.fixture
def hd(tmp_path, bins, made):
    """outs with 2 um bins, and 8 um bins that are their sums as Space Ranger makes them."""
    outs = tmp_path / "kidney" / "outs"
    positions, counts = bins
    write_bins(outs, 2, positions, counts, made)
    numbers = counts.index.str.extract(r"s_002um_(\d+)_(\d+)-1").astype(int) // 4
    names = [f"s_008um_{r:05d}_{c:05d}-1" for r, c in numbers.to_numpy()]
    write_bins(outs, 8, lattice(8, 6, 7).assign(in_tissue=1), counts.groupby(names).sum(), made)
    return outs


def matrix_of(section):
    return pd.DataFrame(section.table.layers["counts"].toarray(), section.table.obs_names, section.table.var_names)


def merged(counts):
    return counts.T.groupby(level=0, sort=False).sum().T


def test_exactly_one_reader_knows_an_hd_folder(hd):
    folder = hd / "binned_outputs" / "square_008um"
    for path in (hd.parent, hd, hd / "binned_outputs", folder):
        assert detect_reader(path) == "visium-hd"
    # Renamed, it says so itself.
    assert detect_reader(folder.rename(hd.parent / "bins")) == "visium-hd"


def test_eight_um_bins_are_the_default(hd):
    section = read(None, hd)
    assert (section.platform, section.name, section.spot_um, section.pitch_um) == ("visium-hd", "kidney", 8.0, 8.0)
    assert section.mpp == pytest.approx(MPP)
    assert section.species == "human"
    assert list(section.table.var_names) == ["ACTB", "GAPDH", "KRT8", "MT-CO1"]


def test_bins_lie_where_their_positions_say(hd, bins):
    section = read("visium-hd", hd, bin_um=2)
    positions, counts = bins
    pd.testing.assert_frame_equal(
        matrix_of(section), merged(counts).loc[section.table.obs_names], check_dtype=False, check_names=False
    )
    expected = positions.set_index("barcode").loc[section.table.obs_names]
    np.testing.assert_allclose(section.xy, expected[["pxl_col_in_fullres", "pxl_row_in_fullres"]], atol=1e-9)
    np.testing.assert_array_equal(
        section.table.obs[["array_row", "array_col"]], expected[["array_row", "array_col"]].to_numpy()
    )


def test_pooling_two_um_bins_gives_the_eight_um_bins(hd):
    pooled, own = read("visium-hd", hd, bin_um=2, pool_um=8), read("visium-hd", hd)
    assert list(pooled.table.obs_names) == list(own.table.obs_names)
    pd.testing.assert_frame_equal(matrix_of(pooled), matrix_of(own))
    np.testing.assert_allclose(pooled.xy, own.xy, atol=1e-9)
    # 22 x 27 bins: row 0 and column 26 are off the tissue.
    n = pooled.table.obs["n_bins"]
    assert (n["s_008um_00003_00004-1"], n["s_008um_00005_00004-1"], n["s_008um_00003_00006-1"]) == (16, 8, 8)
    assert pooled.table.obs["in_tissue"].eq(1).all()


def test_empty_bins_do_not_shift_the_squares(hd):
    section = read("visium-hd", hd, bin_um=2, pool_um=8)
    # The corner of 2 x 3 squares has no counts; its neighbours keep their own row and column.
    present = set(section.table.obs_names)
    assert not present & {f"s_008um_{r:05d}_{c:05d}-1" for r in range(2) for c in range(3)}
    assert section.n_obs == 6 * 7 - 6
    row, column = section.table.obs["array_row"], section.table.obs["array_col"]
    assert (row.min(), row.max(), column.min(), column.max()) == (0, 5, 0, 6)
    assert row["s_008um_00002_00000-1"] == 2


def test_pooling_twice_is_pooling_once(hd):
    once, twice = read("visium-hd", hd, bin_um=2, pool_um=16), read("visium-hd", hd, bin_um=8, pool_um=16)
    pd.testing.assert_frame_equal(matrix_of(once), matrix_of(twice))
    np.testing.assert_allclose(once.xy, twice.xy, atol=1e-9)


def test_chunks_do_not_matter(hd, monkeypatch):
    whole = read("visium-hd", hd, bin_um=2, pool_um=6)
    for name, value in (("_CHUNK_VALUES", 7), ("_CHUNK_BINS", 5), ("_WAITING", 20), ("_PARTS", 3)):
        monkeypatch.setattr(_hd_counts, name, value)
    pd.testing.assert_frame_equal(matrix_of(read("visium-hd", hd, bin_um=2, pool_um=6)), matrix_of(whole))


def test_a_folder_of_matrix_market_gives_the_same(hd, bins, made):
    folder = hd / "binned_outputs" / "square_002um"
    expected = matrix_of(read("visium-hd", hd, bin_um=2, pool_um=8))
    (folder / "filtered_feature_bc_matrix.h5").unlink()
    made.write_matrix_folder(folder / "filtered_feature_bc_matrix", bins[1])
    pd.testing.assert_frame_equal(matrix_of(read("visium-hd", folder, pool_um=8)), expected)


def test_a_region_is_the_part_of_the_whole(hd):
    whole = read("visium-hd", hd, bin_um=2, pool_um=4)
    part = read("visium-hd", hd, bin_um=2, pool_um=4, region="110,60,150,90um")
    inside = ((whole.xy_um >= (110, 60)) & (whole.xy_um < (150, 90))).all(1)
    assert 0 < part.n_obs < whole.n_obs
    pd.testing.assert_frame_equal(matrix_of(part), matrix_of(whole)[inside])
    same = read("visium-hd", hd, bin_um=2, pool_um=4, region="27.5,15,37.5,22.5px")
    assert list(same.table.obs_names) == list(part.table.obs_names)


@pytest.mark.parametrize("region", ["1,2,3,4", "30,0,20,10um", "left"])
def test_a_region_without_unit_or_extent_is_refused(hd, region):
    with pytest.raises(CoordinateError, match=re.escape(f"region={region!r} is not x0,y0,x1,y1 with a unit")):
        read("visium-hd", hd, region=region)


def test_a_region_beside_the_array_says_where_the_array_is(hd):
    with pytest.raises(CoordinateError, match=r"nothing lies in region='900,.*reach from \d+,\d+ to \d+,\d+ um"):
        read("visium-hd", hd, region="900,900,1000,1000um")


def test_reduced_images_scale_positions_and_resolution(hd, made):
    made.write_image(hd / "spatial" / "tissue_lowres_image.png", 30, 30)
    small, full = read("visium-hd", hd, image="lowres"), read("visium-hd", hd, image="hires")
    assert small.mpp == pytest.approx(2 * full.mpp)
    np.testing.assert_allclose(small.xy_um, full.xy_um)
    assert full.table.uns["histoscribe"]["scale_factors"] == [1.0, 0.5]


def test_bins_off_the_tissue_come_on_request(hd, made):
    positions = lattice(8, 6, 7)  # of which one row and one column are off the tissue
    folder = hd / "binned_outputs" / "square_008um"
    positions.to_parquet(folder / "spatial" / "tissue_positions.parquet", index=False)
    counts = made.counts_of(positions["barcode"], GENES)
    made.write_matrix_h5(folder / "raw_feature_bc_matrix.h5", counts)
    everything = read("visium-hd", hd, matrix="raw", in_tissue=False, image="none")
    assert (everything.n_obs, int(everything.table.obs["in_tissue"].sum())) == (42, 30)
    tissue = read("visium-hd", hd, matrix="raw", image="none")
    assert tissue.n_obs == 30
    assert any("12 of 42 bins of the matrix lie off the tissue" in n for n in tissue.table.uns["histoscribe"]["notes"])


def test_array_places_counted_anew_are_noticed(hd):
    path = hd / "binned_outputs" / "square_008um" / "spatial" / "tissue_positions.parquet"
    table = pd.read_parquet(path)
    table["array_row"] = table["array_row"].rank(method="dense").astype(int)
    table.to_parquet(path, index=False)
    with pytest.raises(
        CoordinateError, match=r"puts 42 bins elsewhere than their names say, e.g. s_008um_00000_00000-1"
    ):
        read("visium-hd", hd)


def test_a_scale_that_contradicts_the_lattice_is_refused(hd):
    path = hd / "binned_outputs" / "square_008um" / "spatial" / "scalefactors_json.json"
    path.write_text(path.read_text().replace('"microns_per_pixel": 4.0', '"microns_per_pixel": 0.5'))
    with pytest.raises(ScaleError, match=r"positions say 4 um/px, scalefactors_json.json 0.5"):
        read("visium-hd", hd)
    with pytest.raises(ScaleError, match=r"mpp=1 was given, but the array of 2 um bins says 4 um/px"):
        read("visium-hd", hd, bin_um=2, mpp=1)


def test_sizes_that_do_not_exist_are_named(hd):
    with pytest.raises(DataError, match=r"has no 16 um bins, only 2, 8 um. Give bin_um=2"):
        read("visium-hd", hd, bin_um=16)
    with pytest.raises(ScaleError, match=r"pool_um=20 is not a multiple of the 8 um bins. Give e.g. pool_um=16"):
        read("visium-hd", hd, pool_um=20)
    with pytest.raises(DataError, match="has no binned_outputs/square_008um"):
        read("visium-hd", hd.parents[1])


def test_too_much_for_memory_is_refused_before_it_is_read(hd):
    with pytest.raises(DataError, match=r"2 um squares take .* GB .*pool_um=8.*region=x0,y0,x1,y1um"):
        read("visium-hd", hd, bin_um=2, max_gb=1e-6)
    with pytest.raises(DataError, match=r"4 um squares take .* GB .*pool_um=16"):
        read("visium-hd", hd, bin_um=2, pool_um=4, max_gb=1e-6)


def test_a_damaged_matrix_is_one_clear_line(hd):
    path = hd / "binned_outputs" / "square_008um" / "filtered_feature_bc_matrix.h5"
    with h5py.File(path, "a") as file:
        data = file["matrix/data"][:]
        del file["matrix/data"]
        file["matrix/data"] = data[:-3]
    with pytest.raises(DataError, match=r"is inconsistent: .* Copy or download it again"):
        read("visium-hd", hd)
    with h5py.File(path, "a") as file:
        del file["matrix/data"]
        file["matrix/data"] = data - 1.5
    with pytest.raises(DataError, match="negative, fractional or NaN"):
        read("visium-hd", hd)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match=r"feature-barcode matrix .* cannot be read") as caught:
        read("visium-hd", hd)
    assert "\n" not in str(caught.value)


def test_bins_named_twice_are_refused(hd):
    path = hd / "binned_outputs" / "square_008um" / "filtered_feature_bc_matrix.h5"
    with h5py.File(path, "a") as file:
        barcodes = file["matrix/barcodes"]
        barcodes[1] = barcodes[0]
    with pytest.raises(DataError, match=r"names 1 barcode\(s\) more than once"):
        read("visium-hd", hd)


def test_barcodes_of_plain_visium_are_refused(hd, made):
    path = hd / "binned_outputs" / "square_008um" / "filtered_feature_bc_matrix.h5"
    made.write_matrix_h5(path, made.counts_of(["AAACAAGTATCTCCCA-1", "AAACACCAATAACTGC-1"]))
    with pytest.raises(DataError, match=r"names 2 bins in another way .*'AAACAAGTATCTCCCA-1'"):
        read("visium-hd", hd)


@pytest.fixture
def segmented(hd, made):
    folder = hd / "segmented_outputs"
    (folder / "spatial").mkdir(parents=True)
    square = [[10, 20], [14, 20], [14, 24], [10, 24], [10, 20]]
    triangle = [[30, 30], [36, 30], [30, 36], [30, 30]]
    shapes = {7: square, 12: triangle, 99: square}
    features = [
        {"type": "Feature", "properties": {"cell_id": k}, "geometry": {"type": "Polygon", "coordinates": [v]}}
        for k, v in shapes.items()
    ]
    text = json.dumps({"type": "FeatureCollection", "features": features}, indent=1)
    (folder / "cell_segmentations.geojson").write_text(text)
    names = ["cellid_000000012-1", "cellid_000000007-1", "cellid_000000033-1"]
    made.write_matrix_h5(folder / "filtered_feature_cell_matrix.h5", made.counts_of(names))
    factors = {"microns_per_pixel": MPP, "tissue_hires_scalef": 1.0}
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
    made.write_image(folder / "spatial" / "tissue_hires_image.png", 60, 60)
    return folder


@pytest.mark.parametrize("up", [0, 1, 2])
def test_segmented_cells_lie_at_their_centroids(segmented, up):
    section = read("visium-hd", [segmented, *segmented.parents][up], cells=True)
    assert list(section.table.obs_names) == ["cellid_000000012-1", "cellid_000000007-1"]
    np.testing.assert_allclose(section.xy, [[32, 32], [12, 22]])
    np.testing.assert_allclose(section.table.obs["area_um2"], [18 * 16, 16 * 16])
    assert (section.mpp, section.name, section.spot_um) == (MPP, "kidney", None)
    assert any("1 cells of the matrix have no outline" in n for n in section.table.uns["histoscribe"]["notes"])


def test_cut_outlines_are_one_clear_line(segmented):
    path = segmented / "cell_segmentations.geojson"
    path.write_text(path.read_text()[:-40])
    with pytest.raises(DataError, match="are not complete GeoJSON"):
        read("visium-hd", segmented, cells=True)
    path.write_text('{"type": "FeatureCollection"}')
    with pytest.raises(DataError, match="no list of features"):
        read("visium-hd", segmented, cells=True)


def test_cells_have_no_bins(segmented):
    with pytest.raises(DataError, match="cells=true reads segmented cells, which have no bin_um or pool_um"):
        read("visium-hd", segmented, cells=True, pool_um=8)
