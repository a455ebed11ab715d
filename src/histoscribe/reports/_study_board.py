"""What the board page shows of a study."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from histoscribe.bench.board_text import ARROWS, number
from histoscribe.bench.studies import _text
from histoscribe.reports._panels import chart_uri
from histoscribe.reports._words import Text
from histoscribe.reports.study_charts import study_figure

if TYPE_CHECKING:
    from histoscribe.bench.studies._board import StudyBoard, StudyTable, StudyWin
    from histoscribe.bench.suite import Heading

__all__ = ["both", "study_context"]

_THEMES = ("light", "dark")


def both(heading: Heading) -> Markup:
    """Return both languages; the style sheet shows the chosen one."""
    return Markup('<span class="t" lang="en">{}</span><span class="t" lang="zh-Hans">{}</span>').format(
        heading.en, heading.zh
    )


def study_context(board: StudyBoard) -> dict[str, Any]:
    """Return what the template needs of one study."""
    return {
        "board": board,
        "heading": both(board.heading),
        "notes": [both(note) for note in board.notes],
        "unit": Text(f"board_unit_{board.unit or 'seed'}"),
        "metrics": [
            {"name": m.name, "arrow": ARROWS[m.direction], "best": "" if m.best is None else f"{m.best:g}"}
            for m in board.metrics
        ],
        "tables": [_table(board, table) for table in board.tables],
    }


def _table(board: StudyBoard, table: StudyTable) -> dict[str, Any]:
    scores = _text.study_scores(board, table)
    apart = _text.study_differences(board, table)
    return {
        "case": table.case,
        "n": ", ".join(f"{value:,} {name}" for name, value in sorted(table.n.items())),
        "wins": [_win(win) for win in table.wins],
        "rows": [
            {"title": row.label, "control": row.control, "cells": cells[1:]}
            for row, cells in zip(table.rows, scores.rows, strict=True)
        ],
        "differences": [] if apart is None else apart.rows,
        "chart": {theme: chart_uri(study_figure(board, table, theme=theme)) for theme in _THEMES},
    }


def _win(win: StudyWin) -> Text:
    listed = [Text("board_win", control=label, name=label, value=number(value, 4)) for label, value in win.controls]
    return Text("board_beaten", method=win.method, metric=win.metric, own=number(win.own, 4), controls=listed)
