"""The rules of the development data that are easy to get wrong, each once, on the real files."""

import gzip
import json
import re

import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from histoscribe.core.errors import CoordinateError, DataError
from histoscribe.io import detect_reader, read, read_spec

pytestmark = pytest.mark.shared


def note_count(section, pattern):
    notes = " | ".join(section.table.uns["histoscribe"]["notes"])
    found = re.search(pattern, notes)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("name", ["A1", "A6", "C2", "D5", "E1", "F3", "G2"])
def test_her2st_scale_is_derived_for_each_section(shared_data, name):
    section = read("st-array", shared_data / "her2st", section=name, image="none")
    assert section.mpp == pytest.approx(0.917 if name[0] == "A" else 0.688, rel=0.004)
    assert section.donor == name[0]
    counted = pd.read_csv(shared_data / f"her2st/data/ST-cnts/{name}.tsv.gz", sep="\t", usecols=[0], index_col=0).index
    spots = pd.read_csv(shared_data / f"her2st/data/ST-spotfiles/{name}_selection.tsv", sep="\t")
    names = spots["x"].astype(str) + "x" + spots["y"].astype(str)
    assert list(section.table.obs_names) == [n for n in names if n in set(counted)]
    assert note_count(section, r"(\d+) selected spots have no counts") == (~names.isin(counted)).sum()


def test_her2st_counts_are_the_ones_of_the_file(shared_data):
    section = read("st-array", shared_data / "her2st/data", section="C3", image="none")
    assert note_count(section, r"(\d+) selected spots have no counts") == 2
    with gzip.open(shared_data / "her2st/data/ST-cnts/C3.tsv.gz", "rt") as handle:
        genes = handle.readline().rstrip("\n").split("\t")[1:]
        spot, *values = handle.readline().rstrip("\n").split("\t")
    assert list(section.table.var_names) == genes
    row = list(section.table.obs_names).index(spot)
    assert section.table.layers["counts"][row].toarray().ravel().tolist() == list(map(int, values))


def test_d5_has_a_spot_of_total_count_zero(shared_data):
    section = read("st-array", shared_data / "her2st", section="D5", image="none")
    assert (section.depth == 0).sum() == 1


def test_her2st_image_is_found_and_holds_every_spot(shared_data):
    section = read("st-array", shared_data / "her2st", section="C2")
    assert section.slide.size == (9274, 9911)
    assert section.slide.mpp is None  # its resolution tags are meaningless
    section.slide.close()


def test_masked_pngs_are_scaled_copies(shared_data):
    png = shared_data / "her2st/app/www/imgs/A1_HE_image_dark.png"
    section = read("st-array", shared_data / "her2st", section="A1", image=str(png), scale=2000 / 6954)
    assert section.mpp == pytest.approx(3.19, rel=0.005)
    assert section.slide.size[0] == 2000


@pytest.mark.parametrize(
    ("name", "donor", "n"), [("MOB1", "1", 379), ("MOB2", "1", 407), ("MOB3", "2", 438), ("MOB4", "2", 403)]
)
def test_bulb_sections_keep_what_lies_under_tissue(shared_data, name, donor, n):
    section = read("st-array", shared_data / "mob_st2k", section=name)
    assert (section.n_obs, section.table.n_vars, section.donor, section.species) == (n, 1000, donor, "mouse")
    assert section.mpp == pytest.approx(4.42, rel=0.005)
    assert "Penk" in section.table.var_names  # a symbol, not an Ensembl id


def test_kidney_keeps_its_full_library_size(shared_data):
    root = shared_data / "visium_hd_kidney"
    dzi = root / "upstream/Visium_HD_Human_Kidney_FFPE/pyramid_images/cells.dzi"
    spec = f"h5ad:{root}/derived/section_064um_700genes.h5ad?image={dzi}&mpp=2.0068&donor=K1&depth=total_umi_all_genes"
    section = read_spec(f"{spec}&where=array_col>=56")
    assert section.n_obs == 4482
    assert section.pitch_um == pytest.approx(64.0, rel=0.001)
    assert section.slide.size == (4456, 6000)
    assert (section.depth == section.table.obs["total_umi_all_genes"]).all()
    assert (section.depth > np.asarray(section.table.layers["counts"].sum(1)).ravel()).mean() > 0.99


def test_swapped_columns_of_the_lung_are_refused_by_the_reader(shared_data):
    root = shared_data / "xenium_lung"
    with pytest.raises(CoordinateError, match="They fit when x and y are swapped"):
        read("h5ad", root / "NCBI858.h5ad", image=str(root / "NCBI858.jpg"), mpp=2.0)


@pytest.mark.parametrize(
    ("folder", "n", "mpp"),
    [
        ("squidpy_test", 100, 4.845),
        ("visium_cytassist_mouse_embryo", 2898, 23.39),
        ("visiumio_extdata/10xVisium/section1", 22, 14.24),
        ("visiumio_extdata/10xVisium/section2", 22, 14.24),
    ],
)
def test_visium_folders_of_all_ages(shared_data, folder, n, mpp):
    section = read(None, shared_data / "readers" / folder)
    assert section.n_obs == n
    assert section.mpp == pytest.approx(mpp, rel=0.001)
    # Fiducials are 105 um across, and the reader has compared; positions lie in the image that is used.
    assert (section.xy <= section.slide.size).all()


def test_a_crop_with_positions_of_the_whole_is_refused(shared_data):
    with pytest.raises(CoordinateError, match="12 of 12 observations lie outside the 45 x 77 px image"):
        read("visium", shared_data / "readers/sfe_toys/sample01")


def test_hd_bins_without_a_single_count_are_refused(shared_data):
    folder = shared_data / "readers/visiumio_extdata/binned_outputs/square_002um"
    for path in (folder, folder.parent):
        assert detect_reader(path) == "visium-hd"
        with pytest.raises(DataError, match="holds no counts"):
            read("visium-hd", path, bin_um=2)


@pytest.mark.parametrize(
    ("folder", "platform", "n", "genes", "depth", "mpp"),
    [
        # 3 of its 30 features are controls.
        ("xenium", "xenium", 526, 27, 45_726, 0.2125),
        # The mosaics of both toys are a quarter of the size that microns_per_pixel (0.108) belongs to.
        ("vizgen", "merscope", 100, 347, 31_930, 0.432),
        ("vizgen_cellbound", "merscope", 1058, 49, 73_142, 0.432),
        ("cosmx", "cosmx", 27, 950, 58_588, 0.12028),
    ],
)
def test_folders_of_imaging_platforms(shared_data, folder, platform, n, genes, depth, mpp):
    path = shared_data / "readers/sfe_toys" / folder
    section = read(None, path)
    assert (section.platform, section.n_obs, section.table.n_vars, section.depth.sum()) == (platform, n, genes, depth)
    assert section.mpp == pytest.approx(mpp, rel=1e-3)
    assert section.slide is None
    spots = read(None, path, grid_um=100, grid_from="cells")
    assert spots.depth.sum() == depth
    molecules = read(None, path, grid_um=100)
    assert 0 < molecules.depth.sum() <= note_count(molecules, r"(\d+) molecules are summed")


def test_xenium_pseudo_spots_are_the_sums_of_its_transcripts(shared_data):
    path = shared_data / "readers/sfe_toys/xenium"
    section = read("xenium", path, grid_um=100)
    table = pd.read_parquet(path / "transcripts.parquet")
    table = table[table["feature_name"].isin(section.table.var_names) & (table["qv"] >= 20)]
    squares = pd.DataFrame(
        {"x": table["x_location"] // 100, "y": table["y_location"] // 100, "g": table["feature_name"]}
    )
    expected = squares.value_counts().unstack(fill_value=0)
    found = pd.DataFrame(section.table.layers["counts"].toarray(), columns=section.table.var_names)
    found.index = pd.MultiIndex.from_arrays((section.xy_um // 100).round().T, names=["x", "y"])
    np.testing.assert_array_equal(found.loc[expected.index, expected.columns], expected)
    assert section.n_obs == len(expected)


def test_normalised_values_are_not_taken_for_counts(shared_data):
    with pytest.raises(DataError, match="fractional"):
        read("h5ad", shared_data / "readers/squidpy_test/test_data.h5ad")
    with pytest.raises(DataError, match="fractional"):
        read("h5ad", shared_data / "ra3d/derived/RA1_1.h5ad", image="none", mpp=1.0, coords="array_x,array_y")


def test_a_compressed_h5ad_says_so(shared_data):
    with pytest.raises(DataError, match="gunzip"):
        read("h5ad", shared_data / "dlpfc/151673.h5ad.gz", image="none")


def test_brain_columns_are_lowres_pixels(shared_data, tmp_path):
    path = tmp_path / "151673.h5ad"
    path.write_bytes(gzip.decompress((shared_data / "dlpfc/151673.h5ad.gz").read_bytes()))
    image = shared_data / "dlpfc/10X/151673/tissue_lowres_image.png"
    section = read("h5ad", path, image=str(image), coords="imagecol,imagerow")
    assert section.mpp == pytest.approx(16.13, rel=0.001)
    assert (section.platform, section.pitch_um, section.n_obs) == ("visium", 100.0, 2929)
    with pytest.raises(CoordinateError, match="lie outside the 600 x 600 px image"):
        read("h5ad", path, image=str(image))


def test_a_vendor_slide_states_its_scale(shared_data):
    section = read(None, shared_data / "readers/wsi/CMU-1-Small-Region.svs")
    assert section.mpp == pytest.approx(0.499)
    assert section.n_obs == 0


def test_kidney_bins_pooled_by_the_reader_are_the_squares_pooled_by_hand(shared_data, tmp_path):
    # The bins' own counts of a few genes, as the platform names bins, put into a folder as Space Ranger writes it.
    root = shared_data / "visium_hd_kidney"
    genes = {n: pd.read_parquet(next(root.glob(f"upstream/*/tbg/{n}.parquet")))[n] for n in ("UMOD", "NPHS2", "AQP2")}
    table = pd.concat(genes, axis=1).fillna(0).astype(int)
    folder = tmp_path / "binned_outputs" / "square_008um"
    (folder / "spatial").mkdir(parents=True)
    row, column = (v.ravel() for v in np.mgrid[0:838, 0:838])
    affine = np.loadtxt(root / "derived/affine_xy_from_col_row_1.csv", delimiter=",")
    x, y = affine @ np.stack([column, row, np.ones_like(row)])
    positions = {"barcode": [f"s_008um_{r:05d}_{c:05d}-1" for r, c in zip(row, column, strict=True)], "in_tissue": 1}
    positions |= {"array_row": row, "array_col": column, "pxl_row_in_fullres": y, "pxl_col_in_fullres": x}
    pd.DataFrame(positions).to_parquet(folder / "spatial" / "tissue_positions.parquet", index=False)
    factors = {"bin_size_um": 8.0, "microns_per_pixel": 2.0068}
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(factors))
    matrix = sp.csr_matrix(table.to_numpy())
    with h5py.File(folder / "filtered_feature_bc_matrix.h5", "w") as file:
        group = file.create_group("matrix")
        group["data"], group["indices"], group["indptr"] = matrix.data, matrix.indices, matrix.indptr
        group["shape"], group["barcodes"] = matrix.shape[::-1], table.index.to_numpy().astype("S")
        group["features/id"] = group["features/name"] = np.array(list(genes), dtype="S")

    section = read("visium-hd", tmp_path, pool_um=64, image="none")
    by_hand = read("h5ad", root / "derived/section_064um_700genes.h5ad", image="none", mpp=2.0068)
    assert section.mpp == pytest.approx(2.0068, rel=1e-4)
    names = [f"{n}-1" for n in by_hand.table.obs_names]
    rows = section.table.obs_names.get_indexer(names)
    there = rows >= 0  # a square without any of the three genes has no bin in this matrix
    assert there.mean() > 0.7
    expected = by_hand.table[there, list(genes)].layers["counts"].toarray()
    np.testing.assert_array_equal(section.table[rows[there], list(genes)].layers["counts"].toarray(), expected)
    assert not by_hand.table[~there, list(genes)].layers["counts"].count_nonzero()
    np.testing.assert_allclose(section.xy[rows[there]], by_hand.xy[there], atol=1e-3)
