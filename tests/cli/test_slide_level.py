"""`histoscribe slide-level`: fit, predict with maps, evaluate, and what is refused."""

from __future__ import annotations

import json

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from histoscribe.cli import app
from histoscribe.core.errors import BundleError, DataError
from histoscribe.testing import make_bulk

RUN = CliRunner()


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Files of generated slides: features as TRIDENT stores them, and a table of all profiles but the last slide's."""
    folder = tmp_path_factory.mktemp("slides")
    planted = make_bulk("diffuse", n_slides=40, n_sites=4, n_tiles=(8, 12), n_genes=6, dim=14, seed=1)
    (folder / "features_planted").mkdir()
    for bag in planted.bags:
        with h5py.File(folder / "features_planted" / f"{bag.name}.h5", "w") as file:
            attributes = {"patch_size": 256, "patch_size_level0": 512, "target_magnification": 20}
            file.create_dataset("coords", data=(bag.xy_um * 4).astype(int)).attrs.update(attributes)
            file.create_dataset("features", data=bag.features)
    about = pd.DataFrame({"site": [b.site for b in planted.bags]}, index=[b.name for b in planted.bags])
    about.to_csv(folder / "about.tsv", sep="\t")
    planted.expression.to_df().iloc[:-1].to_csv(folder / "expression.tsv", sep="\t")
    return folder


def words(files, *more):
    return [*map(str, (files / "features_planted", files / "expression.tsv")), "--unit", "log2(x+1)", *map(str, more)]


@pytest.fixture(scope="module")
def model(files):
    done = RUN.invoke(app(), ["slide-level", "fit", *words(files, "-o", files / "a.bundle", "--json")])
    assert done.exit_code == 0, done.output
    summary = json.loads(done.output)
    assert (summary["slides"], summary["genes"], summary["unit"]) == (39, 6, "log2(x+1)")
    assert summary["slides_without_profile"] == ["slide39"]
    return files / "a.bundle"


def test_predict_writes_profiles_and_maps(files, model, tmp_path):
    (tmp_path / "names.txt").write_text("slide39\nslide3\n")
    done = RUN.invoke(
        app(),
        [
            *("slide-level", "predict", str(model), str(files / "features_planted"), "-o", str(tmp_path / "out.h5ad")),
            *("--maps", str(tmp_path / "maps"), "--genes", "gene2,gene5", "--slides", str(tmp_path / "names.txt")),
        ],
    )
    assert done.exit_code == 0, done.output
    found = anndata.read_h5ad(tmp_path / "out.h5ad")
    assert list(found.obs_names) == ["slide3", "slide39"]
    assert found.uns["histoscribe"]["unit"] == "log2(x+1)"
    one = anndata.read_h5ad(tmp_path / "maps" / "slide39.h5ad")
    assert list(one.var_names) == ["gene2", "gene5"]
    assert len(one.obsm["spatial_um"]) == one.n_obs


def test_evaluate_puts_the_method_beside_the_controls(files, tmp_path):
    done = RUN.invoke(
        app(),
        [
            *("slide-level", "evaluate", *words(files, "--method", "tile-mean-ridge", "--folds", 2, "--apart", "site")),
            *("--about", str(files / "about.tsv"), "--genes-out", str(tmp_path / "genes.tsv"), "--json"),
        ],
    )
    assert done.exit_code == 0, done.output
    rows = json.loads(done.output)
    assert next(iter(rows)) == "tile-mean-ridge"
    assert rows["mean"]["pcc_sample"] == 0
    assert rows["tile-mean-ridge"]["pcc_sample"] > 0.3
    genes = pd.read_csv(tmp_path / "genes.tsv", sep="\t", index_col=0)
    assert genes["tile-mean-ridge"].mean() == pytest.approx(rows["tile-mean-ridge"]["pcc_sample"])


def test_features_of_another_length_are_refused(files, model, tmp_path):
    (tmp_path / "f").mkdir()
    with h5py.File(tmp_path / "f" / "x.h5", "w") as file:
        file.create_dataset("features", data=np.ones((3, 5)))
    done = RUN.invoke(
        app(), ["slide-level", "predict", str(model), str(tmp_path / "f"), "-o", str(tmp_path / "o.h5ad")]
    )
    assert isinstance(done.exception, BundleError)
    assert "slide x has 5 features" in str(done.exception)
    assert "fitted on 14 of planted" in str(done.exception)


def test_unknown_slides_and_tables_without_any_of_them_are_refused(files, tmp_path):
    (tmp_path / "names.txt").write_text("slide3\nslide99\n")
    done = RUN.invoke(
        app(), ["slide-level", "fit", *words(files, "-o", tmp_path / "m", "--slides", tmp_path / "names.txt")]
    )
    assert isinstance(done.exception, DataError)
    assert "1 of 2 slides" in str(done.exception)
    assert "the first slide99" in str(done.exception)
    pd.DataFrame({"A": [1.0, 2.0], "B": [2.0, 1.0]}, index=["p1", "p2"]).to_csv(tmp_path / "other.tsv", sep="\t")
    done = RUN.invoke(
        app(),
        [
            *("slide-level", "fit", str(files / "features_planted"), str(tmp_path / "other.tsv"), "--unit", "u"),
            *("-o", str(tmp_path / "m")),
        ],
    )
    assert isinstance(done.exception, DataError)
    assert "none of 40 slides has a profile" in str(done.exception)
    assert not (tmp_path / "m").exists()
