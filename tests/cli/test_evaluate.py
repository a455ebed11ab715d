"""`histoscribe evaluate` from files to a table, a folder and JSON."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import typer
from anndata import AnnData
from typer.testing import CliRunner

from histoscribe.cli.evaluate import evaluate
from histoscribe.core.errors import DataError
from histoscribe.core.target import Target
from histoscribe.testing import make_feature_sections

app = typer.Typer()
app.command()(evaluate)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A prediction and two measured sections on disk; the current folder holds them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    sections = make_feature_sections(2, 49, seed=7)
    for i, section in enumerate(sections):
        section.table.write_h5ad(f"s{i}.h5ad")
    genes = list(sections[0].table.var_names[:6])
    values = Target()(sections[0], genes) + np.random.default_rng(0).normal(size=(49, 6)).astype(np.float32)
    prediction = AnnData(values, obs=pd.DataFrame(index=sections[0].table.obs_names))
    prediction.var_names = genes
    prediction.obsm["spatial"] = sections[0].xy
    prediction.uns["histoscribe"] = {"kind": "prediction", "unit": Target().unit, "method": "toy", "mpp": 1.0}
    prediction.write_h5ad("p.h5ad")
    return ["p.h5ad", "h5ad:s0.h5ad?image=none&mpp=1&donor=A"], "h5ad:s1.h5ad?image=none&mpp=1&donor=B"


def run(*words):
    return CliRunner().invoke(app, [str(w) for w in words])


def test_it_prints_the_table_and_writes_the_folder(files, tmp_path):
    pair, train = files
    done = run(*pair, "--train", train, "--out", "verdict")
    assert done.exit_code == 0, done.output
    assert "toy on 1 section(s) of 1 donor(s): s0; no test donor in training" in done.output
    assert "depth_partial_pcc_gene" in done.output
    assert "array-knn" in done.output
    assert "Not applicable: sister-copy" in done.output
    assert "One donor: no confidence interval" in done.output
    names = {p.name.split("-")[0] for p in (tmp_path / "verdict").iterdir()}
    assert names == {"evaluation.json", "per_gene.csv", "per_section.csv", "table.csv", "record"}


def test_json_holds_everything_and_nothing_else_is_printed(files):
    done = run(*files[0], "--json", "--name", "mine")
    value = json.loads(done.output)
    assert value["table"]["index"][0] == "mine"
    assert value["record"]["n"]["observations"] == 49


def test_an_odd_number_of_names_is_explained(files):
    done = run(files[0][0])
    assert isinstance(done.exception, DataError)
    assert "1 names do not make pairs" in str(done.exception)


def test_a_missing_or_truncated_prediction_is_one_clear_error(files, tmp_path):
    assert "prediction nowhere.h5ad does not exist" in str(run("nowhere.h5ad", files[0][1]).exception)
    whole = (tmp_path / "p.h5ad").read_bytes()
    (tmp_path / "p.h5ad").write_bytes(whole[: len(whole) // 3])
    failed = run(*files[0]).exception
    assert isinstance(failed, DataError)
    assert "cannot be read as AnnData" in str(failed)
