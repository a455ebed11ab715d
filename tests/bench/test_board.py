"""Boards: built from stored records, differences worked by hand, and never two protocols in one column."""

from __future__ import annotations

import json

import pytest

from histoscribe.bench.board import load_records, make_boards
from histoscribe.bench.board_text import markdown, number, score_table
from histoscribe.bench.paired import student
from histoscribe.core.errors import DataError
from histoscribe.core.records import RunRecord


def record(method, scores, *, partial=0.1, kind="method", version="1", target=None, **changes):
    """Make a record whose donors score `scores`."""
    per_donor = {d: {"pcc_gene": v, "depth_partial_pcc_gene": partial} for d, v in scores.items()}
    mean = sum(scores.values()) / len(scores)
    values = {
        "benchmark": "toy",
        "benchmark_version": version,
        "protocol": "clean",
        "kind": kind,
        "method": method,
        "params": {},
        "encoder": "none",
        "genes": ["A", "B"],
        "target": target or {"unit": "ln(1 + counts per 10000)"},
        "split": {"kind": "leave-one-donor-out", "unit": "donor", "folds": []},
        "seed": 0,
        "data": {"s": "x"},
        "scores": {method: {"pcc_gene": mean, "depth_partial_pcc_gene": partial}},
        "n": {"donors": len(scores)},
        "per_donor": per_donor,
        "per_section": [{"fold": i, "section": d, "donor": d, **s} for i, (d, s) in enumerate(per_donor.items())],
        "ceiling": {"ceiling_pcc_gene": 0.8},
        "cost": {"fit_s": 1.0, "predict_s": 0.5, "peak_mb": 100.0, "parameters": 7, "threads": 1},
        "commit": "abc",
    }
    return RunRecord(**values | changes)


@pytest.fixture
def records():
    """Two methods and two controls on three donors."""
    return [
        record("good", {"A": 0.5, "B": 0.6, "C": 0.7}, partial=0.2),
        record("weak", {"A": 0.4, "B": 0.4, "C": 0.4}, partial=0.05),
        record("colour-ridge", {"A": 0.45, "B": 0.45, "C": 0.45}, kind="control"),
        record("log-depth-oracle", {"A": 0.9, "B": 0.9, "C": 0.9}, partial=0.0, kind="control"),
    ]


def test_student_interval_worked_by_hand():
    # .1, .2, .3: mean .2, sd .1; t(.975, 2) = 4.30265; 4.30265 * .1 / sqrt(3) = .24842.
    mean, lower, upper = student([0.1, 0.2, 0.3])
    assert mean == pytest.approx(0.2)
    assert (lower, upper) == (pytest.approx(0.2 - 0.24842, abs=1e-5), pytest.approx(0.2 + 0.24842, abs=1e-5))
    assert student([0.1]) == (0.1, None, None)


def test_differences_are_paired_by_donor_to_best_method_and_best_control(records):
    (board,) = make_boards(records)
    found = {(d.method, d.against): d for d in board.differences if d.metric == "pcc_gene"}
    # weak - good: -.1, -.2, -.3; good - colour: .05, .15, .25. The oracle sees depth and is no rival.
    assert set(found) == {("weak", "good"), ("good", "colour-ridge"), ("weak", "colour-ridge")}
    assert found["weak", "good"].mean == pytest.approx(-0.2)
    assert found["weak", "good"].lower == pytest.approx(-0.2 - 0.24842, abs=1e-5)
    assert not found["weak", "good"].clear
    assert found["good", "colour-ridge"].mean == pytest.approx(0.15)
    # Every donor differs by the same: no spread, so the interval is the mean and excludes 0.
    assert found["weak", "colour-ridge"].clear


def test_with_one_donor_sections_are_paired_and_the_board_says_so(records):
    one = {"kind": "leave-one-section-out", "unit": "section", "folds": []}
    (board,) = make_boards([record(r.method, {"A": 0.1, "B": 0.3}, kind=r.kind, split=one) for r in records])
    assert {d.unit for d in board.differences} == {"section"}
    assert {d.n for d in board.differences} == {2}
    assert "no interval speaks for a new donor" in markdown([board])


def test_controls_that_win_are_said_first(records):
    (board,) = make_boards(records)
    assert {(w.control, w.method) for w in board.wins if w.metric == "pcc_gene"} == {
        ("colour-ridge", "weak"),
        ("log-depth-oracle", "weak"),
        ("log-depth-oracle", "good"),
    }
    text = markdown([board])
    assert text.index("Controls beat") < text.index("### Scores")


@pytest.mark.parametrize(
    "change",
    [
        {"version": "2"},
        {"protocol": "as published: somebody"},
        {"target": {"unit": "log10(1 + counts per 10000)"}},
        {"data": {"s": "y"}},
        {"genes": ["A", "C"]},
        {"split": {"kind": "donor-folds", "unit": "donor", "folds": []}},
    ],
)
def test_answers_to_different_questions_never_share_a_column(records, change):
    boards = make_boards([*records, record("other", {"A": 0.9, "B": 0.9, "C": 0.9}, **change)])
    assert sorted(len(b.rows) for b in boards) == [1, 4]


def test_two_runs_of_one_name_are_told_apart(records):
    (board,) = make_boards([*records, record("good", {"A": 0.5, "B": 0.5, "C": 0.5}, seed=1)])
    assert {r.title for r in board.methods} == {"good (seed 0)", "good (seed 1)", "weak"}


def test_a_run_that_failed_stays_on_the_board(records):
    failed = record("deep", {"A": 0.1}, failure={"fold": 2, "error": "ProcessError", "message": "out of memory"})
    (board,) = make_boards([*records, failed])
    assert "deep FAILED: ProcessError: out of memory" in markdown([board])
    assert "deep" not in {r.title for r in board.rows}


def test_the_page_does_not_depend_on_the_order_of_records(records):
    assert markdown(make_boards(records)) == markdown(make_boards(records[::-1]))


def test_methods_stand_before_controls_and_the_ceiling_last(records):
    table = score_table(make_boards(records)[0])
    names = [row[0].split(" (")[0] for row in table.rows]
    assert names == ["good", "weak", "log-depth-oracle", "colour-ridge", "noise ceiling"]
    assert table.rows[-1][1 + table.header[1:].index("pcc_gene ↑ 1")] == "0.800"


def test_records_are_read_from_their_folder(records, tmp_path):
    for r in records:
        r.save(tmp_path / "toy" / r.method)
    assert {r.method for r in load_records(tmp_path, ["toy"])} == {r.method for r in records}
    with pytest.raises(DataError, match="no record of suite 'other'"):
        load_records(tmp_path, ["other"])


def test_a_record_from_before_suites_reads_and_keeps_its_name(tmp_path):
    old = record("good", {"A": 0.5})
    value = {
        "benchmark": "adhoc", "benchmark_version": "1", "method": "ridge", "params": {}, "encoder": "colour",
        "genes": ["A"], "target": {}, "split": {}, "seed": 0, "data": {}, "scores": {}, "n": {},
    }  # fmt: skip
    (tmp_path / "old.json").write_text(json.dumps(value | {"id": "x"}))
    read = RunRecord.load(tmp_path / "old.json")
    assert read.kind == "method"
    assert read.id != old.id
    assert "failure" not in json.loads(read.save(tmp_path / "new.json").read_text())


def test_a_number_that_rounds_to_zero_has_no_sign():
    assert number(-0.0001) == "0.000"
    assert number(None) == "–"
