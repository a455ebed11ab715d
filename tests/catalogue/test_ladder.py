"""The code ladder: rungs 1-4 from facts, 5 and 6 from stored runs alone."""

import json

import pytest

from histoscribe.catalogue import Catalogue
from histoscribe.catalogue.ladder import climb, ladder, load_runs
from histoscribe.catalogue.schema import Code, Result
from histoscribe.core.errors import DataError
from histoscribe.core.records import RunRecord


@pytest.fixture(scope="module")
def paper():
    return Catalogue.load().paper("triplex-2024")


def with_code(paper, **facts):
    return paper.model_copy(update={"code": Code(**facts) if facts else None})


def run_of(**changes):
    facts = {
        "method": "triplex",
        "params": {},
        "encoder": "own",
        "genes": ["A"],
        "target": {},
        "split": {},
        "seed": 0,
        "data": {},
        "scores": {"triplex": {"pcc_gene": 0.30}},
        "n": {},
        "benchmark": "her2st-as-published",
    }
    return RunRecord(**(facts | changes))


URL = "https://github.com/owner/name"


@pytest.mark.parametrize(
    ("facts", "level"),
    [
        ({}, 0),
        ({"status": "none"}, 0),
        ({"url": URL}, 1),
        ({"url": URL, "status": "read", "licence": "none", "environment": True}, 1),
        ({"url": URL, "status": "read", "licence": "MIT", "environment": False}, 2),
        ({"url": URL, "status": "read", "licence": "MIT", "environment": True, "weights": "none"}, 3),
        ({"url": URL, "status": "read", "licence": "MIT", "environment": True, "data": "zenodo"}, 4),
    ],
)
def test_a_rung_counts_only_where_those_below_hold(paper, facts, level):
    assert climb(with_code(paper, **facts)).level == level


def test_what_was_not_read_is_not_said_to_be_absent(paper):
    linked = climb(with_code(paper, url=URL))
    assert linked.has[2] is None
    read = climb(with_code(paper, url=URL, status="read", licence="none"))
    assert read.has[2] is False


def test_a_stored_run_lifts_a_paper_to_5_whatever_its_authors_released(paper):
    assert climb(with_code(paper), [run_of(synthetic=True)]).level == 5


def test_a_run_that_meets_the_reported_number_lifts_it_to_6(paper):
    reported = Result(
        task="expression-prediction",
        dataset="her2st",
        split="patients",
        encoder="own",
        metric="pcc_gene",
        value=0.314,
        origin="paper",
        source="https://example.org",
        benchmark="her2st-as-published",
        tolerance=0.02,
    )
    paper = paper.model_copy(update={"results": [reported]})
    place = climb(paper, [run_of()])
    assert place.level == 6
    assert "0.300 here, 0.314 reported" in place.reproduced[0]
    assert climb(paper, [run_of(scores={"triplex": {"pcc_gene": 0.29}})]).level == 5
    assert climb(paper, [run_of(benchmark="another")]).level == 5
    assert climb(paper, [run_of(synthetic=True)]).level == 5
    without = reported.model_copy(update={"tolerance": None})
    assert climb(paper.model_copy(update={"results": [without]}), [run_of()]).level == 5


def test_no_field_of_a_record_can_claim_rung_5(paper):
    assert not {"level", "runs", "reproduces"} & (set(type(paper).model_fields) | set(Code.model_fields))
    everything = {"url": URL, "status": "read", "licence": "MIT", "environment": True, "tests": True}
    assert climb(with_code(paper, **everything, weights="zenodo", data="zenodo")).level == 4


def test_runs_are_read_from_a_folder_and_other_json_is_left_alone(tmp_path, paper):
    run_of().save(tmp_path / "a" / "triplex")
    (tmp_path / "board.json").write_text('{"rows": []}')
    (run,) = load_runs(tmp_path)
    assert run == run_of(commit=run.commit, versions=run.versions, created=run.created)
    places = ladder({paper.id: paper}, [run], papers_of=lambda r: ["triplex-2024"] if r.method == "triplex" else [])
    assert places[paper.id].level == 5
    assert load_runs(tmp_path / "absent") == []


def test_a_damaged_record_is_named(tmp_path):
    path = run_of().save(tmp_path)
    value = json.loads(path.read_text())
    path.write_text(json.dumps(value | {"scroes": 1}))
    with pytest.raises(DataError, match="damaged run record"):
        load_runs(tmp_path)
