"""The same folders read by scanpy and spatialdata-io: the same matrix, the same places.

Most of the small folders lack a file that spatialdata-io insists on, though it takes no number from it that is compared
here; a copy made of links is given that file. What cannot be compared, and why: `sfe_toys/sample01` and `sample02` (we
refuse them: their positions are those of the uncropped image), `visiumio_extdata` HD (holds no counts; a made folder of
bins is compared instead), squidpy's readers (not installed; it needs a newer Python than ours).
"""

import gzip
import json
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest

from histoscribe.io import read

FACTORS = {"tissue_hires_scalef": 1.0, "tissue_lowres_scalef": 0.5, "fiducial_diameter_fullres": 300.0}


@pytest.fixture(scope="module")
def sc():
    return pytest.importorskip("scanpy")


@pytest.fixture(scope="module")
def sdio():
    return pytest.importorskip("spatialdata_io")


def linked(source, target, strip=""):
    """Make a folder of links, so that files can be added to it."""
    target.mkdir(parents=True)
    for path in source.iterdir():
        (target / path.name.removeprefix(strip)).symlink_to(path)
    return target


def frame(table, counts=None):
    matrix = table.X if counts is None else counts
    dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    return pd.DataFrame(dense, table.obs_names.astype(str), table.var_names.astype(str))


def assert_same(section, peer, xy):
    """Compare counts of our observations and genes; symbols that the peer has twice are summed, as we do."""
    ours = frame(section.table, section.table.layers["counts"])
    theirs = frame(peer).T.groupby(level=0).sum().T.loc[ours.index, ours.columns]
    np.testing.assert_array_equal(ours.to_numpy(), theirs.to_numpy())
    rows = pd.Index(peer.obs_names.astype(str)).get_indexer(ours.index)
    np.testing.assert_allclose(section.xy, np.asarray(xy, dtype=float)[rows], atol=1e-6)


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
def test_a_visium_folder_is_what_scanpy_and_spatialdata_io_read(shared_data, sc, sdio):
    folder = shared_data / "readers/squidpy_test"
    section = read("visium", folder, image="none", in_tissue=False)
    peer = sc.read_visium(folder)
    assert_same(section, peer, peer.obsm["spatial"])
    other = sdio.visium(folder, dataset_id="x", counts_file="filtered_feature_bc_matrix.h5").tables["table"]
    assert_same(section, other, other.obsm["spatial"])


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("folder", "matrix", "positions"),
    [
        ("visium_cytassist_mouse_embryo", "filtered_feature_bc_matrix", "tissue_positions.csv"),
        ("visiumio_extdata/10xVisium/section1/outs", "raw_feature_bc_matrix", "tissue_positions_list.csv"),
        ("visiumio_extdata/10xVisium/section2/outs", "raw_feature_bc_matrix", "tissue_positions_list.csv"),
    ],
)
def test_matrix_folders_are_what_scanpy_reads(shared_data, sc, folder, matrix, positions, tmp_path):
    # Neither peer reads these whole: both want filtered_feature_bc_matrix.h5.
    outs = shared_data / "readers" / folder
    source = outs / matrix
    if not (source / "matrix.mtx.gz").exists():
        source = linked(source, tmp_path / "matrix")
        for path in list(source.iterdir()):
            (source / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()
    peer = sc.read_10x_mtx(source, make_unique=False)
    table = pd.read_csv(outs / "spatial" / positions, header=0 if positions == "tissue_positions.csv" else None)
    table = table.set_index(table.columns[0])
    # Section 2 has a spot in the matrix that its positions lack; we leave it out and say so.
    peer = peer[peer.obs_names.isin(table.index)].copy()
    xy = table.loc[peer.obs_names].iloc[:, [4, 3]]
    # A path, since the h5 beside the folder would be read first.
    section = read("visium", outs, image="none", in_tissue=False, matrix=str(outs / matrix))
    assert section.n_obs == peer.n_obs
    assert_same(section, peer, xy)


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
def test_xenium_is_what_spatialdata_io_reads(shared_data, sdio, tmp_path):
    folder = linked(shared_data / "readers/sfe_toys/xenium", tmp_path / "xenium")
    # From 1.3 on, spatialdata-io takes the names of cells from cells.zarr.zip, which is not in this folder; before, it
    # opens the file and takes nothing from it.
    with zipfile.ZipFile(folder / "cells.zarr.zip", "w") as store:
        store.writestr("zarr.json", json.dumps({"zarr_format": 3, "node_type": "group", "attributes": {}}))
    about = {"pixel_size": 0.2125, "analysis_sw_version": "xenium-1.2.0", "region_name": "r", "run_name": "n"}
    (folder / "experiment.xenium").write_text(json.dumps(about))
    off = dict.fromkeys(
        ("cells_boundaries", "nucleus_boundaries", "cells_labels", "nucleus_labels", "transcripts"), False
    ) | dict.fromkeys(("morphology_mip", "morphology_focus", "aligned_images"), False)
    peer = sdio.xenium(folder, cells_as_circles=True, **off).tables["table"]
    peer.obs_names = peer.obs["cell_id"].astype(str)
    section = read("xenium", folder)
    assert section.n_obs == peer.n_obs
    assert_same(section, peer, peer.obsm["spatial"] / 0.2125)


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["vizgen", "vizgen_cellbound"])
def test_merscope_is_what_spatialdata_io_reads(shared_data, sdio, tmp_path, name):
    folder = linked(shared_data / "readers/sfe_toys" / name, tmp_path / name, strip="Liver1Slice1_")
    images = folder / "images"
    images.unlink()
    images.mkdir()
    (images / "micron_to_mosaic_pixel_transform.csv").write_text("2 0 100\n0 2 80\n0 0 1\n")
    peer = sdio.merscope(folder, mosaic_images=False, transcripts=False, cells_boundaries=False).tables["table"]
    section = read("merscope", folder)
    assert (section.n_obs, section.table.n_vars) == peer.shape
    assert_same(section, peer, peer.obsm["spatial"] * 2 + (100, 80))


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore")
def test_cosmx_is_what_spatialdata_io_reads(shared_data, sdio, tmp_path):
    folder = linked(shared_data / "readers/sfe_toys/cosmx", tmp_path / "cosmx")
    for name in ("CellComposite", "CellLabels"):
        (folder / name).mkdir()
    (folder / "Run5642_S3_Quarter_fov_positions_file.csv").write_text("fov,x_global_px,y_global_px\n1,0,0\n")
    peer = sdio.cosmx(folder, transcripts=False).tables["table"]
    # Theirs are called <cell>_<fov>, ours <fov>_<cell>; negative probes are genes to them.
    peer.obs_names = [f"{fov}_{cell}" for cell, fov in (n.split("_") for n in peer.obs_names)]
    section = read("cosmx", folder)
    assert section.n_obs == peer.n_obs
    assert set(peer.var_names) - set(section.table.var_names) == {f"NegPrb{i}" for i in range(1, 11)}
    assert_same(section, peer, peer.obsm["global"])


@pytest.mark.filterwarnings("ignore")
def test_hd_bins_are_what_spatialdata_io_reads(sdio, tmp_path, made):
    outs = tmp_path / "outs"
    folder = outs / "binned_outputs" / "square_008um"
    (folder / "spatial").mkdir(parents=True)
    row, column = (v.ravel() for v in np.meshgrid(np.arange(7), np.arange(9), indexing="ij"))
    names = [f"s_008um_{r:05d}_{c:05d}-1" for r, c in zip(row, column, strict=True)]
    positions = pd.DataFrame(
        {
            "barcode": names,
            "in_tissue": 1,
            "array_row": row,
            "array_col": column,
            "pxl_row_in_fullres": 12.5 + 2.0 * row,
            "pxl_col_in_fullres": 50.25 - 2.0 * column,
        }
    )
    positions.to_parquet(folder / "spatial" / "tissue_positions.parquet", index=False)
    counts = made.counts_of(names).sample(frac=0.8, random_state=1)
    made.write_matrix_h5(folder / "filtered_feature_bc_matrix.h5", counts)
    stated = {"bin_size_um": 8.0, "microns_per_pixel": 4.0, "spot_diameter_fullres": 2.0} | FACTORS
    (folder / "spatial" / "scalefactors_json.json").write_text(json.dumps(stated))
    with h5py.File(outs / "feature_slice.h5", "w") as file:
        unit = [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
        keys = [f"{a}_colrow_to_{b}_colrow" for a, b in (("spot", "cytassist"), ("spot", "microscope"))]
        keys += [f"{b}_colrow_to_{a}_colrow" for a, b in (("spot", "cytassist"), ("spot", "microscope"))]
        layout = {"transform": unit, "file_format": "1.0"}
        about = {"hd_layout_json": json.dumps(layout), "transform_matrices": dict.fromkeys(keys, unit)}
        file.attrs["metadata_json"] = json.dumps(about)
    read_hd = sdio.visium_hd
    peer = read_hd(outs, dataset_id="x", load_segmentations_only=False, annotate_table_by_labels=False)
    peer = peer.tables["square_008um"]
    section = read("visium-hd", outs, image="none")
    assert section.n_obs == peer.n_obs == len(counts)
    assert_same(section, peer, peer.obsm["spatial"])
