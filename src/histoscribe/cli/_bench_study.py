"""What `histoscribe bench` does with studies: list, show, run and board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from histoscribe.bench.studies import Study
    from histoscribe.bench.studies._board import StudyBoard
    from histoscribe.bench.studies._run import StudyDone


def study_called(name: str) -> Study | None:
    """Return the study of that name, or None where it is none."""
    from histoscribe.bench.studies import STUDIES

    return STUDIES.get(name)() if name in STUDIES else None


def every_study() -> list[Study]:
    """Return all studies, in order of name."""
    from histoscribe.bench.studies import STUDIES

    return [STUDIES.get(name)() for name in STUDIES]


def study_facts(study: Study) -> dict[str, Any]:
    """Return what a study fixes, and what of its data is missing, as JSON values."""
    from histoscribe.bench.suite import data_root

    return {
        "id": study.id,
        "version": study.version,
        "protocol": study.protocol,
        "family": study.family,
        "heading": study.heading.en,
        "missing_files": len(study.missing(data_root())),
    }


def show_study(study: Study) -> None:
    """Print what a study fixes."""
    from histoscribe.bench.suite import data_root

    missing = study.missing(data_root())
    rows = "; ".join(
        f"{e.label}{' (control)' if e.control else ''}{' (slow)' if e.slow else ''}" for e in study.entries
    )
    facts = {
        "study": f"{study.id}, version {study.version}, protocol {study.protocol}, family {study.family}",
        "heading": study.heading.en,
        "rows": rows,
        "metrics": ", ".join(study.metrics),
        "paired by": study.unit or "seed",
        "seeds": ", ".join(map(str, study.seeds)),
        "data": "generated" if not study.files else f"missing: {', '.join(missing)}" if missing else "here",
    }
    for key, value in facts.items():
        typer.echo(f"{key + ':':<14}{value}")
    for note in study.notes:
        typer.echo(f"- {note.en}")


def run_studies(
    study: Study, *, methods: Sequence[str], seeds: Sequence[int], out: Path, slow: bool, fresh: bool, any_code: bool
) -> None:
    """Run a study and tell what failed at the end."""
    from histoscribe.bench.studies._run import run_study

    done = run_study(
        study,
        methods=methods,
        seeds=seeds,
        out=out,
        slow=slow,
        fresh=fresh,
        any_code=any_code,
        report=lambda d: typer.echo(_line(study, d)),
    )
    failed = [f"{d.entry.label} (seed {d.seed})" for d in done if d.failure]
    if failed:
        msg = (
            f"{len(failed)} of {len(done)} runs failed: {', '.join(failed)}. Mend them and run the same command again."
        )
        raise DataError(msg)


def _line(study: Study, done: StudyDone) -> str:
    name = f"{done.entry.label}, seed {done.seed}"
    if done.failure:
        return f"{name}: FAILED, {done.failure}"
    lead = study.metrics[0]
    values = [r.scores.get(done.entry.label, {}).get(lead) for r in done.records]
    shown = ", ".join(f"{v:.4g}" for v in values if v is not None)
    when = "recorded before" if done.earlier else f"{sum(r.seconds for r in done.records):.1f} s"
    return f"{name}: {lead} {shown} ({when})"


def print_study_board(board: StudyBoard) -> None:
    """Print a study's tables."""
    from rich.console import Console

    from histoscribe.bench.studies import _text
    from histoscribe.cli.bench import _print_table

    console = Console()
    console.print(f"\n{board.id}, version {board.version} [{board.protocol}]", style="bold", markup=False)
    for sentence in (board.heading.en, *(f"- {note.en}" for note in board.notes)):
        console.print(sentence, markup=False, highlight=False)
    for table in board.tables:
        for sentence in _text.study_sentences(board, table):
            console.print(f"- {sentence}", markup=False, highlight=False)
        _print_table(console, table.case or "scores", _text.study_scores(board, table))
        apart = _text.study_differences(board, table)
        if apart is not None:
            _print_table(console, f"paired differences in {board.metrics[0].name}", apart)
