"""The reader of HEST-Benchmark tasks: joined by barcode, stored pixels to the bit, library sizes of all genes."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from anndata import read_h5ad

from histoscribe.core import keys
from histoscribe.core.errors import DataError, GeneError, ScaleError
from histoscribe.encoders import encode
from histoscribe.io import read
from histoscribe.testing import check_reader, make_section, write_hest_bench
from histoscribe.tiles import tile
from histoscribe.tiles._read import read_tiles


@pytest.fixture(scope="module")
def source():
    """The section that is written."""
    return make_section(seed=3, size_um=600.0, mpp=4.0).replace(name="S1")


@pytest.fixture
def task(source, tmp_path):
    """A task of that section and a second one without a slide."""
    other = make_section(1, seed=3, size_um=450.0, mpp=4.0).replace(name="S2", slide=None)
    return write_hest_bench(tmp_path, {"TASK": [source, other]}, n_genes=5) / "TASK"


def change(path, **attributes):
    with h5py.File(path, "r+") as file:
        for key in ("img", "coords"):
            for old in list(file[key].attrs):
                del file[key].attrs[old]
            file[key].attrs.update(attributes)


def without_array(task, move=None):
    """Take the array from a sample, and move its observations about."""
    table = read_h5ad(task / "adata" / "S1.h5ad")
    table.obs = table.obs.drop(columns=[keys.ARRAY_ROW, keys.ARRAY_COL])
    if move is not None:
        table.obsm[keys.SPATIAL] += move.uniform(0, 12, table.obsm[keys.SPATIAL].shape)
    table.write_h5ad(task / "adata" / "S1.h5ad")


def test_a_task_is_recognised_and_its_section_is_sound(task):
    check_reader("hest-bench", task, sample="S1", donor="A")
    assert read(None, task, sample="S1").origin.reader == "hest-bench"


def test_counts_and_positions_are_joined_to_the_tiles_by_barcode(task, source):
    section = read("hest-bench", task, sample="S1")
    assert section.n_obs == source.n_obs - 1
    rows = source.table.obs_names.get_indexer(section.table.obs_names)
    assert list(rows) != sorted(rows)
    assert (section.table.layers[keys.COUNTS] != source.table.layers[keys.COUNTS][rows]).nnz == 0
    assert np.allclose(section.xy_um, source.xy_um[rows], atol=1e-9)
    assert np.allclose(section.table.obsm["spatial_scan"], source.xy[rows])
    assert section.mpp == 0.5
    assert "1 of" in section.table.uns[keys.UNS]["notes"][0]


def test_a_tile_of_112_um_is_the_stored_one_to_the_bit(task):
    section = tile(read("hest-bench", task, sample="S1"), 112)
    pixels, padded = read_tiles(section.slide, section.grid, 112.0, slice(None))
    with h5py.File(task / "patches" / "S1.h5") as file:
        assert np.array_equal(pixels.transpose(0, 2, 3, 1), file["img"][:])
    assert padded.max() == 0
    assert encode(section, "colour").table.obsm[keys.features("colour")].shape == (section.n_obs, 8)


def test_library_sizes_are_those_of_all_genes_where_only_the_panel_is_kept(task):
    whole = read("hest-bench", task, sample="S1")
    panel = read("hest-bench", task, sample="S1", genes="var_5genes.json")
    assert panel.table.n_vars == 5
    assert np.array_equal(panel.depth, whole.depth)
    assert (panel.table.layers[keys.COUNTS] != whole.table[:, panel.table.var_names].layers[keys.COUNTS]).nnz == 0


@pytest.mark.parametrize("array", [True, False])
def test_without_a_stated_scale_the_geometry_of_the_observations_tells_it(task, source, array):
    change(task / "patches" / "S1.h5", factor=0.1, patch_size=28)
    if not array:
        without_array(task)
    section = read("hest-bench", task, sample="S1")
    rows = source.table.obs_names.get_indexer(section.table.obs_names)
    assert np.allclose(section.xy_um, source.xy_um[rows], rtol=0.01)
    how = "a Visium array" if array else "squares of 100 um"
    assert f"um/px of the scan from the geometry of {how}" in section.table.uns[keys.UNS]["notes"]
    assert section.pitch_um == (100.0 if array else None)


def test_without_any_geometry_the_scale_is_asked_for(task, rng):
    change(task / "patches" / "S1.h5")
    without_array(task, move=rng)
    with pytest.raises(ScaleError, match="Give pixel_um="):
        read("hest-bench", task, sample="S1")
    assert read("hest-bench", task, sample="S1", pixel_um=4.0).xy_um.max() < 800


def test_a_stated_scale_that_the_array_contradicts_is_noted(task):
    change(task / "patches" / "S1.h5", pixel_size=3.0)
    section = read("hest-bench", task, sample="S1")
    assert any("said to have 3 um/px" in note for note in section.table.uns[keys.UNS]["notes"])


def test_a_sample_must_be_named_and_the_root_is_no_task(task):
    with pytest.raises(DataError, match=r"2 samples \(S1, S2\). Name one"):
        read("hest-bench", task)
    with pytest.raises(DataError, match="no sample 'S3'.*S1"):
        read("hest-bench", task, sample="S3")
    with pytest.raises(DataError, match="It holds the tasks TASK: give one of these"):
        read("hest-bench", task.parent)


def test_files_that_do_not_belong_together_are_refused(task):
    (task / "patches" / "S2.h5").unlink()
    with pytest.raises(DataError, match="S2.h5 does not exist.*download both"):
        read("hest-bench", task, sample="S2")
    with h5py.File(task / "patches" / "S1.h5", "r+") as file:
        file["barcode"][...] = [[f"X{i}".encode()] for i in range(len(file["barcode"]))]
    with pytest.raises(DataError, match="none of the .* tiles has the barcode"):
        read("hest-bench", task, sample="S1")
    with h5py.File(task / "patches" / "S1.h5", "r+") as file:
        del file["img"]
        file["img"] = np.zeros((3, 4, 5, 3), dtype=np.uint8)
    with pytest.raises(DataError, match=r"images of shape \(3, 4, 5, 3\)"):
        read("hest-bench", task, sample="S1")


def test_a_panel_that_does_not_fit_is_refused(task):
    (task / "other.json").write_text('{"genes": ["NO-SUCH-GENE"]}')
    with pytest.raises(GeneError, match="lacks 1 of the 1 genes of other.json"):
        read("hest-bench", task, sample="S1", genes="other.json")
    with pytest.raises(DataError, match="nothing.json is not a JSON file"):
        read("hest-bench", task, sample="S1", genes="nothing.json")
