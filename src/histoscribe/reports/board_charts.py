"""A board's charts as matplotlib figures: scores with every donor shown, and paired differences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from histoscribe.bench.board import HEADLINES
from histoscribe.reports._draw import legible
from histoscribe.reports.charts import _INK, Theme, _style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from histoscribe.bench.board import Board, BoardRow
    from histoscribe.bench.paired import Difference

__all__ = ["board_figure", "differences_figure"]

_CEILING = {"pcc_gene": "ceiling_pcc_gene", "depth_partial_pcc_gene": "ceiling_depth_partial_pcc_gene"}


def board_figure(board: Board, *, subset: str = "", theme: Theme = "light") -> Figure:
    """Draw every method and control in both headline scores.

    Large dot: the mean; line: 95 % Student interval over donors, where there are several; small dots: each donor (or
    section, or strip). Blue filled: methods; grey open: controls; orange open: a control above the best method.
    Dashed: the noise ceiling.
    """
    ink, rows = _INK[theme], board.rows
    figure = Figure(figsize=(8.6, 1.0 + 0.33 * len(rows)), dpi=150, layout="constrained")
    figure.set_facecolor(ink.ground)
    axes = figure.subplots(1, len(HEADLINES), sharey=True)
    places = np.arange(len(rows))[::-1]
    ceilings = board.subset_ceilings.get(subset, {}) if subset else board.ceiling
    for ax, metric in zip(axes, HEADLINES, strict=True):
        _style(ax, ink)
        best = max((r.scores(subset).get(metric, -np.inf) for r in board.methods), default=np.inf)
        for row, y in zip(rows, places, strict=True):
            _dot(ax, row, float(y), metric, subset=subset, unit=board.unit, best=best, ink=ink)
        ceiling = ceilings.get(_CEILING[metric])
        if ceiling is not None:
            ax.axvline(ceiling, color=ink.line, linewidth=1, linestyle=(0, (4, 3)))
        ax.axvline(0, color=ink.line, linewidth=1)
        ax.set_ylim(-0.6, len(rows) - 0.4)
        ax.set_xlabel(f"{metric} (correlation, 1 is best)")
    axes[0].set_yticks(places, [legible(r.title) for r in rows], parse_math=False)
    for label, row in zip(axes[0].get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if row.kind == "method" else "normal")
    return figure


def _dot(ax: Axes, row: BoardRow, y: float, metric: str, *, subset: str, unit: str, best: float, ink: Any) -> None:
    scores = row.scores(subset)
    if metric not in scores:
        return
    value = scores[metric]
    method = row.kind == "method"
    colour = ink.good if method else ink.bad if value > best else ink.plain
    lower, upper = scores.get(f"{metric}_lower"), scores.get(f"{metric}_upper")
    if lower is not None:
        ax.hlines(y, lower, upper, color=colour, linewidth=1.6, zorder=2)
    single = _units(row, metric, subset, unit)
    ax.plot(single, [y] * len(single), "|", color=colour, markersize=7, alpha=0.7, zorder=2)
    face = colour if method else ink.ground
    ax.plot([value], [y], "o" if method else "s", color=colour, markerfacecolor=face, markersize=6, zorder=3)


def _units(row: BoardRow, metric: str, subset: str, unit: str) -> list[float]:
    part = row.record.subsets.get(subset, {}) if subset else None
    donors = row.record.per_donor if part is None else part.get("per_donor", {})
    sections = row.record.per_section if part is None else part.get("per_section", [])
    found = donors.values() if unit == "donor" else sections
    return [scores[metric] for scores in found if metric in scores]


def differences_figure(board: Board, *, theme: Theme = "light") -> Figure | None:
    """Draw each method's paired difference to the best method and to the best control, with 95 % Student intervals.

    Filled: the interval excludes 0. None where there is nothing to compare.
    """
    ink = _INK[theme]
    shown = [d for d in board.differences if d.metric in HEADLINES]
    names = [r.title for r in board.methods]
    if not shown:
        return None
    figure = Figure(figsize=(8.6, 1.2 + 0.42 * len(names)), dpi=150, layout="constrained")
    figure.set_facecolor(ink.ground)
    axes = figure.subplots(1, len(HEADLINES), sharey=True)
    for ax, metric in zip(axes, HEADLINES, strict=True):
        _style(ax, ink)
        for d in (d for d in shown if d.metric == metric):
            _difference(ax, d, len(names) - 1 - names.index(d.method), ink)
        ax.axvline(0, color=ink.line, linewidth=1)
        ax.set_ylim(-0.6, len(names) - 0.4)
        ax.set_xlabel(f"difference in {metric}, paired by {board.unit}")
    axes[0].set_yticks(np.arange(len(names))[::-1], [legible(n) for n in names], parse_math=False)
    handles = [
        axes[0].plot([], [], marker, color=colour, markersize=6, label=label)[0]
        for label, marker, colour in (("less the best method", "o", ink.good), ("less the best control", "s", ink.bad))
    ]
    found = figure.legend(handles=handles, fontsize=7.5, loc="outside lower center", ncols=2, frameon=False)
    for text in found.get_texts():
        text.set_color(ink.text)
    return figure


def _difference(ax: Axes, d: Difference, place: int, ink: Any) -> None:
    to_method = d.role == "best method"
    colour, y = (ink.good, place + 0.14) if to_method else (ink.bad, place - 0.14)
    if d.lower is not None and d.upper is not None:
        ax.hlines(y, d.lower, d.upper, color=colour, linewidth=1.6)
    face = colour if d.clear else ink.ground
    ax.plot([d.mean], [y], "o" if to_method else "s", color=colour, markerfacecolor=face, markersize=6)
