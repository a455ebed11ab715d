"""Reports: a prediction and what it is worth, as one HTML file and as figures."""

from __future__ import annotations

from histoscribe.reports._board import board_page
from histoscribe.reports._report import report
from histoscribe.reports.board_charts import board_figure, differences_figure
from histoscribe.reports.charts import ceiling_figure, controls_figure, trust_figure
from histoscribe.reports.figures import map_figure, ood_figure, overlay_figure

__all__ = [
    "board_figure",
    "board_page",
    "ceiling_figure",
    "controls_figure",
    "differences_figure",
    "map_figure",
    "ood_figure",
    "overlay_figure",
    "report",
    "trust_figure",
]
