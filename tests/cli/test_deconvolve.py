import json
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from histoscribe.cli import app
from histoscribe.core.errors import DataError
from histoscribe.methods._cell_tables import read_reference
from histoscribe.testing import make_spots

RUN = CliRunner()


@pytest.fixture
def files(tmp_path):
    planted = make_spots(n_spots=40, n_types=3, n_genes=40, cells_per_type=(40, 60))
    planted.spots.write_h5ad(tmp_path / "spots.h5ad")
    planted.cells.write_h5ad(tmp_path / "cells.h5ad")
    return tmp_path


def words(files, *more):
    return [
        *("deconvolve", str(files / "spots.h5ad"), "--reference", str(files / "cells.h5ad"), "--labels", "cell_type"),
        *("-o", str(files / "out.h5ad"), *more),
    ]


def test_deconvolve_writes_named_proportions_and_says_what_layers_bring(files):
    done = RUN.invoke(app(), words(files, "--layers", "layer"))
    assert done.exit_code == 0, done.output
    assert "layers change the log-likelihood of held-out counts by" in done.output
    found = anndata.read_h5ad(files / "out.h5ad")
    np.testing.assert_allclose(found.obsm["composition"].sum(1), 1)
    assert list(found.uns["histoscribe"]["cell_types"]) == ["type a", "type b", "type c"]


def test_a_table_of_profiles_is_a_reference(files):
    cells = anndata.read_h5ad(files / "cells.h5ad")
    profiles = pd.DataFrame(cells.X, columns=cells.var_names).groupby(cells.obs["cell_type"].to_numpy()).mean().T
    profiles.to_csv(files / "profiles.csv")
    arguments = words(files, "--method", "nnls", "--json")
    arguments[3:6] = [str(files / "profiles.csv")]
    done = RUN.invoke(app(), arguments)
    assert done.exit_code == 0, done.output
    assert sum(json.loads(done.output)["mean"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--layers", "zone"), "no obs column 'zone'"),
        (("--cell-size", "big"), "cell_size is 'big'"),
        (("--min-cells", "999"), "no cell type of the reference has 999 cells"),
    ],
)
def test_a_mistake_is_named(files, more, message):
    done = RUN.invoke(app(), words(files, *more))
    assert isinstance(done.exception, DataError)
    assert message in str(done.exception)


#: Section, reference, labels, more, and what is said of them: the vignettes of spacexr, and their files of R.
PAIRS = {
    "visium": ("VisiumVignette/counts.csv", "Visium_Ref/counts.csv", "Visium_Ref/cell_types.csv", 313, 17, 124),
    "merfish": ("MerfishVignette/counts.csv", "Merfish_Ref/counts.csv", "Merfish_Ref/cell_types.csv", 750, 13, 131),
    "slide-seq": ("Vignette/MappedDGEForR.csv", "Vignette/dge.csv", "Vignette/meta_data.csv:cluster", 100, 19, 368),
    "lymph node": ("VisiumLymphVignette/expr.rds", "Visium_Lymph_Ref/ref_downsampled.rds", None, 1000, 11, 541),
}


@pytest.mark.shared
@pytest.mark.parametrize("name", PAIRS)
def test_vendor_pairs_run_from_the_command_line(shared_data, tmp_path, name):
    spots, reference, labels, n_obs, n_types, n_genes = PAIRS[name]
    root = shared_data / "deconv" / "spacexr"
    words = ["deconvolve", str(root / "SpatialRNA" / spots), "--reference", str(root / "Reference" / reference)]
    words += ["--labels", str(root / "Reference" / labels)] if labels else []
    words += ["--drop", "Ambiguous", "--method", "robust-regression", "-o", str(tmp_path / "out.h5ad")]
    done = RUN.invoke(app(), words)
    assert done.exit_code == 0, done.output
    assert f"{n_obs} observations x {n_types} cell types from {n_genes} genes" in done.output
    np.testing.assert_allclose(anndata.read_h5ad(tmp_path / "out.h5ad").obsm["composition"].sum(1), 1)


@pytest.mark.shared
def test_a_reference_of_r_is_the_one_that_was_converted_by_hand(shared_data):
    root = shared_data / "deconv" / "spacexr"
    ours = read_reference(root / "Reference/Visium_Lymph_Ref/ref_downsampled.rds")
    theirs = read_reference(root / "derived/lymph_ref.h5ad", "cell_type")
    assert ours.types == theirs.types
    assert ours.genes == theirs.genes
    np.testing.assert_allclose(ours.profiles, theirs.profiles)


def test_a_data_frame_of_r_is_a_table_of_profiles(files):
    rdata = pytest.importorskip("rdata")
    cells = anndata.read_h5ad(files / "cells.h5ad")
    profiles = pd.DataFrame(cells.X, columns=cells.var_names).groupby(cells.obs["cell_type"].to_numpy()).mean().T
    rdata.write_rds(files / "profiles.rds", profiles)
    rdata.write_rda(files / "profiles.RData", {"profiles": profiles, "year": "2026"})
    profiles.to_csv(files / "profiles.csv")
    expected = read_reference(files / "profiles.csv")
    for name in ("profiles.rds", "profiles.RData"):
        found = read_reference(files / name)
        assert (found.types, found.genes) == (expected.types, expected.genes)
        np.testing.assert_allclose(found.profiles, expected.profiles)
    rdata.write_rds(files / "text.rds", "a sentence")
    with pytest.raises(DataError, match="Save a spacexr Reference, a matrix or a data frame"):
        read_reference(files / "text.rds")


def test_a_file_of_r_says_what_to_install(files, monkeypatch):
    (files / "x.rds").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "rdata", None)
    with pytest.raises(DataError, match=r"pip install 'histoscribe\[r\]'"):
        read_reference(files / "x.rds")
