"""Boards as JSON: one shape for suites and studies, numbers as numbers."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from histoscribe.bench.board import HEADLINES
from histoscribe.bench.board_text import cost_table, published_table, sentences
from histoscribe.bench.studies._board import StudyBoard
from histoscribe.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from histoscribe.bench.board import Board, BoardRow
    from histoscribe.bench.studies._board import StudyRow, StudyTable
    from histoscribe.core.records import RunRecord

__all__ = ["board_out"]

_CEILINGS = {"noise": "ceiling_", "known": "known_"}


def board_out(key: str, board: Board | StudyBoard) -> dict[str, Any]:
    """Return everything about a board."""
    return _line(key, board) | (_study(board) if isinstance(board, StudyBoard) else _suite(board))


def _line(key: str, board: Board | StudyBoard) -> dict[str, Any]:
    study = isinstance(board, StudyBoard)
    return {
        "id": key,
        "version": board.version,
        "kind": "study" if study else "suite",
        "family": board.family if study else "expression",
        "protocol": board.protocol,
        "heading": _both(board.heading),
        "unit": board.unit,
        "n": (board.tables[0].n if board.tables else {}) if study else board.n,
        "best": _best_of_study(board) if study else _best(board),
        "beaten": _beaten(board),
    }


def _beaten(board: Board | StudyBoard) -> int:
    """Count the methods that a control beats in the headline score (of a study: in any of its cases)."""
    if isinstance(board, StudyBoard):
        return len({w.method for table in board.tables for w in table.wins})
    return len({w.method for w in board.wins if w.metric == HEADLINES[0]})


def _best(board: Board) -> dict[str, Any] | None:
    rows = board.rows[:1]
    if not rows or not board.metrics:
        return None
    lead = next((m for m in HEADLINES if m in board.metrics), board.metrics[0])
    value = _number(rows[0].scores().get(lead))
    return None if value is None else _named(rows[0].title, rows[0].kind, lead, value)


def _best_of_study(board: StudyBoard) -> dict[str, Any] | None:
    for row in board.tables[0].rows[:1] if board.tables else ():
        value = row.value(board.metrics[0].name)
        if value is not None:
            return _named(row.label, "control" if row.control else "method", board.metrics[0].name, value.mean)
    return None


def _named(title: str, kind: str, metric: str, value: float) -> dict[str, Any]:
    return {"title": title, "kind": kind, "metric": metric, "value": value}


def _suite(board: Board) -> dict[str, Any]:
    keys = {"": None} | dict(board.subsets)
    tables = [
        {
            "key": key,
            "heading": heading and _both(heading),
            "rows": [_row(row, board.metrics, key) for row in board.rows],
            "ceilings": _ceilings(board.subset_ceilings.get(key, {}) if key else board.ceiling, board.metrics),
        }
        for key, heading in keys.items()
    ]
    published = published_table(board)
    return {
        "seeds": sorted({row.record.seed for row in board.rows}),
        "dirty": any("+dirty" in row.record.commit for row in board.rows),
        "notes": [_both(note) for note in board.notes],
        # Who is beaten by a control is told in `wins`, as numbers.
        "sentences": [s for s in sentences(board) if not s.startswith("Controls beat ")],
        "wins": _wins(("", w.method, w.metric, w.method_value, w.control, w.control_value) for w in board.wins),
        "failures": [{"title": r.title, "message": str(r.record.failure.get("message", ""))} for r in board.failures],
        "not_applicable": [
            {"title": r.title, "reason": str(r.scores()["not_applicable"])} for r in board.not_applicable
        ],
        "fixes": _fixes(board),
        "metrics": [_metric(name) for name in _headlines_first(board.metrics)],
        "tables": tables,
        "differences": [_finite(asdict(d) | {"table": "", "clear": d.clear}) for d in board.differences],
        "cost": _table(cost_table(board)),
        "published": published and _table(published),
        "published_sources": list(dict.fromkeys(f"{v.source or 'no record'}: {v.text}" for v in board.published)),
        "elsewhere": [_finite(asdict(v)) for v in board.elsewhere],
    }


def _study(board: StudyBoard) -> dict[str, Any]:
    from histoscribe.bench.studies._text import study_sentences

    said = [s for table in board.tables for s in study_sentences(board, table)]
    wins = [(t.case, w.method, w.metric, w.own, *c) for t in board.tables for w in t.wins for c in w.controls]
    return {
        "seeds": list(board.seeds),
        "dirty": board.dirty,
        "notes": [_both(note) for note in board.notes],
        "sentences": list(dict.fromkeys(s for s in said if not s.startswith("Controls beat "))),
        "wins": _wins(wins),
        "failures": [],
        "not_applicable": [],
        "fixes": {"protocol": board.protocol, "family": board.family, "paired by": board.unit or "seed"},
        "metrics": [asdict(m) | {"unit": ""} for m in board.metrics],
        "tables": [_study_table(board, table) for table in board.tables],
        "differences": [
            _finite(asdict(d) | {"table": t.case, "clear": d.clear}) for t in board.tables for d in t.differences
        ],
        "cost": _study_cost(board),
        "published": None,
        "published_sources": [],
        "elsewhere": [],
    }


def _study_table(board: StudyBoard, table: StudyTable) -> dict[str, Any]:
    heading = {"en": table.case, "zh": table.case} if table.case else None
    rows = [_study_row(board, row) for row in table.rows]
    return {"key": table.case, "heading": heading, "rows": rows, "ceilings": []}


def _study_row(board: StudyBoard, row: StudyRow) -> dict[str, Any]:
    values = {m.name: row.value(m.name) for m in board.metrics}
    scores = {
        name: _finite({"value": v.mean, "lower": v.lower, "upper": v.upper})
        for name, v in values.items()
        if v is not None
    }
    kind = "control" if row.control else "method"
    encoders = sorted({r.encoder for r in row.records if r.encoder})
    return {
        "title": row.label,
        "kind": kind,
        "label": "",
        "encoder": ", ".join(encoders),
        "scores": scores,
        "records": [_name(r) for r in row.records],
    }


def _study_cost(board: StudyBoard) -> dict[str, Any]:
    header = ["", "s a run", "device", "seeds"]
    rows = [
        [
            row.label,
            f"{sum(r.seconds for r in row.records) / len(row.records):.1f}",
            row.records[0].device,
            str(len(row.records)),
        ]
        for table in board.tables
        for row in table.rows
    ]
    return {"header": header, "rows": rows}


def _headlines_first(metrics: Iterable[str]) -> list[str]:
    return sorted(metrics, key=lambda m: HEADLINES.index(m) if m in HEADLINES else len(HEADLINES))


def _row(row: BoardRow, metrics: Iterable[str], subset: str) -> dict[str, Any]:
    held = row.scores(subset)
    scores = {}
    for metric in metrics:
        value = _number(held.get(metric))
        if value is not None:
            ends = {end: _number(held.get(f"{metric}_{end}")) for end in ("lower", "upper")}
            scores[metric] = {"value": value} | ends
    return {
        "title": row.title,
        "kind": row.kind,
        "label": row.label,
        "encoder": row.record.encoder,
        "scores": scores,
        "records": [_name(row.record)],
    }


def _name(record: RunRecord) -> dict[str, Any]:
    return {"benchmark": record.benchmark, "method": record.method, "id": record.id, "seed": record.seed}


def _ceilings(ceiling: Mapping[str, float], metrics: Iterable[str]) -> list[dict[str, Any]]:
    found = []
    for label, prefix in _CEILINGS.items():
        scores = {m: value for m in metrics if (value := _number(ceiling.get(f"{prefix}{m}"))) is not None}
        if scores:
            found.append({"label": label, "scores": scores})
    return found


def _wins(rows: Iterable[tuple[str, str, str, float, str, float]]) -> list[dict[str, Any]]:
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for table, method, metric, own, control, value in rows:
        new = {"table": table, "method": method, "metric": metric, "own": own, "controls": []}
        groups.setdefault((table, method, metric), new)["controls"].append({"title": control, "value": value})
    return list(groups.values())


def _fixes(board: Board) -> dict[str, str]:
    from histoscribe.bench.about import stated_facts
    from histoscribe.bench.suite import load_suite, suite_names

    if board.id in suite_names() and (suite := load_suite(board.id)).version == board.version:
        return {k: v for k, v in stated_facts(suite).items() if k not in {"suite", "heading"}}
    return {"target": board.target, "protocol": board.protocol}


def _metric(name: str) -> dict[str, Any]:
    if name not in METRICS:
        return {"name": name, "direction": "higher", "best": None, "unit": "", "summary": ""}
    metric = METRICS.get(name)
    unit = "" if metric.unit == "1" else metric.unit
    return {"name": name, "direction": metric.direction, "best": metric.best, "unit": unit, "summary": metric.summary}


def _both(heading: Any) -> dict[str, str]:
    return {"en": heading.en, "zh": heading.zh}


def _table(table: Any) -> dict[str, Any]:
    return {"header": table.header, "rows": table.rows}


def _number(value: Any) -> float | None:
    value = value.get("mean", value.get("value")) if isinstance(value, dict) else value
    plain = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if plain else None


def _finite(value: dict[str, Any]) -> dict[str, Any]:
    """Return the values with those that JSON cannot hold as null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in value.items()}
