"""Encode many slides and write the report as they end."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.core.errors import DataError
from histoscribe.core.progress import progress
from histoscribe.encoders.batch._executors import Executor
from histoscribe.encoders.batch._report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.encoders.batch._job import SlideJob

__all__ = ["encode_many"]


def encode_many(
    jobs: Sequence[SlideJob],
    out: Path | str,
    *,
    executor: Executor | None = None,
    stop_on_error: bool = False,
    show: bool | None = None,
) -> Report:
    """Encode many slides, each into a file of its own; one that fails does not stop the others.

    A run can be killed at any time, and the same call goes on: finished slides are skipped, and of an unfinished one
    its finished batches are kept. Two runs on one folder share the work.

    Parameters
    ----------
    jobs
        From `jobs_of`.
    out
        Folder of the report: ``report.md``, ``report.json`` and ``runs/<id>.json``, written anew after each slide.
    executor
        Where the jobs run; default this process.
    stop_on_error
        Start no other slide after one that failed.
    show
        Show progress, rate and time left; default where stderr is a terminal.

    Returns
    -------
    The report, with one outcome a slide.

    Raises
    ------
    DataError
        If there is nothing to do.
    LostSchedulerError
        If a cluster went away; the report holds what was finished.
    """
    if not jobs:
        msg = f"there is no slide to encode into {out}. Give slides, a folder of slides, or a --list."
        raise DataError(msg)
    report = Report(Path(out), jobs)
    report.write()
    run = executor or Executor()
    named = [replace(job, settings=replace(job.settings, run=report.id)) for job in jobs]
    with progress("encode", len(jobs), unit="slides", show=show) as advance, closing(run.run(named)) as outcomes:
        for outcome in outcomes:
            report.add(outcome)
            advance(1, f"{report.new_tiles} tiles, {report.tiles_per_s:.3g} tiles/s")
            if stop_on_error and outcome.state == "failed":
                break
    report.finish()
    return report
