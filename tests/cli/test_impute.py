import json

import anndata
import numpy as np
import pytest
from typer.testing import CliRunner

from histoscribe.align import write_stack
from histoscribe.cli import app
from histoscribe.core.errors import DataError
from histoscribe.testing import make_stack

RUN = CliRunner()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("stacks")
    for donor in ("one", "two"):
        write_stack(make_stack(donor, n_sections=3, side=5, n_genes=6).stack, root / donor)
    return root


def words(folder, out, *more):
    return ["impute", str(folder / "one"), "--labelled", "one-s1", "--out", str(out), "--genes", "4", *more]


def test_impute_writes_a_file_for_each_section_that_is_not_labelled(folder, tmp_path):
    done = RUN.invoke(app(), words(folder, tmp_path / "out"))
    assert done.exit_code == 0, done.output
    assert "looked at: labelled sections of the stack\n" in done.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["one-s2.h5ad", "one-s3.h5ad", "stack.png"]
    found = anndata.read_h5ad(tmp_path / "out" / "one-s3.h5ad")
    assert found.shape == (25, 4)
    assert found.obsm["spatial_3d_um"][0, 2] == 100.0
    assert list(found.uns["histoscribe"]["labelled"]) == ["one-s1"]


def test_other_donors_are_learned_from_where_they_are_given(folder, tmp_path):
    more = ("--genes", "7", "--method", "stack-scribe", "--train", str(folder / "two"), "--json", "--picture", "G1")
    done = RUN.invoke(app(), words(folder, tmp_path / "out", *more))
    assert done.exit_code == 0, done.output
    summary = json.loads(done.output)
    assert summary["regime"] == "labelled sections of the stack, stacks of other donors"
    found = anndata.read_h5ad(tmp_path / "out" / "one-s2.h5ad")
    assert (found.layers["lower"] < found.layers["upper"]).all()


def test_sections_are_aligned_first_where_they_come_one_by_one(folder, tmp_path):
    files = sorted(map(str, (folder / "one").glob("*.h5ad")))
    done = RUN.invoke(app(), ["impute", *files, "--labelled", "one-s1", "-o", str(tmp_path), "--genes", "4"])
    assert done.exit_code == 0, done.output
    assert "depths are guessed" in done.output
    assert np.isfinite(anndata.read_h5ad(tmp_path / "one-s2.h5ad").X).all()


def test_nothing_is_overwritten_unasked(folder, tmp_path):
    assert RUN.invoke(app(), words(folder, tmp_path)).exit_code == 0
    again = RUN.invoke(app(), words(folder, tmp_path))
    assert again.exit_code != 0
    assert "one-s2.h5ad" in str(again.exception)
    assert RUN.invoke(app(), words(folder, tmp_path, "--overwrite")).exit_code == 0


def test_a_method_that_needs_other_donors_asks_for_them(folder, tmp_path):
    done = RUN.invoke(app(), words(folder, tmp_path, "--method", "stack-scribe"))
    assert isinstance(done.exception, DataError)
    assert "learns from other donors" in str(done.exception)
