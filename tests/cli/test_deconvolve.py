import json

import anndata
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from histoscribe.cli import app
from histoscribe.core.errors import DataError
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


@pytest.mark.shared
def test_vendor_pairs_run_from_the_command_line(shared_data, tmp_path):
    root = shared_data / "deconv" / "spacexr"
    pair = root / "Reference" / "Visium_Ref"
    done = RUN.invoke(
        app(),
        [
            *("deconvolve", str(root / "SpatialRNA/VisiumVignette/counts.csv"), "--method", "robust-regression"),
            *("--reference", str(pair / "counts.csv"), "--labels", str(pair / "cell_types.csv")),
            *("-o", str(tmp_path / "out.h5ad")),
        ],
    )
    assert done.exit_code == 0, done.output
    assert "313 observations x 17 cell types from 124 genes" in done.output
