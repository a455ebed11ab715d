"""A board's cells and sentences as text, the same in terminal, Markdown and HTML; and the Markdown page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from histoscribe.metrics import METRICS, PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench.board import Board, BoardRow, Win

__all__ = [
    "ARROWS",
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
    others = dict.fromkeys(v.method for v in board.published if not any(_of(r, v.method) for r in board.rows))
    header = ["", *(text for m in metrics for text in (f"{m}, ours", f"{m}, papers"))]
    rows = []
    for name, row in [*zip(names, board.rows, strict=True), *((name, None) for name in others)]:
        cells = [name if row is not None else f"{name} (not run here)"]
        for metric in metrics:
            own = {} if row is None else row.record.published.get(metric, {})
            method = name if row is None else row.record.method
            cells += [_own_published(own), _reported(board, method, metric)]
        rows.append(cells)
    return Table(header, rows)


def _of(row: BoardRow, method: str) -> bool:
    return row.kind == "method" and row.record.method == method


def _own_published(own: dict[str, Any]) -> str:
    if own.get("mean") is None:
        return NONE
    return number(own["mean"]) + (f" ± {number(own['sd'])}" if own.get("sd") is not None else "")


def _reported(board: Board, method: str, metric: str) -> str:
    found = [v for v in board.published if v.method == method and v.metric == metric]
    return "; ".join(f"{v.shown} {v.source or '(no record)'}" for v in found) or NONE


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
    lines = [title, "", "| " + " | ".join(map(_escaped, table.header)) + " |"]
    lines.append("|---|" + "---:|" * (len(table.header) - 1))
    lines += ["| " + " | ".join(map(_escaped, row)) + " |" for row in table.rows]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|") or " "
