"""`histoscribe bench`: what it says of a suite, and what it does where data or records are missing."""

from __future__ import annotations

import json

from histoscribe.core.records import RunRecord


def test_list_tells_which_data_are_missing(histoscribe, tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_DATA", str(tmp_path))
    suites = {s["id"]: s for s in json.loads(histoscribe("bench", "list", "--json").out)}
    assert suites["her2st-clean"]["missing_files"] == 108
    assert suites["synthetic-planted"]["missing_files"] == 0


def test_a_suite_without_its_data_runs_nothing(histoscribe, tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_DATA", str(tmp_path))
    done = histoscribe("bench", "run", "her2st-dev", "--out", tmp_path / "r", "--work", tmp_path / "w")
    assert done.status == 2
    assert "Zenodo record 3957257" in done.err
    assert not (tmp_path / "r").exists()


def test_show_tells_what_a_suite_fixes(histoscribe):
    done = histoscribe("bench", "show", "kidney-blocks", "--no-ceiling")
    assert done.status == 0
    for words in ("spatial-strips, k 2, gap 700 um", "without mitochondrial genes", "ln(1 + counts per 10000)"):
        assert words in done.out


def test_board_in_every_format(histoscribe, tmp_path):
    scores = {"pcc_gene": 0.2, "depth_partial_pcc_gene": 0.1}
    RunRecord(
        benchmark="her2st-dev",
        method="ridge",
        params={},
        encoder="colour",
        genes=["A"],
        target={"unit": "ln(1 + counts per 10000)"},
        split={"unit": "section"},
        seed=0,
        data={},
        scores={"ridge": scores},
        n={"donors": 1, "sections": 1, "observations": 10, "genes": 1, "folds": 1},
        protocol="clean",
        per_section=[{"fold": 0, "section": "C2", "donor": "C", **scores}],
        cost={"fit_s": 1.0, "predict_s": 1.0, "peak_mb": 1.0},
    ).save(tmp_path / "her2st-dev" / "ridge")
    board = ("bench", "board", "--records", tmp_path)
    assert "her2st-dev, version 1" in histoscribe(*board).out
    assert "| ridge | 0.200 |" in histoscribe(*board, "--format", "markdown").out
    page = tmp_path / "board.html"
    assert histoscribe(*board, "--format", "html", "--out", page).status == 0
    text = page.read_text(encoding="utf-8")
    assert "一名供者" in text
    assert "http" not in text.replace("http-equiv", "")


def test_an_empty_board_says_what_to_run(histoscribe, tmp_path):
    done = histoscribe("bench", "board", "her2st-dev", "--records", tmp_path)
    assert done.status == 2
    assert "histoscribe bench run her2st-dev" in done.err


def test_a_row_of_a_study_is_named_by_its_label_comma_and_all(histoscribe, tmp_path):
    done = histoscribe(
        "bench", "run", "synthetic-composition", "--methods", "polaris, 0 layers", "--seed", "0", "--out", tmp_path
    )
    assert done.status == 0, done.err
    assert done.out.startswith("polaris, 0 layers, seed 0: composition_rmse")
    assert {p.parent.name for p in tmp_path.rglob("*.json")} == {"polaris"}
    assert (
        histoscribe("bench", "run", "synthetic-composition", "--methods", "polaris, 3", "--out", tmp_path).status == 2
    )
