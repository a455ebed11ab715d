"""Board: stored records as tables, one for each suite; different protocols, versions or data never share a column."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.bench.controls import CONTROLS
from histoscribe.bench.paired import Difference, differences
from histoscribe.bench.published import PublishedValue, published_values
from histoscribe.bench.suite import Heading, Suite, load_suite, suite_names
from histoscribe.core.errors import DataError
from histoscribe.core.records import RunRecord
from histoscribe.methods import EXPRESSION
from histoscribe.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HEADLINES", "Board", "BoardRow", "Win", "load_records", "make_boards"]

#: The scores that a claim is made on, and the one that depth cannot make.
HEADLINES = ("pcc_gene", "depth_partial_pcc_gene")
#: Label of a method whose card says that any other has to beat it; that controls beat it is no news.
BASELINE = "baseline"


@dataclass(frozen=True, eq=False)
class BoardRow:
    """One method or control.

    Attributes
    ----------
    title
        Name on the board: method, preset, and what else tells it from others of that name.
    record
        The run.
    kind, label
        ``"method"``, or the control's kind; and the control's label, or `BASELINE`.
    """

    title: str
    record: RunRecord
    kind: str
    label: str

    def scores(self, subset: str = "") -> dict[str, Any]:
        """Return metric -> value (with ``_lower`` and ``_upper``) on the panel or a subset of it."""
        if subset:
            return dict(self.record.subsets.get(subset, {}).get("scores", {}))
        return dict(self.record.scores.get(self.record.method, {}))


@dataclass(frozen=True)
class Win:
    """A control that beats a method."""

    control: str
    label: str
    method: str
    metric: str
    control_value: float
    method_value: float


@dataclass(frozen=True, eq=False)
class Board:
    """Everything that is shown of one suite.

    Attributes
    ----------
    id, version, protocol, heading, notes
        The suite's own; of a suite that is not installed only what records say.
    metrics
        Columns.
    subsets
        Name to heading of each gene subset.
    unit
        What is averaged and paired: donor, section or strip.
    n
        Numbers of test observations, sections, donors, genes and folds.
    rows
        Methods, best first, then controls; only those with scores.
    failures, not_applicable
        Runs without scores: title to what is wrong.
    ceiling, subset_ceilings
        What a noise-free predictor would score.
    wins
        Controls that beat methods.
    differences
        Paired differences to the best method and the best control.
    published
        Values that papers report under this very protocol.
    elsewhere
        Values that papers report on these data under other protocols: not comparable.
    tasks
        Tasks of the suite, and whether each takes part in averages over tasks; empty where there are none.
    """

    id: str
    version: str
    protocol: str
    heading: Heading
    notes: tuple[Heading, ...]
    metrics: tuple[str, ...]
    subsets: dict[str, Heading]
    unit: str
    n: dict[str, int]
    target: str
    rows: list[BoardRow]
    failures: list[BoardRow]
    not_applicable: list[BoardRow]
    ceiling: dict[str, float]
    subset_ceilings: dict[str, dict[str, float]]
    wins: list[Win] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    published: list[PublishedValue] = field(default_factory=list)
    elsewhere: list[PublishedValue] = field(default_factory=list)
    tasks: dict[str, bool] = field(default_factory=dict)

    @property
    def methods(self) -> list[BoardRow]:
        """Rows of methods, best first."""
        return [r for r in self.rows if r.kind == "method"]

    @property
    def controls(self) -> list[BoardRow]:
        """Rows of controls."""
        return [r for r in self.rows if r.kind != "method"]

    @property
    def clean(self) -> bool:
        """False where a published protocol is reproduced, faults included."""
        return self.protocol == "clean"


def load_records(folder: Path | str = "results", suites: Sequence[str] = ()) -> list[RunRecord]:
    """Read the records of suites below `folder`; default those of every suite that is known here.

    Raises
    ------
    DataError
        If a named suite has no record, or a record is damaged.
    """
    wanted = list(suites) or [name for name in suite_names() if (Path(folder) / name).is_dir()]
    found = []
    for name in wanted:
        paths = sorted((Path(folder) / name).glob("*/*.json"))
        if not paths:
            msg = f"there is no record of suite {name!r} below {folder}. Run `histoscribe bench run {name}` first."
            raise DataError(msg)
        found += [RunRecord.load(path) for path in paths]
    return found


def make_boards(records: Sequence[RunRecord]) -> list[Board]:
    """Return one board for each suite, version, data and target, in order of suite."""
    groups: dict[str, list[RunRecord]] = {}
    for record in records:
        groups.setdefault(_question(record), []).append(record)
    return [_board(group) for _, group in sorted(groups.items())]


def _question(record: RunRecord) -> str:
    """Name what was asked; only answers to the same question share a column."""
    what = [record.benchmark, record.benchmark_version, record.protocol, record.target, record.data]
    return json.dumps([*what, record.split.get("kind"), record.split.get("folds"), record.genes], sort_keys=True)


def _board(records: Sequence[RunRecord]) -> Board:
    first = records[0]
    suite = _suite(first)
    titles = _titles(records)
    rows = [BoardRow(t, r, *_kind(r)) for t, r in zip(titles, records, strict=True)]
    rows.sort(key=lambda row: row.title)
    failures = [row for row in rows if row.record.failure]
    missing = [row for row in rows if "not_applicable" in row.scores()]
    scored = [row for row in rows if row not in failures and row not in missing]
    metrics = suite.metrics if suite else tuple(m for m in METRICS if any(m in r.scores() for r in scored))
    lead = suite.metrics[0] if suite else HEADLINES[0]
    scored.sort(key=lambda row: (row.kind != "method", -row.scores().get(lead, float("-inf")), row.title))
    board = Board(
        id=first.benchmark,
        version=first.benchmark_version,
        protocol=first.protocol,
        heading=suite.heading if suite else Heading(en=first.benchmark, zh=first.benchmark),
        notes=suite.notes if suite else (),
        metrics=metrics,
        subsets={s.name: s.heading for s in suite.subsets} if suite else {},
        unit=str(first.split.get("unit", "donor")),
        n=first.n,
        target=str(first.target.get("unit", "")),
        rows=scored,
        failures=failures,
        not_applicable=missing,
        ceiling=scored[0].record.ceiling if scored else {},
        subset_ceilings=_subset_ceilings(scored),
        published=published_values(first.benchmark) if not suite or not suite.clean else [],
        elsewhere=_elsewhere(suite, scored),
        tasks=_tasks(suite, scored),
    )
    board.wins.extend(_wins(board))
    board.differences.extend(_differences(board))
    return board


def _suite(record: RunRecord) -> Suite | None:
    """Return the suite whose record this is, if it is installed in that version."""
    if record.benchmark not in suite_names():
        return None
    suite = load_suite(record.benchmark)
    return suite if suite.version == record.benchmark_version else None


def _tasks(suite: Suite | None, rows: Sequence[BoardRow]) -> dict[str, bool]:
    """Return the tasks of the records, and whether the suite counts each in an average."""
    apart = suite.data.apart if suite else ()
    sections = rows[0].record.per_section if rows else []
    return {task: task not in apart for task in dict.fromkeys(str(s["task"]) for s in sections if "task" in s)}


def _kind(record: RunRecord) -> tuple[str, str]:
    if record.kind == "method":
        own = record.method in EXPRESSION and EXPRESSION.get(record.method).card.control
        return "method", BASELINE if own else ""
    if record.method not in CONTROLS:
        return "control", ""
    control = CONTROLS.get(record.method)
    return control.kind, control.label


def _titles(records: Sequence[RunRecord]) -> list[str]:
    """Name each run by method and preset, and by whatever tells it from another run of that name."""
    names = [f"{r.method}@{r.preset}" if r.preset else r.method for r in records]
    found = []
    for name, record in zip(names, records, strict=True):
        alike = [r for n, r in zip(names, records, strict=True) if n == name]
        told = [
            text
            for facts in zip(*(_told(r) for r in alike), strict=True)
            if len(set(facts)) > 1 and (text := facts[alike.index(record)])
        ]
        found.append(f"{name} ({'; '.join(told)})" if told else name)
    return found


def _told(record: RunRecord) -> tuple[str, ...]:
    sides = ", ".join(f"{s:g}" for s in record.tiles.get("sides_um", ()))
    parameters = ", ".join(f"{k}={v}" for k, v in sorted(record.params.items()))
    return (f"{sides} um" if sides else "", record.encoder, f"seed {record.seed}", parameters)


def _subset_ceilings(rows: Sequence[BoardRow]) -> dict[str, dict[str, float]]:
    return {name: dict(part.get("ceiling", {})) for row in rows[:1] for name, part in row.record.subsets.items()}


def _elsewhere(suite: Suite | None, rows: Sequence[BoardRow]) -> list[PublishedValue]:
    if suite is None:
        return []
    shown = {row.record.method for row in rows}
    return [v for other in suite.elsewhere for v in published_values(other) if v.method in shown and not v.task]


def _wins(board: Board) -> list[Win]:
    found = []
    for metric in HEADLINES:
        for method in board.methods:
            own = method.scores().get(metric)
            for control in board.controls if method.label != BASELINE else ():
                value = control.scores().get(metric)
                if own is not None and value is not None and METRICS.get(metric).better(value, own):
                    found.append(Win(control.title, control.label, method.title, metric, value, own))
    return found


def _differences(board: Board) -> list[Difference]:
    """Compare every method with the best method and with the best control in both headline scores.

    A diagnostic sees what no slide shows (the measured depth): it is no rival here, but stands among the wins.
    """
    rivals = [r for r in board.controls if r.kind != "diagnostic"]
    found = []
    for metric in HEADLINES:
        for role, rows in (("best method", board.methods), ("best control", rivals)):
            having = [r for r in rows if metric in r.scores()]
            if not having:
                continue
            best = max(having, key=lambda r: (r.scores()[metric], r.title))
            pairs = [(m.title, m.record) for m in board.methods if m is not best]
            found += differences(pairs, (best.title, best.record), metric=metric, role=role, unit=board.unit)
    return found
