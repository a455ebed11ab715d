"""`histoscribe bench` on the HEST suites: what is missing and how to get it, and a run with features of one's own."""

from __future__ import annotations

import json

import pytest

from bench.hest import write_embeddings, write_hest_suite
from histoscribe.bench import _pool
from histoscribe.bench._job import perform
from histoscribe.testing import write_hest_bench


@pytest.mark.parametrize("suite", ["hest-official", "hest-clean"])
def test_a_suite_without_its_tree_says_what_is_missing_and_how_to_get_it(histoscribe, tmp_path, monkeypatch, suite):
    monkeypatch.setenv("HISTOSCRIBE_DATA", str(tmp_path))
    done = histoscribe("bench", "run", suite, "--out", tmp_path / "r", "--work", tmp_path / "w")
    assert done.status == 2
    for words in ("hest-bench/IDC/adata/TENX95.h5ad", "MahmoodLab/hest-bench", "hf download", "terms"):
        assert words in done.err
    assert not (tmp_path / "r").exists()


def test_features_of_ones_own_run_to_a_board(histoscribe, tmp_path, monkeypatch):
    tree = write_hest_bench(tmp_path / "hest-bench")
    features = write_embeddings(tree, tmp_path / "My-Encoder")
    suite = write_hest_suite("hest-official", tmp_path, tasks={"BETA": 2})
    monkeypatch.setenv("HISTOSCRIBE_DATA", str(tmp_path))
    monkeypatch.setattr(_pool.Pool, "_process", lambda self, job: perform(job))
    options = ["--out", tmp_path / "r", "--work", tmp_path / "w", "--no-controls"]
    done = histoscribe("bench", "run", suite, "--methods", "hest-ridge", "--embeddings", features, *options)
    assert done.status == 0, done.err
    (fixed, tuned) = sorted((tmp_path / "r" / "hest-official").glob("*/*.json"))
    assert json.loads(fixed.read_text())["encoder"] == "stored-my-encoder"
    assert json.loads(tuned.read_text())["preset"] == "tuned"
    shown = histoscribe("bench", "board", "hest-official", "--records", tmp_path / "r", "--format", "markdown").out
    assert "published_pcc_pooled by task, ours" in shown
    assert "README of github.com/mahmoodlab/HEST of 3 Apr 2026" in shown
