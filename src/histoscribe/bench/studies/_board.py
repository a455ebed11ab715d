"""Boards of studies: a table for each case, controls that win, and paired differences to the best control."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.bench.paired import Difference, student
from histoscribe.bench.studies._metrics import MetricFacts, metric_facts
from histoscribe.bench.suite import Heading
from histoscribe.core.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench.studies._study import Study

__all__ = ["StudyBoard", "StudyRow", "StudyTable", "StudyWin", "load_study_records", "make_study_boards"]


@dataclass(frozen=True)
class Value:
    """A mean with its 95 % Student interval over `n` units or seeds; no interval for a single one."""

    mean: float
    lower: float | None
    upper: float | None
    n: int


@dataclass(frozen=True, eq=False)
class StudyRow:
    """One row: its label, whether it is a control, and its records, one a seed."""

    label: str
    control: bool
    records: list[RunRecord]
    unit: str

    def units(self, metric: str) -> dict[str, float]:
        """Return the values that are averaged: of each unit (mean over its sections and the seeds), or of each seed."""
        if not self.unit:
            scores = {str(r.seed): r.scores.get(self.label, {}).get(metric) for r in self.records}
            return {seed: float(v) for seed, v in scores.items() if v is not None}
        found: dict[str, list[float]] = {}
        for record in self.records:
            for row in record.per_section:
                if row.get(metric) is not None:
                    found.setdefault(str(row.get(self.unit)), []).append(float(row[metric]))
        return {unit: float(np.mean(values)) for unit, values in found.items()}

    def value(self, metric: str) -> Value | None:
        """Return the mean over units or seeds, or over the records' own scores where units have none."""
        values = list(self.units(metric).values())
        if not values:
            own = [r.scores.get(self.label, {}).get(metric) for r in self.records]
            values = [float(v) for v in own if v is not None]
            return Value(float(np.mean(values)), None, None, len(values)) if values else None
        return Value(*student(values), len(values))


@dataclass(frozen=True)
class StudyWin:
    """Controls (label and value) that beat a method in the headline metric."""

    method: str
    metric: str
    own: float
    controls: tuple[tuple[str, float], ...]


@dataclass(frozen=True, eq=False)
class StudyTable:
    """One case of a study: rows best first, controls below."""

    case: str
    rows: list[StudyRow]
    n: dict[str, int]
    wins: list[StudyWin] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class StudyBoard:
    """Everything that is shown of one study; the attributes are those of `Study`."""

    id: str
    version: str
    family: str
    protocol: str
    heading: Heading
    notes: tuple[Heading, ...]
    metrics: tuple[MetricFacts, ...]
    unit: str
    seeds: tuple[int, ...]
    tables: list[StudyTable]
    dirty: bool


def load_study_records(folder: Path | str, study: str) -> list[RunRecord]:
    """Read a study's records below `folder`, in order of path."""
    return [RunRecord.load(path) for path in sorted((Path(folder) / study).glob("*/*.json"))]


def make_study_boards(studies: Sequence[Study], folder: Path | str = "results") -> list[StudyBoard]:
    """Return the boards of those `studies` that have records of their present version below `folder`."""
    found = []
    for study in studies:
        records = [r for r in load_study_records(folder, study.id) if r.benchmark_version == study.version]
        if records:
            found.append(_board(study, records))
    return found


def _board(study: Study, records: Sequence[RunRecord]) -> StudyBoard:
    facts = tuple(metric_facts(study, name) for name in study.metrics)
    cases = dict.fromkeys(str(r.split.get("case", "")) for r in records)
    tables = [
        _table(study, case, [r for r in records if str(r.split.get("case", "")) == case], facts) for case in cases
    ]
    return StudyBoard(
        id=study.id,
        version=study.version,
        family=study.family,
        protocol=study.protocol,
        heading=study.heading,
        notes=study.notes,
        metrics=facts,
        unit=study.unit,
        seeds=tuple(sorted({r.seed for r in records})),
        tables=tables,
        dirty=any("+dirty" in r.commit for r in records),
    )


def _table(study: Study, case: str, records: Sequence[RunRecord], facts: Sequence[MetricFacts]) -> StudyTable:
    groups: dict[str, dict[int, RunRecord]] = {}
    for record in sorted(records, key=lambda r: r.created):
        for label in record.scores:
            groups.setdefault(label, {})[record.seed] = record  # the newest of a seed stands
    rows = [
        StudyRow(label, group[min(group)].kind == "control", [group[s] for s in sorted(group)], study.unit)
        for label, group in groups.items()
    ]
    lead = facts[0]
    rows.sort(key=lambda row: (row.control, _rank(row.value(lead.name), lead), row.label))
    n = rows[0].records[0].n if rows else {}
    return StudyTable(case, rows, n, _wins(rows, lead), _differences(rows, lead, study.unit or "seed"))


def _rank(value: Value | None, metric: MetricFacts) -> float:
    if value is None:
        return float("inf")
    return -value.mean if metric.direction == "higher" else value.mean


def _wins(rows: Sequence[StudyRow], metric: MetricFacts) -> list[StudyWin]:
    found = []
    controls = [(row, v) for row in rows if row.control and (v := row.value(metric.name)) is not None]
    for row in rows:
        own = row.value(metric.name)
        if row.control or own is None:
            continue
        better = tuple((c.label, v.mean) for c, v in controls if _rank(v, metric) < _rank(own, metric))
        if better:
            found.append(StudyWin(row.label, metric.name, own.mean, better))
    return found


def _differences(rows: Sequence[StudyRow], metric: MetricFacts, unit: str) -> list[Difference]:
    """Compare every method with the best control and with the best method."""
    found = []
    methods, controls = ([row for row in rows if row.control is kind] for kind in (False, True))
    for role, rivals in (("best control", controls), ("best method", methods)):
        known = [row for row in rivals if row.value(metric.name) is not None]
        if not known:
            continue
        best = min(known, key=lambda row: (_rank(row.value(metric.name), metric), row.label))
        against = best.units(metric.name)
        for row in methods:
            own = row.units(metric.name)
            common: list[Any] = [key for key in own if key in against]
            if row is not best and common:
                mean, lower, upper = student([own[key] - against[key] for key in common])
                found.append(
                    Difference(row.label, best.label, role, metric.name, unit, len(common), mean, lower, upper)
                )
    return found
