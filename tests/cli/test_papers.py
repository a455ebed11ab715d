"""`histoscribe papers` and `histoscribe datasets` as a user types them."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from histoscribe.bench.studies import STUDIES
from histoscribe.catalogue import RECORDS, Catalogue
from histoscribe.catalogue.formats import read_entries
from histoscribe.cli import app, papers_run
from histoscribe.core.errors import DataError
from histoscribe.methods import papers
from histoscribe.methods.papers import implemented, plan
from histoscribe.testing._method_study import _quick


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def call(tmp_path):
    runner = CliRunner()

    def run(*args, results=tmp_path / "no-results", status=0):
        takes_results = args[0] == "papers" and args[1] not in {"similar", "schema", "import", "add"}
        more = ["--results", str(results)] if takes_results else []
        result = runner.invoke(app(), [*args, *more])
        assert result.exit_code == status, (result.output, result.exception)
        return result.output

    return run


def test_search_prints_the_best_first_and_json_on_demand(call):
    assert call("papers", "search", "triplex").splitlines()[1].startswith("triplex-2024")
    hits = json.loads(call("papers", "search", "空间域", "--year", "2024..", "--has-code", "--json"))
    assert hits
    assert all(hit["year"] >= 2024 and "spatial-domains" in hit["tasks"] for hit in hits)


def test_a_search_that_finds_nothing_says_so_and_fails(call):
    assert "nothing found" in call("papers", "search", "zzqqy", status=1)


def test_show_compare_similar_and_which_answer(call):
    shown = call("papers", "show", "polaris-2023")
    assert "CODAIT/deep-histopath" in shown
    assert "2 licence" in shown
    assert json.loads(call("papers", "show", "polaris-2023", "--json"))["ladder"]["level"] == 2
    assert "bg-triplex-2024" in call("papers", "similar", "triplex-2024")
    assert "TRIPLEX" in call("papers", "compare", "triplex-2024", "polaris-2023", "--lang", "zh")
    fits = json.loads(call("papers", "which", "--mpp", "0.5", "--platform", "st", "--licence", "permissive", "--json"))
    assert fits
    assert all(fit["pro"] for fit in fits)


def test_stats_count_what_is_there(call):
    assert json.loads(call("papers", "stats", "--json"))["papers"] == len(Catalogue.load().papers)


def test_check_is_clean_lists_its_rules_and_fails_on_a_fault(call, tmp_path):
    shutil.copytree(RECORDS, tmp_path / "records")
    assert " 0 open" in call("papers", "check", "--records", str(tmp_path / "records"))
    assert "same-code" in call("papers", "check", "--rules")
    path = tmp_path / "records" / "papers" / "triplex-2024.yaml"
    path.write_text(path.read_text().replace("tasks: [expression-prediction]\n", ""))
    output = call("papers", "check", "--records", str(tmp_path / "records"), status=1)
    assert output.splitlines()[0].startswith("schema triplex-2024.yaml: field 'tasks' is missing.")


@pytest.mark.parametrize("form", ["bibtex", "ris", "csl-json"])
def test_what_is_exported_can_be_imported(call, tmp_path, form):
    path = tmp_path / {"bibtex": "a.bib", "ris": "a.ris", "csl-json": "a.json"}[form]
    call("papers", "export", "triplex-2024", "asign-2025", "--format", form, "--out", str(path))
    assert [e.key for e in read_entries(path)] == ["triplex-2024", "asign-2025"]
    empty = tmp_path / "mine"
    (empty / "papers").mkdir(parents=True)
    (empty / "datasets").mkdir()
    args = ["papers", "import", str(path), "--source", "https://example.org/refs", "--records", str(empty)]
    assert "2 records started" in call(*args)
    assert len(list((empty / "papers").iterdir())) == 2
    # The second time all of them are known; nothing is written twice.
    assert "0 records started" in call(*args)


def test_export_takes_a_search_and_prints_to_the_terminal(call):
    output = call("papers", "export", "--query", "空间域", "--format", "csv")
    assert output.startswith("id,title,")
    assert len(output.splitlines()) > 50


def test_add_writes_one_file_and_names_what_is_missing(call, tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "datasets").mkdir()
    output = call("papers", "add", "2501.09999", "--records", str(tmp_path))
    assert "fill in: title, role, tasks" in output
    assert len(list((tmp_path / "papers").iterdir())) == 1


def test_the_schema_is_json(call):
    assert "Paper" in json.loads(call("papers", "schema"))["$defs"]


def test_datasets_are_searched_shown_and_held_against_each_other(call):
    assert "her2st" in call("datasets", "search", "乳腺癌", "--platform", "st")
    shown = call("datasets", "show", "her2st")
    assert "HEST-1k contains HER2ST" in shown
    assert "never use it as ground truth" in call("datasets", "show", "tcga-digital-st")
    assert "common part" in call("datasets", "leaks", "hest-1k", "stimage-1k4m", status=1)
    assert "has not been shown to be independent" in call("datasets", "leaks", "dlpfc", "her2st")
    assert "cohort" in call("datasets", "stats")


def test_every_implemented_paper_has_a_plan_and_others_are_refused():
    ways = implemented()
    assert {"hoerl-kennard-1970", "cover-hart-1967", "hest-1k-2024", "efficientnet-2019"} <= set(ways)
    for key in ways:
        assert plan(key) in ways[key]
    assert not plan("efficientnet-2019").control
    founding = {
        "asign-2025": "asign",
        "bg-triplex-2024": "bg-triplex",
        "evaluating-deep-regression-models-for-wsi-based-2024": "contrastive",
        "histospace-2024": "histospace",
        "polaris-2023": "polaris",
        "tangle-2024": "tangle",
        "triplex-2024": "triplex",
    }
    assert {key: plan(key).method for key in founding} == founding
    with pytest.raises(DataError, match="nothing of 'thor-2025' is implemented here"):
        plan("thor-2025")


def test_every_method_of_other_families_has_a_row_that_runs_on_generated_data():
    ways = [way for found in implemented().values() for way in found if way.study]
    assert {way.study for way in ways} <= set(STUDIES)
    for way in ways:
        assert way.method in {e.method for e in STUDIES.get(way.study).entries}, way


# Of the studies on generated data one is enough here; each is run by its own tests.
@pytest.mark.parametrize("key", sorted(k for k in implemented() if not plan(k).study or k == "polaris-2023"))
def test_every_implemented_paper_runs_and_the_ladder_shows_it(call, tmp_path, monkeypatch, key):
    monkeypatch.setattr(papers_run, "_DONORS", 3)
    monkeypatch.setattr(papers_run, "_SIDE_UM", 600.0)
    # As the contract checks: small networks, and colour statistics in place of the embedded one.
    monkeypatch.setattr(papers, "_PRESET", "tiny")
    monkeypatch.setattr(papers, "_encoder_of", lambda method: _quick(method.default_encoder))
    results = tmp_path / "results"
    out = json.loads(call("papers", "run", key, "--genes", "12", "--json", results=results))
    assert out["synthetic"] is True
    assert out["scores"]
    way = plan(key)
    level = json.loads(call("papers", "show", key, "--json", results=results))["ladder"]["level"]
    # A control that runs says nothing about the paper's own method.
    assert (level == 5) is not way.control
    found = json.loads(call("papers", "search", "--runs", "--json", results=results))
    assert (key in [hit["id"] for hit in found]) is not way.control
