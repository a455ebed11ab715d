"""The report's charts as matplotlib figures: trust per gene, score against ceiling, method against controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib.figure import Figure

from histoscribe.core import keys
from histoscribe.reports._draw import legible
from histoscribe.reports._facts import Facts

if TYPE_CHECKING:
    from anndata import AnnData
    from matplotlib.axes import Axes

    from histoscribe.bench import Evaluation

__all__ = ["ceiling_figure", "controls_figure", "trust_figure"]

Theme = Literal["light", "dark"]

#: The two scores that a claim is made on: the plain one, and the one that sequencing depth cannot make.
HEADLINES = ("pcc_gene", "depth_partial_pcc_gene")


@dataclass(frozen=True)
class _Ink:
    """Colours of a theme; good and bad are blue and orange, which every common colour blindness tells apart."""

    text: str
    line: str
    grid: str
    ground: str
    good: str
    bad: str
    plain: str


_INK = {
    "light": _Ink("#1c2733", "#5b6773", "#e3e7eb", "#ffffff", "#0b5cad", "#c2410c", "#7a8591"),
    "dark": _Ink("#e6eaef", "#a4aeb9", "#323b45", "#171d24", "#6fb3f2", "#ff9b5c", "#8d98a4"),
}


def trust_figure(prediction: AnnData, *, theme: Theme = "light") -> Figure:
    """Draw every gene's held-out depth-partial correlation with its lower bound, best first.

    A gene is trusted (blue) where the lower bound lies above 0. Donors (or sections, or strips) were held out in
    training; nothing of the predicted slide's own truth enters.
    """
    Facts.of(prediction)
    mean = prediction.var[keys.TRUST_MEAN].to_numpy(dtype=np.float64)
    lower = prediction.var[keys.TRUST_LOWER].to_numpy(dtype=np.float64)
    trusted = prediction.var[keys.TRUSTED].to_numpy(dtype=bool)
    order = np.argsort(-mean, kind="stable")
    figure, ax, ink = _chart(theme, (7.2, 3.0))
    rank = np.arange(1, len(order) + 1)
    for flag, colour, label in ((True, ink.good, "trusted"), (False, ink.bad, "not trusted")):
        chosen = trusted[order] == flag
        if not chosen.any():
            continue
        # One training unit gives no bound (-1 stands for it): the line then runs out of the chart.
        ax.vlines(rank[chosen], lower[order][chosen], mean[order][chosen], color=colour, alpha=0.45, linewidth=1.2)
        ax.plot(rank[chosen], mean[order][chosen], "o", color=colour, markersize=3.2, label=f"{label} ({chosen.sum()})")
    ax.axhline(0, color=ink.line, linewidth=1)
    # Bounds far below 0 all say the same; the scale belongs to the means.
    ax.set_ylim(max(-1.0, min(-0.25, float(mean.min()) - 0.15)), min(1.0, float(mean.max()) + 0.1))
    ax.set_xlim(0, len(order) + 1)
    ax.set_xlabel("gene, by held-out score")
    ax.set_ylabel("held-out depth_partial_pcc_gene")
    _legend(ax, ink)
    return figure


def ceiling_figure(
    evaluation: Evaluation,
    *,
    metric: Literal["pcc_gene", "depth_partial_pcc_gene"] = "depth_partial_pcc_gene",
    n_labels: int = 6,
    theme: Theme = "light",
) -> Figure:
    """Draw each gene's score on the measured section against its noise ceiling.

    A point on the diagonal is predicted as well as counting noise allows. Genes left out: those constant in the truth.

    Parameters
    ----------
    evaluation
        What `histoscribe.evaluate` returned.
    metric
        Score on the vertical axis; the ceiling is that metric's own.
    n_labels
        Genes named: the best scores.
    """
    genes = evaluation.per_gene
    genes = genes[genes["varies"].astype(bool)] if "varies" in genes else genes
    ceiling = "ceiling_depth_partial" if metric == "depth_partial_pcc_gene" else "ceiling"
    figure, ax, ink = _chart(theme, (4.6, 4.2))
    x, y = (genes[c].to_numpy(dtype=np.float64) for c in (ceiling, metric))
    ax.plot([0, 1], [0, 1], color=ink.line, linewidth=1, linestyle=(0, (4, 3)))
    ax.axhline(0, color=ink.line, linewidth=1)
    # Without flags every gene is drawn alike: nothing is claimed.
    trusted = genes[keys.TRUSTED].to_numpy(dtype=bool) if keys.TRUSTED in genes else np.ones(len(genes), dtype=bool)
    for flag, colour, marker, label in ((False, ink.bad, "x", "not trusted"), (True, ink.good, "o", "trusted")):
        chosen = trusted == flag
        if chosen.any():
            face = {"markerfacecolor": colour} if marker == "o" else {}
            ax.plot(x[chosen], y[chosen], marker, color=colour, markersize=4, alpha=0.75, label=label, **face)
    style = {"xytext": (4, 3), "textcoords": "offset points", "fontsize": 7, "color": ink.text}
    for i in _labelled(x, y, n_labels):
        ax.annotate(legible(genes.index[i]), (x[i], y[i]), parse_math=False, **style)
    ax.set_xlim(0, 1)
    ax.set_ylim(min(-0.3, float(y.min(initial=0)) - 0.05), 1)
    ax.set_xlabel(f"noise ceiling of {metric}")
    ax.set_ylabel(f"{metric} on this section")
    _legend(ax, ink)
    return figure


def controls_figure(evaluation: Evaluation, *, theme: Theme = "light") -> Figure:
    """Draw the method beside every available control, in both headline scores, with intervals over donors.

    A control that beats the method is orange. Dashed: the noise ceiling.
    """
    table = evaluation.table[evaluation.table["available"].astype(bool)]
    names = [str(n) for n in table.index]
    figure = Figure(figsize=(7.2, 0.9 + 0.36 * len(names)), dpi=150, layout="constrained")
    ink = _INK[theme]
    figure.set_facecolor(ink.ground)
    axes = figure.subplots(1, len(HEADLINES), sharey=True)
    rows = np.arange(len(names))[::-1]
    for ax, metric in zip(axes, HEADLINES, strict=True):
        _style(ax, ink)
        values = table[metric].to_numpy(dtype=np.float64)
        wins = values > values[0]
        found = [ink.good] + [ink.bad if win else ink.plain for win in wins[1:]]
        ends = [table[f"{metric}{e}"].to_numpy(dtype=np.float64) for e in ("_lower", "_upper")]
        ax.hlines(rows, np.where(np.isfinite(ends[0]), ends[0], values), ends[1], colors=found, linewidth=1.5)
        ax.hlines(rows, 0, values, colors=ink.grid, linewidth=1, zorder=1)
        ax.scatter(values, rows, c=found, s=34, zorder=3)
        for value, row in zip(values, rows, strict=True):
            if np.isfinite(value):
                text = f"{value:.3f}".replace("-", "−")
                ax.text(value, row + 0.2, text, ha="center", va="bottom", fontsize=7, color=ink.text)
        ax.axvline(0, color=ink.line, linewidth=1)
        ceiling = evaluation.ceiling.get(metric)
        if ceiling is not None:
            ax.axvline(ceiling, color=ink.line, linewidth=1, linestyle=(0, (4, 3)))
        high = max(float(np.nanmax(values, initial=0.1)), ceiling or 0.0)
        ax.set_xlim(min(0.0, float(np.nanmin(values, initial=0))) - 0.07, high + 0.08)
        ax.set_ylim(-0.6, len(names) - 0.2)
        ax.set_xlabel(metric)
    axes[0].set_yticks(rows, [legible(n) for n in names], parse_math=False)
    axes[0].get_yticklabels()[0].set_fontweight("bold")
    return figure


def _labelled(x: np.ndarray, y: np.ndarray, n: int) -> list[int]:
    """Return up to `n` of the best points whose names would not lie on each other."""
    chosen: list[int] = []
    for i in np.argsort(-y, kind="stable")[: 5 * n]:
        # A name is about 0.12 wide and 0.035 high on these axes, and grows to the right of its point.
        if len(chosen) < n and all(abs(x[i] - x[j]) > 0.13 or abs(y[i] - y[j]) > 0.04 for j in chosen):
            chosen.append(int(i))
    return chosen


def _chart(theme: Theme, size: tuple[float, float]) -> tuple[Figure, Axes, _Ink]:
    ink = _INK[theme]
    figure = Figure(figsize=size, dpi=150, layout="constrained")
    figure.set_facecolor(ink.ground)
    ax: Any = figure.subplots()
    _style(ax, ink)
    return figure, ax, ink


def _style(ax: Axes, ink: _Ink) -> None:
    ax.set_facecolor(ink.ground)
    ax.tick_params(colors=ink.text, labelsize=7.5, length=3)
    ax.grid(axis="both", color=ink.grid, linewidth=0.6)
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(ink.line)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_color(ink.text)
        label.set_fontsize(8.5)


def _legend(ax: Axes, ink: _Ink) -> None:
    found = ax.legend(fontsize=7.5, frameon=True, facecolor=ink.ground, edgecolor=ink.grid)
    for text in found.get_texts():
        text.set_color(ink.text)
