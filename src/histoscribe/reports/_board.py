"""Board page: boards of suites as one HTML file, without any network, in English and Chinese."""

from __future__ import annotations

import base64
import hashlib
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from histoscribe.bench import board_text
from histoscribe.core.errors import DataError
from histoscribe.core.files import atomic_path
from histoscribe.metrics import METRICS
from histoscribe.reports._panels import chart_uri
from histoscribe.reports._report import _environment
from histoscribe.reports._study_board import both, study_context
from histoscribe.reports._words import Text, words
from histoscribe.reports.board_charts import board_figure, differences_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench.board import Board, BoardRow
    from histoscribe.bench.studies._board import StudyBoard

__all__ = ["board_page"]

_THEMES = ("light", "dark")


def board_page(boards: Sequence[Board], studies: Sequence[StudyBoard] = (), *, path: Path | str) -> Path:
    """Write boards as one HTML file that loads nothing from anywhere.

    For each suite, in this order: which controls beat which methods, failures, scores with ceilings, gene subsets,
    published values, paired differences, cost. Then the studies, a table for each case.

    Raises
    ------
    DataError
        If there is no board.
    StorageError
        If the disk is full; an older file at `path` stays as it was.
    """
    if not boards and not studies:
        msg = "no record was found, so there is no board to write. Run `histoscribe bench run SUITE` first."
        raise DataError(msg)
    context: dict[str, Any] = {"boards": [_context(b) for b in boards], "version": version("histoscribe")}
    context["studies"] = [study_context(b) for b in studies]
    records = [row.record for b in boards for row in b.rows]
    records += [r for b in studies for table in b.tables for row in table.rows for r in row.records]
    context["synthetic"] = all(record.synthetic for record in records)
    page = _environment().get_template("board.html.j2").render(context | _assets())
    path = Path(path)
    with atomic_path(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _context(board: Board) -> dict[str, Any]:
    figures = {theme: chart_uri(board_figure(board, theme=theme)) for theme in _THEMES}
    apart = {theme: differences_figure(board, theme=theme) for theme in _THEMES}
    differences = {theme: chart_uri(figure) for theme, figure in apart.items() if figure is not None}
    return {
        "board": board,
        "heading": both(board.heading),
        "notes": [both(note) for note in board.notes],
        "wins": [_win(wins) for wins in board_text.grouped_wins(board)],
        "metrics": [_metric(name) for name in board.metrics],
        "tables": [
            {"heading": heading, "name": name, "rows": _rows(board, name), "ceilings": _ceilings(board, name)}
            for name, heading in [("", None), *((n, both(h)) for n, h in board.subsets.items())]
        ],
        "published": board_text.published_table(board),
        "sources": list(dict.fromkeys(f"{v.source or '–'}: {v.text}" for v in board.published)),
        "elsewhere": board.elsewhere,
        "differences": [_difference(d) for d in board.differences],
        "cost": board_text.cost_table(board).rows,
        "unit": Text(f"board_unit_{board.unit}"),
        "chart": figures,
        "difference_chart": differences or None,
        "dirty": any("+dirty" in row.record.commit for row in board.rows),
    }


def _win(wins: Sequence[Any]) -> Text:
    first = wins[0]
    listed = [
        Text("board_win", control=_control(w.control), name=w.control, value=board_text.number(w.control_value))
        for w in wins
    ]
    own = board_text.number(first.method_value)
    return Text("board_beaten", method=first.method, metric=first.metric, own=own, controls=listed)


def _control(name: str) -> Text | str:
    return Text(f"control_{name}") if f"control_{name}" in words() else name


def _metric(name: str) -> dict[str, str]:
    metric = METRICS.get(name)
    unit = "" if metric.unit == "1" else f" ({metric.unit})"
    return {"name": name, "arrow": board_text.ARROWS[metric.direction], "best": f"{metric.best:g}{unit}"}


def _rows(board: Board, subset: str) -> list[dict[str, Any]]:
    return [_row(board, row, subset) for row in board.rows]


def _row(board: Board, row: BoardRow, subset: str) -> dict[str, Any]:
    scores = row.scores(subset)
    best = {m: _best(board, m, subset) for m in board.metrics}
    cells = []
    for metric in board.metrics:
        value, lower = scores.get(metric), scores.get(f"{metric}_lower")
        interval = (
            "" if lower is None else f"{board_text.number(lower)}, {board_text.number(scores[f'{metric}_upper'])}"
        )
        rival = row.kind != "method" and value is not None and best[metric] is not None
        wins = bool(rival and METRICS.get(metric).better(value, best[metric]))
        cells.append({"text": board_text.number(value), "interval": interval, "wins": wins})
    about = Text("board_baseline") if row.label == "baseline" else _about(row)
    return {"title": row.title, "method": row.kind == "method", "about": about, "cells": cells}


def _about(row: BoardRow) -> Text | str:
    key = f"about_{row.record.method}"
    return Text(key) if row.kind != "method" and key in words() else ""


def _best(board: Board, metric: str, subset: str) -> float | None:
    found: float | None = None
    for row in board.methods:
        value = row.scores(subset).get(metric)
        if value is not None and (found is None or METRICS.get(metric).better(value, found)):
            found = value
    return found


def _ceilings(board: Board, subset: str) -> list[tuple[Text, list[str]]]:
    rows = board_text.score_table(board, subset).rows[len(board.rows) :]
    keys = {"noise": "board_ceiling", "known": "board_known"}
    return [(Text(keys[row[0].split()[0]]), row[1:]) for row in rows]


def _difference(d: Any) -> dict[str, Any]:
    interval = "–" if d.lower is None else f"{board_text.number(d.lower)}, {board_text.number(d.upper)}"
    role = Text("board_best_method" if d.role == "best method" else "board_best_control")
    return {"d": d, "mean": board_text.number(d.mean), "interval": interval, "role": role}


def _assets() -> dict[str, Any]:
    folder = files("histoscribe.reports").joinpath("templates")
    style, script = (folder.joinpath(name).read_text(encoding="utf-8") for name in ("report.css", "board.js"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return {"style": Markup(style), "script": Markup(script), "script_hash": digest}
