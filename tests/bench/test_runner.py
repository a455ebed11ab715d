"""The runner: whole runs in processes of their own; in the test's own process, what resuming and failing do."""

from __future__ import annotations

import json
import shutil

import pytest

from bench.tiny import write_suite
from histoscribe.bench import _pool, load_suite, plan, run_suite, runner
from histoscribe.bench._job import perform
from histoscribe.bench.board import make_boards
from histoscribe.bench.board_text import markdown
from histoscribe.core.records import RunRecord


@pytest.fixture(scope="module", autouse=True)
def frozen_code():
    """Take the source as unchanged while the tests run, whoever edits it meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (plan, runner):
            patch.setattr(module, "code_digest", lambda: "frozen")
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory, frozen_code):
    """The ridge on the tiny suite, each fold in a fresh process."""
    folder = tmp_path_factory.mktemp("whole")
    suite = load_suite(write_suite(folder))
    (done,) = run_suite(
        suite, methods=["ridge"], workers=2, out=folder / "results", work=folder / "work", controls=False
    )
    return folder, done


@pytest.fixture
def at_home(monkeypatch):
    """Run jobs in this process, and list which."""
    done = []

    def process(self, job):
        done.append((job.what, job.name, job.fold))
        perform(job)

    monkeypatch.setattr(_pool.Pool, "_process", process)
    return done


def run(suite, folder, **options):
    return run_suite(suite, out=folder / "results", work=folder / "work", **({"controls": False} | options))


def test_a_planted_signal_is_found_below_its_known_ceiling(whole):
    structural = whole[1].record.subsets["structural"]
    assert structural["scores"]["pcc_gene"] > 0.2
    assert structural["scores"]["pcc_gene"] < structural["ceiling"]["known_pcc_gene"]


def test_a_record_holds_what_a_board_needs(whole):
    record = RunRecord.load(whole[1].path)
    assert record.n["donors"] == len(record.per_donor) == len(record.per_section) == 3
    assert record.split["unit"] == "donor"
    assert record.synthetic
    assert record.tiles["sides_um"] == [112.0]
    assert {"fit_s", "predict_s", "peak_mb", "parameters"} <= set(record.cost)
    assert record.cost["parameters"] > 0
    assert 50 < record.cost["peak_mb"] < 5000
    assert whole[1].path.stat().st_size < 400_000


def test_what_was_recorded_is_not_run_again(whole, at_home):
    folder, first = whole
    (again,) = run(load_suite(folder / "tiny.toml"), folder, methods=["ridge"])
    assert at_home == []
    assert again.earlier
    assert again.record.id == first.record.id


def test_changed_code_makes_a_run_stale_unless_any_code_is_welcome(whole, at_home, tmp_path, monkeypatch):
    shutil.copytree(whole[0], tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(plan, "code_digest", lambda: "edited")
    suite = load_suite(tmp_path / "tiny.toml")
    (kept,) = run(suite, tmp_path, methods=["ridge"], any_code=True)
    assert kept.earlier
    assert at_home == []
    (again,) = run(suite, tmp_path, methods=["ridge"])
    assert not again.earlier


def test_a_stopped_run_goes_on_with_the_fold_it_was_stopped_in(tmp_path, monkeypatch):
    suite, done = load_suite(write_suite(tmp_path)), []

    def process(self, job):
        done.append(job.fold)
        if len(done) == 2:
            raise KeyboardInterrupt
        perform(job)

    monkeypatch.setattr(_pool.Pool, "_process", process)
    with pytest.raises(KeyboardInterrupt):
        run(suite, tmp_path, methods=["mean"])
    run(suite, tmp_path, methods=["mean"])
    assert done == [0, 1, 1]


def test_fresh_forgets_what_was_done(tmp_path, at_home):
    suite = load_suite(write_suite(tmp_path))
    run(suite, tmp_path, methods=["mean"])
    run(suite, tmp_path, methods=["mean"], fresh=True)
    assert at_home == [("method", "mean", 0), ("method", "mean", 1)] * 2


def test_another_seed_is_another_run(tmp_path, at_home):
    suite = load_suite(write_suite(tmp_path))
    first, second = (run(suite, tmp_path, methods=["mean"], seed=seed)[0] for seed in (0, 1))
    assert len(at_home) == 4
    assert first.path != second.path


def test_a_failure_is_recorded_shown_and_tried_again(tmp_path, at_home):
    # More neighbours than there are observations to learn from.
    broken = '[[methods]]\nmethod = "knn"\nencoder = "colour"\nparams = { k = -1 }\n'
    suite = load_suite(write_suite(tmp_path, replace={"[expect]": f"{broken}\n[expect]"}))
    (done,) = run(suite, tmp_path, methods=["knn"])
    assert done.record.failure["fold"] == 0
    assert done.record.failure["message"]
    assert done.record.scores == {}
    assert json.loads(done.path.read_text())["failure"]["error"]
    (board,) = make_boards([done.record])
    assert "knn FAILED" in markdown([board])
    before = len(at_home)
    run(suite, tmp_path, methods=["knn"])
    assert len(at_home) > before


def test_a_control_that_does_not_apply_says_why(tmp_path, at_home):
    suite = load_suite(write_suite(tmp_path, replace={"[heading]": 'controls = ["sister-copy"]\n\n[heading]'}))
    control, mean = run(suite, tmp_path, methods=["mean"], controls=True)
    assert control.record.kind == "control"
    assert "no section of donor" in control.record.scores["sister-copy"]["not_applicable"]
    assert mean.record.kind == "method"
    assert mean.record.scores["mean"]["pcc_gene"] == 0
