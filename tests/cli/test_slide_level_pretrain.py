"""`histoscribe slide-level pretrain` and `embed`: a model with its genes, vectors beside what they were learned on."""

from __future__ import annotations

import json

import anndata
import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from histoscribe.cli import app
from histoscribe.core.errors import DataError
from histoscribe.methods._pretrain import load_slide_pretrainer
from histoscribe.testing import make_bulk

RUN = CliRunner()
QUICK = ("--preset", "tiny", "--param", 'training={"epochs": 2}')


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    planted = make_bulk("diffuse", n_slides=20, n_sites=2, n_tiles=(6, 9), n_genes=5, dim=14, seed=1)
    (folder / "features_planted").mkdir()
    for bag in planted.bags:
        with h5py.File(folder / "features_planted" / f"{bag.name}.h5", "w") as file:
            file.create_dataset("features", data=bag.features)
            file.create_dataset("coords", data=bag.xy_um.astype(int))
    planted.expression.to_df().iloc[:-2].to_csv(folder / "expression.tsv", sep="\t")
    return folder


def run(*words):
    done = RUN.invoke(app(), ["slide-level", *map(str, words)])
    if done.exit_code:
        raise done.exception
    return done.output


def test_vectors_say_which_slides_the_model_has_seen(files, tmp_path):
    table = ("--expression", files / "expression.tsv", "--unit", "log2(x+1)")
    model = tmp_path / "tangle.bundle"
    summary = json.loads(run("pretrain", files / "features_planted", *table, *QUICK, "-o", model, "--json"))
    assert (summary["slides"], summary["genes"], summary["unit"]) == (18, 5, "log2(x+1)")
    assert summary["slides_without_profile"] == ["slide18", "slide19"]
    assert load_slide_pretrainer(model).genes_ == [f"gene{i}" for i in range(5)]
    text = run("embed", model, files / "features_planted", "-o", tmp_path / "z.h5ad")
    assert "20 slides x 14" in text
    found = anndata.read_h5ad(tmp_path / "z.h5ad")
    assert found.X.dtype == np.float32
    assert found.obs["trained_on"].sum() == 18
    assert not found.obs.loc[["slide18", "slide19"], "trained_on"].any()
    assert list(found.uns["histoscribe"]["genes"]) == [f"gene{i}" for i in range(5)]


def test_a_method_without_expression_takes_all_slides(files, tmp_path):
    out = run("pretrain", files / "features_planted", "--method", "pca-mean", "-o", tmp_path / "pca.bundle")
    assert "pca-mean on 20 slides" in out
    assert "no expression" in out


def test_a_method_with_expression_asks_for_it(files, tmp_path):
    with pytest.raises(DataError, match="Give --expression, or a --method that needs none"):
        run("pretrain", files / "features_planted", "-o", tmp_path / "x.bundle")
