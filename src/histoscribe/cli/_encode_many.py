"""The part of `histoscribe encode` that takes folders and lists of slides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.encoders.batch import Executor, Report, Settings, SlideJob

__all__ = ["default_threads_each", "is_folder_of_slides", "make_jobs", "run_jobs"]


def is_folder_of_slides(text: str) -> bool:
    """Say whether `text` is a folder that is not itself a section (an ``outs`` folder, a DICOM slide, ...)."""
    from histoscribe.io import detect_reader

    path = Path(text)
    if not path.is_dir():
        return False
    try:
        detect_reader(path)
    except DataError:
        return True
    return False


def make_jobs(
    paths: Sequence[str],
    listed: Path | None,
    settings: Settings,
    out: Path | None,
    *,
    mpp: float | None,
    nested: bool,
    match: str,
) -> list[SlideJob]:
    """Find the slides of folders, single files and a list."""
    from histoscribe.encoders.batch import FoundSlide, find_slides, jobs_of, listed_slides

    if out is None or out.suffix == ".h5ad":
        msg = "many slides are encoded into a folder, one file each. Give it by --out FOLDER."
        raise DataError(msg)
    found = listed_slides(listed) if listed is not None else []
    for text in paths:
        if Path(text).is_dir() and is_folder_of_slides(text):
            found += find_slides(text, nested=nested, match=match)
        elif Path(text).exists():
            found.append(FoundSlide(Path(text)))
        else:
            msg = f"{text} does not exist. Beside folders of slides give paths of slides, without ?options."
            raise DataError(msg)
    return jobs_of(found, settings, out, mpp=mpp)


def run_jobs(
    jobs: list[SlideJob], out: Path, executor: Executor, *, stop_on_error: bool, show: bool | None, as_json: bool
) -> None:
    """Run and say what became of the slides; exit status 1 where some are not done."""
    from histoscribe.encoders.batch import encode_many

    report = encode_many(jobs, out, executor=executor, stop_on_error=stop_on_error, show=show)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        _say(report, out)
    if report.failed:
        raise typer.Exit(1)


def _say(report: Report, out: Path) -> None:
    for outcome in report.failed:
        typer.echo(f"{outcome.state}: {outcome.name}: {outcome.error}", err=True)
    facts = report.to_dict()
    counts = ", ".join(f"{n} {state}" for state, n in facts["slides"].items() if n)
    typer.echo(f"{counts}; {facts['new_tiles']} new tiles in {facts['seconds']:.1f} s -> {out / 'report.md'}")


def default_threads_each(workers: int) -> int:
    """Share the free cores among processes, so that they do not stand in each other's way."""
    from histoscribe.core.processes import free_cores
    from histoscribe.encoders._encoder import default_threads

    return max(1, min(default_threads(), free_cores() // workers))
