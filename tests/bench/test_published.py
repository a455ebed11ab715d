"""Published protocols: their suites say what they are, and published values have a source."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import numpy as np
import pytest

from histoscribe.bench.published import published_scores, published_values
from histoscribe.bench.sources import check_data
from histoscribe.bench.suite import load_suite, suite_names
from histoscribe.catalogue import RECORDS
from histoscribe.core.errors import DataError
from histoscribe.core.target import Target
from histoscribe.methods import expression
from histoscribe.metrics import METRICS, PUBLISHED

TABLES = tomllib.loads(files("histoscribe.bench").joinpath("published.toml").read_text(encoding="utf-8"))["table"]
PUBLISHED_SUITES = ("her2st-histogene", "her2st-triplex")


@pytest.mark.parametrize("name", PUBLISHED_SUITES)
def test_a_published_suite_says_so_in_protocol_and_heading(name):
    suite = load_suite(name)
    assert suite.protocol.startswith("as published")
    assert "not comparable with a clean board" in suite.heading.en
    assert suite.panel.rule.endswith("-test-included")


def test_the_triplex_suite_fixes_what_the_paper_fixed():
    suite = load_suite("her2st-triplex")
    assert suite.make_target() == Target(library="panel", base="10", smooth="array-3x3")
    assert len(suite.data.names) == suite.expect.sections == 36
    assert {name[0] for name in suite.data.names} == set("ABCDEFGH")
    assert (suite.split.kind, suite.panel.n_genes) == ("leave-one-donor-out", 250)


def test_the_histogene_suite_leaves_out_the_sections_that_the_paper_did_and_names_the_leak():
    suite = load_suite("her2st-histogene")
    every = load_suite("her2st-triplex").data.names
    assert suite.data.names == every[1:33]
    assert (suite.split.kind, suite.panel.n_genes) == ("leave-one-section-out", 785)
    assert "SAME DONOR IN TRAINING" in suite.heading.en
    assert suite.make_target() == Target(library="panel", base="10")


@pytest.mark.parametrize("name", PUBLISHED_SUITES)
def test_a_published_suite_without_its_data_names_the_files_and_runs_nothing(name, tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"A2\.tsv\.gz.*Zenodo.*Nothing was run"):
        check_data(load_suite(name))


@pytest.mark.shared
def test_the_sections_that_are_absent_here_are_named(shared_data, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_DATA", str(shared_data))
    missing = load_suite("her2st-triplex").data.missing(shared_data)
    counts = {m.split("/")[-1].removesuffix(".tsv.gz") for m in missing if "ST-cnts" in m}
    assert counts == {"B1", "B2", "B3", "B4", "B5", "B6", "C6", "H1", "H2", "H3"}


@pytest.mark.parametrize("table", TABLES, ids=lambda t: f"{t['suite']}-{t['source']}")
def test_published_values_belong_to_a_published_suite_and_have_a_source(table):
    assert set(table) - {"method", "tasks"} == {"suite", "source", "text", "second_hand", "metrics", "values"}
    assert load_suite(table["suite"]).protocol != "clean"
    assert set(table["metrics"]) <= set(PUBLISHED)
    assert len(table["text"]) > 20
    assert all(len(v) == len(table.get("tasks", table["metrics"])) for v in table["values"].values())
    if table["source"]:
        assert (RECORDS / "papers" / f"{table['source']}.yaml").is_file()


def test_a_clean_suite_has_no_published_value():
    clean = [name for name in suite_names() if load_suite(name).protocol == "clean"]
    assert clean
    assert not any(published_values(name) for name in clean)


def test_the_value_to_beat_is_marked_as_second_hand():
    (value,) = [
        v
        for v in published_values("her2st-triplex", "triplex")
        if v.metric == "published_pcc_a" and v.source == "gene-dml-2026"
    ]
    assert (value.value, value.shown) == (0.314, "0.314 [2nd]")


def test_published_scores_are_json_values_beside_no_clean_name(rng):
    truth = rng.normal(size=(20, 60))
    found = published_scores(list(PUBLISHED), [[(truth, truth)], [(truth, np.zeros_like(truth))]])
    assert not set(found) & set(METRICS)
    assert found["published_pcc_a"]["mean"] == pytest.approx(1.0)
    assert found["published_pcc_a"]["folds"][1] is None
    assert found["published_mse"]["folds"][0] == 0


@pytest.mark.parametrize("name", PUBLISHED_SUITES)
def test_every_method_of_a_published_suite_and_its_preset_exist(name):
    suite = load_suite(name)
    for entry in suite.methods:
        expression(entry.method, preset=entry.preset, **entry.params)
    assert {"mean", "ridge"} < {entry.method for entry in suite.methods}
