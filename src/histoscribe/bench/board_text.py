"""A board's cells and sentences as text, the same in terminal, Markdown and HTML; and the Markdown page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from histoscribe.metrics import METRICS, PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.bench.board import Board, BoardRow, Win
    from histoscribe.bench.published import PublishedValue

__all__ = [
    "ARROWS",
    "NONE",
    "Table",
    "cost_table",
    "difference_table",
    "elsewhere_sentences",
    "grouped_wins",
    "markdown",
    "number",
    "published_table",
    "score_table",
    "sentences",
    "table_markdown",
    "task_tables",
]

ARROWS = {"higher": "↑", "lower": "↓", "nearer": "→"}
#: Metric to the key of its noise ceiling.
_CEILING = {"pcc_gene": "ceiling_pcc_gene", "depth_partial_pcc_gene": "ceiling_depth_partial_pcc_gene"}
_KNOWN = {"pcc_gene": "known_pcc_gene"}
NONE = "–"


@dataclass(frozen=True)
class Table:
    """A table of text: `header` and `rows` of equal length; the first column names the row."""

    header: list[str]
    rows: list[list[str]]


def number(value: Any, digits: int = 3) -> str:
    """Return a number as text, or a dash where there is none."""
    if value is None or not isinstance(value, (int, float)):
        return NONE
    # -0.000 would claim a sign that rounding took away.
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def score_table(board: Board, subset: str = "") -> Table:
    """Return methods, controls and ceilings by metric; intervals over donors where there are several."""
    header = ["", *(_metric_name(m) for m in board.metrics)]
    rows = []
    for row in board.rows:
        scores = row.scores(subset)
        about = row.label or (row.kind if row.kind != "method" else "")
        name = f"{row.title} ({about})" if about else row.title
        rows.append([name, *(_score(scores, metric) for metric in board.metrics)])
    ceiling = board.subset_ceilings.get(subset, {}) if subset else board.ceiling
    for title, keys in (("noise ceiling (count splitting)", _CEILING), ("known ceiling (generated truth)", _KNOWN)):
        if any(key in ceiling for key in keys.values()):
            rows.append([title, *(number(ceiling.get(keys.get(metric, ""))) for metric in board.metrics)])
    return Table(header, rows)


def _metric_name(name: str) -> str:
    metric = METRICS.get(name)
    unit = "" if metric.unit == "1" else f", {metric.unit}"
    return f"{name} {ARROWS[metric.direction]} {metric.best:g}{unit}"


def _score(scores: dict[str, Any], metric: str) -> str:
    text = number(scores.get(metric))
    lower, upper = scores.get(f"{metric}_lower"), scores.get(f"{metric}_upper")
    return text if lower is None else f"{text} [{number(lower)}, {number(upper)}]"


def cost_table(board: Board) -> Table:
    """Return what each run cost: sums over folds, and the largest memory of any fold's process."""
    header = ["", "fit s", "predict s", "peak MB", "parameters", "device", "threads", "seed", "code"]
    rows = []
    for row in board.rows:
        cost, record = row.record.cost, row.record
        learned = cost.get("parameters")
        rows.append(
            [
                row.title,
                number(cost.get("fit_s"), 1),
                number(cost.get("predict_s"), 1),
                number(cost.get("peak_mb"), 0),
                NONE if learned is None else f"{learned:,}",
                record.device,
                str(cost.get("threads", NONE)),
                str(record.seed),
                _code(record.commit),
            ]
        )
    return Table(header, rows)


def _code(commit: str) -> str:
    head, _, dirty = commit.partition("+")
    return head[:8] + (f"+{dirty}" if dirty else "")


def difference_table(board: Board) -> Table:
    """Return paired differences of methods to the best method and the best control."""
    header = ["", "less", "metric", "mean difference", "95 % interval", f"n ({board.unit}s)", "clear of 0"]
    rows = []
    for d in board.differences:
        interval = NONE if d.lower is None else f"[{number(d.lower)}, {number(d.upper)}]"
        clear = NONE if d.lower is None else "yes" if d.clear else "no"
        rows.append([d.method, f"{d.against} ({d.role})", d.metric, number(d.mean), interval, str(d.n), clear])
    return Table(header, rows)


def published_table(board: Board) -> Table | None:
    """Return our scores averaged as the paper does, and beside each the values that papers report."""
    metrics = [m for m in PUBLISHED if any(m in r.record.published for r in board.rows)]
    metrics += [m for m in dict.fromkeys(v.metric for v in board.published) if m not in metrics]
    if not metrics:
        return None
    names = [row.title for row in board.rows]
    others = dict.fromkeys(v.name for v in board.published if not any(_of(r, v) for r in board.rows))
    header = ["", *(text for m in metrics for text in (f"{m}, ours", f"{m}, papers"))]
    rows = []
    for name, row in [*zip(names, board.rows, strict=True), *((name, None) for name in others)]:
        cells = [name if row is not None else f"{name} (not run here)"]
        for metric in metrics:
            own = {} if row is None else row.record.published.get(metric, {})
            found = [v for v in board.published if v.metric == metric and not v.task]
            reported = [v for v in found if (v.name == name if row is None else _of(row, v))]
            cells += [
                _own_published(own),
                "; ".join(f"{v.shown} {v.source or '(no record)'}" for v in reported) or NONE,
            ]
        rows.append(cells)
    return Table(header, rows)


def _of(row: BoardRow, value: PublishedValue) -> bool:
    """Say whether a paper's value is of this row: its method and, where encoders are compared, its encoder."""
    same = row.kind == "method" and row.record.method == value.method
    return same and (not value.encoder or (value.encoder == row.record.encoder and not row.record.preset))


def _own_published(own: dict[str, Any]) -> str:
    if own.get("mean") is None:
        return NONE
    return number(own["mean"]) + (f" ± {number(own['sd'])}" if own.get("sd") is not None else "")


def task_tables(board: Board) -> dict[str, Table]:
    """Return title to table of what is told task by task: ours, and, by itself, what papers report.

    A row's average is over the tasks that take part in it; tasks that stand apart are marked.
    """
    if not board.tasks:
        return {}
    lead, tasks = board.metrics[0], board.tasks
    rows = [(row.title, _by_task(row, lead, board.unit)) for row in board.rows]
    found = {f"{lead} by task: mean over {board.unit}s": _task_table(tasks, rows)}
    for metric in dict.fromkeys(m for row in board.rows for m in row.record.published):
        own = [(row.title, _published_tasks(row, metric)) for row in board.rows]
        found[f"{metric} by task, ours"] = _task_table(tasks, own)
    for metric in dict.fromkeys(v.metric for v in board.published if v.task):
        names = dict.fromkeys(v.name for v in board.published if v.metric == metric)
        values = [
            (name, {v.task: v.value for v in board.published if (v.name, v.metric) == (name, metric)}) for name in names
        ]
        theirs = dict.fromkeys((v.task for v in board.published if v.task and v.metric == metric), True)
        found[f"{metric} by task, papers"] = _task_table(theirs, values)
    return found


def _published_tasks(row: BoardRow, metric: str) -> dict[str, float | None]:
    """Return a record's means by task, and under the empty task the average that it holds itself."""
    held = row.record.published.get(metric, {})
    return {"": held.get("mean")} | {task: value["mean"] for task, value in held.get("tasks", {}).items()}


def _by_task(row: BoardRow, metric: str, unit: str) -> dict[str, float]:
    """Return each task's mean over units (donors, or sections where there is one) of their means over sections."""
    values: dict[str, dict[str, list[float]]] = {}
    for section in row.record.per_section:
        if metric in section:
            own = values.setdefault(section.get("task", ""), {})
            own.setdefault(str(section.get(unit, section["section"])), []).append(section[metric])
    means = {task: [sum(v) / len(v) for v in own.values()] for task, own in values.items()}
    return {task: sum(v) / len(v) for task, v in means.items()}


def _task_table(tasks: dict[str, bool], rows: Sequence[tuple[str, Mapping[str, float | None]]]) -> Table:
    """Lay out values by task; the average is what the values hold under the empty task, or is computed."""
    header = ["", "average", *(task if kept else f"({task})" for task, kept in tasks.items())]
    counted = [task for task, kept in tasks.items() if kept]
    lines = []
    for name, values in rows:
        known = [v for task in counted if (v := values.get(task)) is not None]
        average = sum(known) / len(known) if len(known) == len(counted) else None
        cells = [values.get("", average), *(values.get(task) for task in tasks)]
        lines.append([name, *(number(cell, 4) for cell in cells)])
    return Table(header, lines)


def sentences(board: Board) -> list[str]:
    """Return what must be read before the tables, controls that win first."""
    said = [_beaten(wins) for wins in grouped_wins(board)]
    if board.methods and board.controls and not said:
        said.append("No control beats a method in pcc_gene or depth_partial_pcc_gene.")
    said += [
        f"{row.title} FAILED: {row.record.failure['error']}: {row.record.failure['message']}" for row in board.failures
    ]
    said += [f"{row.title} does not apply here: {row.scores()['not_applicable']}." for row in board.not_applicable]
    if board.unit == "donor":
        said.append(
            f"Scores are means over genes, then sections, then {board.n.get('donors')} donors; [..] is the 95 % "
            "Student interval over donors."
        )
    else:
        said.append(
            f"One donor: differences are paired by {board.unit}, not by donor, and no interval speaks for a new donor."
        )
    dirty = sorted({row.title for row in board.rows if "+dirty" in row.record.commit})
    if dirty:
        said.append(f"Run from changed, uncommitted code: {', '.join(dirty)}.")
    return said


def grouped_wins(board: Board) -> list[list[Win]]:
    """Return the wins of controls, those over one method in one metric together."""
    groups: dict[tuple[str, str], list[Win]] = {}
    for win in board.wins:
        groups.setdefault((win.method, win.metric), []).append(win)
    return [sorted(wins, key=lambda w: -w.control_value) for wins in groups.values()]


def _beaten(wins: Sequence[Win]) -> str:
    first = wins[0]
    controls = ", ".join(f"{w.control}{f' ({w.label})' if w.label else ''} {number(w.control_value)}" for w in wins)
    return f"Controls beat {first.method} in {first.metric}, which reaches {number(first.method_value)}: {controls}."


def elsewhere_sentences(board: Board) -> list[str]:
    """Return what papers report on these data under other protocols, one sentence a value."""
    return [
        f"other protocol: {v.method}, {v.metric} {v.shown} under {v.suite} ({v.source or 'no record'}; {v.text})"
        for v in board.elsewhere
    ]


def markdown(boards: Sequence[Board], *, level: int = 2) -> str:
    """Return boards as Markdown; the same records give the same text."""
    mark = "#" * level
    parts = []
    for board in boards:
        n = ", ".join(f"{value} {name}" for name, value in sorted(board.n.items()))
        parts.append(f"{mark} {board.id}, version {board.version}\n\n{board.heading.en}.\n")
        parts.append(f"Protocol: {board.protocol}. Target: {board.target}. n: {n}.\n")
        parts.append("\n".join(f"- {s}" for s in [*sentences(board), *(note.en for note in board.notes)]) + "\n")
        parts.append(_section(f"{mark}# Scores", score_table(board)))
        for name, heading in board.subsets.items():
            parts.append(_section(f"{mark}# Scores, {name}: {heading.en}", score_table(board, name)))
        for title, table in task_tables(board).items():
            parts.append(_section(f"{mark}# {title}", table))
        published = published_table(board)
        if published is not None:
            parts.append(_section(f"{mark}# As published", published))
            sources = dict.fromkeys(f"{v.source or 'no record'}: {v.text}" for v in board.published)
            parts.append("\n".join(f"- {text}" for text in sources) + "\n")
        parts.append(_section(f"{mark}# Paired differences", difference_table(board)))
        parts.append(_section(f"{mark}# Cost", cost_table(board)))
        if board.elsewhere:
            listed = "\n".join(f"- {text}" for text in elsewhere_sentences(board))
            parts.append(f"{mark}# What papers report under other protocols (not comparable)\n\n{listed}\n")
    return "\n".join(parts)


def _section(title: str, table: Table) -> str:
    return f"{title}\n\n{table_markdown(table)}"


def table_markdown(table: Table) -> str:
    """Return a table as Markdown, numbers to the right."""
    lines = ["| " + " | ".join(map(_escaped, table.header)) + " |"]
    lines.append("|---|" + "---:|" * (len(table.header) - 1))
    lines += ["| " + " | ".join(map(_escaped, row)) + " |" for row in table.rows]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|") or " "
