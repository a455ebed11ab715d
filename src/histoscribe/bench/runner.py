"""Runner: a suite's runs, fold by fold in fresh processes, resumable; one record a run, failures among them."""

from __future__ import annotations

import shutil
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.bench._fold_scores import Judge
from histoscribe.bench._pool import Pool
from histoscribe.bench._run_record import failure_record, run_record
from histoscribe.bench.folds import load_folds
from histoscribe.bench.identity import check_splits
from histoscribe.bench.plan import code_digest, plan_runs
from histoscribe.core.errors import DataError, HistoScribeError
from histoscribe.core.progress import progress
from histoscribe.core.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from histoscribe.bench.plan import Run
    from histoscribe.bench.suite import Suite
    from histoscribe.core.section import Section

__all__ = ["Done", "run_suite"]


@dataclass(frozen=True, eq=False)
class Done:
    """One run's record, its file, and whether an earlier call had already made it."""

    record: RunRecord
    path: Path
    earlier: bool


@dataclass(eq=False)
class _State:
    """What is known of a run's folds so far."""

    run: Run
    outcomes: dict[int, dict[str, Any]] = field(default_factory=dict)

    @property
    def failed(self) -> dict[str, Any] | None:
        return next(({"fold": i} | o for i, o in sorted(self.outcomes.items()) if "error" in o), None)


def run_suite(
    suite: Suite,
    *,
    methods: Sequence[str] = (),
    seed: int | None = None,
    workers: int = 1,
    threads: int = 1,
    out: Path | str = "results",
    work: Path | str = ".bench",
    fresh: bool = False,
    any_code: bool = False,
    controls: bool = True,
    encoder: str | None = None,
    embeddings: Path | str | None = None,
    show: bool | None = None,
    report: Callable[[Done], None] | None = None,
) -> list[Done]:
    """Run a suite; what an earlier call finished is not repeated.

    Each fold is fitted and predicted in a process of its own; its prediction stays in `work` under a key of all that
    decides it (suite, data, method, parameters, seed, code), so that a run that was killed goes on with the next fold.

    Parameters
    ----------
    suite
        What `load_suite` returned.
    methods
        ``method`` or ``method@preset``; default all that the suite lists.
    seed
        Seed of methods, count splitting and controls; default the suite's.
    workers, threads
        Processes at a time, and threads of each.
    out
        Records go to ``<out>/<suite>/<method>[@preset]/<id>.json``.
    work
        Folder of the folds' predictions.
    fresh
        Forget what earlier calls did for these runs.
    any_code
        Keep a record of the same suite, data, method, parameters and seed even where the source has changed since; its
        row on the board says which commit made it.
    controls
        Run the suite's controls, too.
    encoder
        Encoder of every method that uses features, in place of what the suite says.
    embeddings
        Folder of features in place of an encoder: ``<task>/<section>.h5`` or ``<section>.h5`` with ``embeddings`` and
        ``barcodes``.
    show
        Show progress; default where stderr is a terminal.
    report
        Called with each run as it ends.

    Returns
    -------
    One entry per run, in the order of the plan; a failed run has a record with ``failure`` and no scores.

    Raises
    ------
    DataError
        If data are missing, or are not those that the suite was frozen with.
    LeakError
        If the same tissue is in training and in test under two names.
    """
    seed = suite.seed if seed is None else seed
    work = Path(work) / suite.id
    sections, folds = load_folds(suite)
    check_splits([fold.split for fold in folds], sections)
    given: dict[str, Any] = {"encoder": encoder, "embeddings": embeddings}
    runs = plan_runs(suite, sections, methods=methods, seed=seed, controls=controls, **given)
    if fresh:
        for run in runs:
            shutil.rmtree(run.folder(work, 0).parent, ignore_errors=True)
    judge, code = Judge(suite, folds, seed=seed), code_digest()
    folder = Path(out) / suite.id
    found = {} if fresh else {run.key: d for run in runs if (d := _earlier(folder, run, any_code=any_code)) is not None}

    def finish(state: _State) -> None:
        record = _record(judge, state, sections, work)
        if code_digest() != code:
            record.notes.append("The package's source changed while the suite ran.")
        done = Done(record, record.save(folder / state.run.title), earlier=False)
        found[state.run.key] = done
        if report is not None:
            report(done)

    for done in found.values():
        if report is not None:
            report(done)
    left = [run for run in runs if run.key not in found]
    _run_folds(left, judge, finish, work=work, workers=workers, threads=threads, show=show)
    return [found[run.key] for run in runs]


def _earlier(folder: Path, run: Run, *, any_code: bool) -> Done | None:
    """Return the stored record that this very run already has, failures aside."""
    for path in sorted((folder / run.title).glob("*.json")):
        try:
            record = RunRecord.load(path)
        except DataError:
            continue  # a damaged file is written again
        same = record.run_key.rpartition("-")[0] == run.question if any_code else record.run_key == run.key
        if same and not record.failure:
            return Done(record, path, earlier=True)
    return None


def _run_folds(
    runs: Sequence[Run],
    judge: Judge,
    finish: Callable[[_State], None],
    *,
    work: Path,
    workers: int,
    threads: int,
    show: bool | None,
) -> None:
    suite, folds = judge.suite, judge.folds
    states = {run.key: _State(run) for run in runs}
    before = sum(run.job(suite, f, work=work, threads=threads).done for run in runs for f in folds)
    total = len(runs) * len(folds)
    with progress(suite.id, total, unit="folds", done=before, show=show) as advance, Pool(workers) as pool:
        pending: dict[Future[dict[str, Any]], tuple[str, int, bool]] = {}
        for run in runs:
            for fold in folds:
                job = run.job(suite, fold, work=work, threads=threads)
                jobs = [run.encoding(suite, fold, work=work, threads=threads), job]
                task = _task(pool, jobs, states[run.key])
                pending[pool.submit(task)] = (run.key, fold.index, job.done)
        while pending:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                key, index, earlier = pending.pop(future)
                state = states[key]
                state.outcomes[index] = future.result()
                if not earlier:
                    advance(1)
                if len(state.outcomes) == len(folds):
                    finish(state)


def _task(pool: Pool, jobs: list[Any], state: _State) -> Callable[[], dict[str, Any]]:
    # Bound here and not in the loop, where every closure would see the last job.
    def task() -> dict[str, Any]:
        return {"skipped": "another fold failed"} if state.failed else pool.run(jobs)

    return task


def _record(judge: Judge, state: _State, sections: Sequence[Section], work: Path) -> RunRecord:
    run = state.run
    failed = state.failed
    if failed is None and not any("not_applicable" in o for o in state.outcomes.values()):
        try:
            scores = judge.score([run.folder(work, fold.index) for fold in judge.folds])
        except HistoScribeError as err:
            failed = {"fold": None, "error": type(err).__name__, "message": str(err), "log": []}
        else:
            return run_record(judge, run, state.outcomes, scores, sections)
    return failure_record(judge, run, state.outcomes, failed, sections)
