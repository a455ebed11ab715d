"""Pictures of a stack: one gene through its sections, measured above imputed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.collections import EllipseCollection
from matplotlib.figure import Figure

from histoscribe.core import keys
from histoscribe.core.errors import GeneError
from histoscribe.metrics import pcc_gene
from histoscribe.reports._draw import legible
from histoscribe.reports._view import scale_bar_um

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData
    from matplotlib.axes import Axes

    from histoscribe.core.stack import Stack
    from histoscribe.methods._volume_target import StackTarget

__all__ = ["stack_figure"]

_PANEL_IN = 2.3
#: Both rows share one range; single spots of few counts would stretch it.
_RANGE = (2, 98)
#: Around the tissue, as a share of its longer side.
_MARGIN = 0.05


def stack_figure(stack: Stack, imputed: Sequence[AnnData], gene: str, *, target: StackTarget) -> Figure:
    """Draw one gene through a stack: measured values above, imputed ones below, in order of depth.

    Spots are drawn at their true size in the stack's frame, all with one colour range (2nd to 98th percentile of both
    rows). A labelled section is framed and has nothing below; a section without expression has nothing above. Where
    both are there, the correlation over the section's observations is in the title.

    Parameters
    ----------
    stack
        The stack.
    imputed
        What `Imputer.impute` returned for it.
    gene
        A gene of the panel.
    target
        Unit of the imputed values.

    Returns
    -------
    A `matplotlib.figure.Figure` that belongs to no pyplot state.

    Raises
    ------
    GeneError
        If the gene was not imputed.
    """
    below = {t.uns[keys.UNS]["section"]: t for t in imputed}
    genes = list(imputed[0].var_names)
    if gene not in genes:
        msg = f"gene {gene!r} is not among the {len(genes)} imputed genes. Name one of them, e.g. {genes[0]!r}."
        raise GeneError(msg)
    column = genes.index(gene)
    # The whole panel goes into the target: in some units a gene's value depends on the others.
    measured = {s.name: np.asarray(target(s, genes))[:, column] for s in stack.sections if gene in s.table.var_names}
    predicted = {name: np.asarray(t.X)[:, column] for name, t in below.items()}
    low, high = np.percentile(np.concatenate([*measured.values(), *predicted.values()]), _RANGE)
    figure, axes = _canvas(stack)
    points = None
    for i, (section, xy) in enumerate(zip(stack.sections, stack.xy_um, strict=True)):
        width = float(section.spot_um or section.pitch_um or 0.0)
        upper, lower = axes[:, i]
        for ax, values in ((upper, measured), (lower, predicted)):
            if section.name in values:
                points = _spots(ax, xy, values[section.name], width, limits=(float(low), float(high)))
            _frame(ax, stack)
        title = f"{legible(section.name)}, z {stack.z_um[i]:g} µm"
        upper.set_title(title + ("" if section.name in below else " (labelled)"), fontsize=8, parse_math=False)
        if section.name in measured and section.name in predicted:
            pair = (measured[section.name][:, None], predicted[section.name][:, None])
            lower.set_title(f"r = {pcc_gene(*pair)[0]:.2f}", fontsize=8)
        if section.name not in below:
            _mark(upper)
    for ax, text in zip(axes[:, 0], ("measured", "imputed"), strict=True):
        ax.text(-0.04, 0.5, text, transform=ax.transAxes, rotation=90, ha="right", va="center", fontsize=9)
    assert points is not None
    figure.colorbar(points, ax=axes, shrink=0.6, pad=0.01).set_label(target.unit, fontsize=8)
    _scale_bar(axes[1, -1], stack)
    method = imputed[0].uns[keys.UNS]["method"]
    figure.suptitle(f"{legible(gene)} through donor {legible(stack.donor)}, {method}", fontsize=10, parse_math=False)
    return figure


def _canvas(stack: Stack) -> tuple[Figure, np.ndarray]:
    """Return a figure with two rows of panels as high and wide as the tissue."""
    wide, high = np.ptp(np.concatenate(stack.xy_um), axis=0)
    size = (_PANEL_IN * len(stack) + 0.9, 2 * (_PANEL_IN * high / wide + 0.3) + 0.5)
    figure = Figure(figsize=size, dpi=130, layout="constrained")
    return figure, figure.subplots(2, len(stack), squeeze=False)


def _spots(ax: Axes, xy: np.ndarray, values: np.ndarray, width: float, *, limits: tuple[float, float]) -> Any:
    points = EllipseCollection(
        *([width] * len(xy), [width] * len(xy), np.zeros(len(xy))),
        offsets=xy,
        units="xy",
        transOffset=ax.transData,
        array=values,
        cmap="viridis",
        linewidths=0,
    )
    points.set_clim(*limits)
    return ax.add_collection(points)


def _mark(ax: Axes) -> None:
    """Put a frame around the panel of a labelled section."""
    ax.set_axis_on()
    ax.set(xticks=[], yticks=[])
    for side in ax.spines.values():
        side.set_color("#083d77")
        side.set_linewidth(1.2)


def _frame(ax: Axes, stack: Stack) -> None:
    every = np.concatenate(stack.xy_um)
    margin = _MARGIN * np.ptp(every, axis=0).max()
    (left, top), (right, bottom) = every.min(0) - margin, every.max(0) + margin
    ax.set_xlim(left, right)
    ax.set_ylim(bottom + margin, top)  # room for the scale bar
    ax.set_aspect("equal")
    ax.set_axis_off()


def _scale_bar(ax: Axes, stack: Stack) -> None:
    every = np.concatenate(stack.xy_um)
    length = scale_bar_um(float(np.ptp(every[:, 0])))
    x, y = every[:, 0].max() - length, every[:, 1].max() + _MARGIN * np.ptp(every, axis=0).max()
    ax.plot([x, x + length], [y, y], color="black", linewidth=2, solid_capstyle="butt")
    ax.text(x - 0.02 * length, y, f"{length:g} µm ", ha="right", va="center", fontsize=7)
