"""A study's chart: the headline metric of every row, with each donor or seed shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from histoscribe.reports._draw import legible
from histoscribe.reports.charts import _INK, Theme, _style

if TYPE_CHECKING:
    from histoscribe.bench.studies._board import StudyBoard, StudyTable

__all__ = ["study_figure"]


def study_figure(board: StudyBoard, table: StudyTable, *, theme: Theme = "light") -> Figure:
    """Draw one case's rows in the headline metric.

    Large mark: the mean; line: 95 % Student interval over donors or seeds; ticks: each of them. Blue filled: methods;
    grey open: controls; orange open: a control that beats the best method.
    """
    ink, rows, metric = _INK[theme], table.rows, board.metrics[0]
    figure = Figure(figsize=(8.6, 0.9 + 0.31 * len(rows)), dpi=150, layout="constrained")
    figure.set_facecolor(ink.ground)
    ax = figure.subplots()
    _style(ax, ink)
    sign = -1.0 if metric.direction == "lower" else 1.0
    values = [row.value(metric.name) for row in rows]
    best = max((sign * v.mean for row, v in zip(rows, values, strict=True) if v and not row.control), default=np.inf)
    for place, (row, value) in enumerate(zip(rows, values, strict=True)):
        if value is None:
            continue
        y = len(rows) - 1 - place
        colour = ink.good if not row.control else ink.bad if sign * value.mean > best else ink.plain
        if value.lower is not None:
            ax.hlines(y, value.lower, value.upper, color=colour, linewidth=1.6, zorder=2)
        single = list(row.units(metric.name).values())
        ax.plot(single, [y] * len(single), "|", color=colour, markersize=7, alpha=0.7, zorder=2)
        face = ink.ground if row.control else colour
        ax.plot([value.mean], [y], "s" if row.control else "o", color=colour, markerfacecolor=face, zorder=3)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_yticks(np.arange(len(rows))[::-1], [legible(row.label) for row in rows], parse_math=False)
    better = "higher" if metric.direction == "higher" else "lower"
    ax.set_xlabel(f"{metric.name} ({better} is better)")
    return figure
