"""Boards of studies as tables and sentences of text, the same in terminal, Markdown and HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.bench.board_text import ARROWS, NONE, Table, number, table_markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench.studies._board import StudyBoard, StudyTable
    from histoscribe.bench.studies._metrics import MetricFacts

__all__ = ["study_differences", "study_markdown", "study_scores", "study_sentences"]


def study_scores(board: StudyBoard, table: StudyTable) -> Table:
    """Return rows by metric, with intervals over units or seeds, seconds a run, and the code that ran."""
    header = ["", *(_name(m) for m in board.metrics), "seeds", "s a run", "code"]
    rows = []
    for row in table.rows:
        cells = [f"{row.label} (control)" if row.control else row.label]
        for metric in board.metrics:
            value = row.value(metric.name)
            text = NONE if value is None else number(value.mean, 4)
            if value is not None and value.upper is not None:
                text += f" ± {number(value.upper - value.mean, 4)}"
            cells.append(text)
        seconds = sum(r.seconds for r in row.records) / len(row.records)
        commits = sorted({r.commit.partition("+")[0][:8] for r in row.records})
        rows.append([*cells, str(len(row.records)), number(seconds, 1), ", ".join(commits)])
    return Table(header, rows)


def _name(metric: MetricFacts) -> str:
    best = "" if metric.best is None else f" {metric.best:g}"
    return f"{metric.name} {ARROWS[metric.direction]}{best}"


def study_differences(board: StudyBoard, table: StudyTable) -> Table | None:
    """Return paired differences in the headline metric, or None where there are none."""
    if not table.differences:
        return None
    header = ["", "less", "mean difference", "95 % interval", f"n ({board.unit or 'seed'}s)", "clear of 0"]
    rows = []
    for d in table.differences:
        interval = NONE if d.lower is None else f"[{number(d.lower, 4)}, {number(d.upper, 4)}]"
        clear = NONE if d.lower is None else "yes" if d.clear else "no"
        rows.append([d.method, f"{d.against} ({d.role})", number(d.mean, 4), interval, str(d.n), clear])
    return Table(header, rows)


def study_sentences(board: StudyBoard, table: StudyTable) -> list[str]:
    """Return what must be read before the table, controls that win first."""
    said = [
        f"Controls beat {w.method} in {w.metric}, which reaches {number(w.own, 4)}: "
        f"{', '.join(f'{label} {number(value, 4)}' for label, value in w.controls)}."
        for w in table.wins
    ]
    if not said and any(r.control for r in table.rows) and not all(r.control for r in table.rows):
        said.append(f"No control beats a method in {board.metrics[0].name}.")
    over = f"over {board.unit}s" if board.unit else f"over the seeds {', '.join(map(str, board.seeds))}"
    said.append(f"± is half the 95 % Student interval {over}; n: {_counts(table)}.")
    if board.dirty:
        said.append("Some records were run from changed, uncommitted code.")
    return said


def _counts(table: StudyTable) -> str:
    return ", ".join(f"{value} {name}" for name, value in sorted(table.n.items())) or "not stated"


def study_markdown(boards: Sequence[StudyBoard], *, level: int = 2) -> str:
    """Return boards as Markdown; the same records give the same text."""
    mark, parts = "#" * level, []
    for board in boards:
        parts.append(f"{mark} {board.id}, version {board.version}\n\n{board.heading.en.rstrip('.')}.\n")
        parts.append(f"Family: {board.family}. Protocol: {board.protocol}.\n")
        parts.append("".join(f"- `{m.name}`: {m.summary}\n" for m in board.metrics))
        if board.notes:
            parts.append("".join(f"- {note.en}\n" for note in board.notes))
        for table in board.tables:
            title = f"{mark}# {table.case[:1].upper()}{table.case[1:]}" if table.case else f"{mark}# Scores"
            parts.append(f"{title}\n\n" + "\n".join(f"- {s}" for s in study_sentences(board, table)) + "\n")
            parts.append(table_markdown(study_scores(board, table)))
            apart = study_differences(board, table)
            if apart is not None:
                parts.append(f"Paired differences in `{board.metrics[0].name}`:\n\n{table_markdown(apart)}")
    return "\n".join(parts)
