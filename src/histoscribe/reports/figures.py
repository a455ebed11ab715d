"""The report's maps as matplotlib figures: expression, novelty, and observations on the slide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.reports._atlas import UNLIKE, Atlas
from histoscribe.reports._draw import add_layer, add_outlines, add_scale_bar, add_slide, legible

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section
    from histoscribe.reports._atlas import Layer

__all__ = ["map_figure", "ood_figure", "overlay_figure"]

_TITLES = {
    "measured": "measured",
    "predicted": "predicted",
    "residual": "predicted − measured",
    "interval": "interval width",
    "ood": "unlike training, percentile",
}
_PANEL_IN = 3.1


def map_figure(
    prediction: AnnData,
    gene: str,
    *,
    measured: Section | None = None,
    slide: PixelSource | Path | str | None = None,
) -> Figure:
    """Draw one gene over the H&E: measured, predicted, residual and interval width.

    Spots are circles and tiles are squares of their true size. Measured and predicted share one colour range (2nd to
    98th percentile of both). Without `measured`: predicted, interval width and the out-of-distribution percentile.
    A gene that is not trusted says so in the title.

    Parameters
    ----------
    prediction
        What `histoscribe.predict` returned.
    gene
        A predicted gene.
    measured
        The measured section of the same slide; matched by name or position.
    slide
        Image to draw on; default the measured section's, else the one the prediction names, else none.

    Returns
    -------
    A `matplotlib.figure.Figure` that belongs to no pyplot state.
    """
    atlas = Atlas.of(prediction, measured=measured, slide=slide)
    return gene_figure(atlas, gene)


def gene_figure(atlas: Atlas, gene: str) -> Figure:
    """Draw the maps of one gene of an atlas; see `map_figure`."""
    layers = atlas.layers(gene)
    row = atlas.prediction.var.loc[gene]
    trusted = bool(row[keys.TRUSTED])
    figure = _canvas(atlas, len(layers))
    axes = figure.subplots(1, len(layers), squeeze=False)[0]
    for ax, layer in zip(axes, layers, strict=True):
        _panel(figure, ax, atlas, layer)
    flag = "trusted" if trusted else "NOT TRUSTED: do not read this map as biology"
    held = f"held-out depth-partial r {row[keys.TRUST_MEAN]:.2f}, lower bound {row[keys.TRUST_LOWER]:.2f}"
    synthetic = "SYNTHETIC DATA   " if atlas.facts.synthetic else ""
    figure.suptitle(
        f"{synthetic}{legible(gene)}   {legible(atlas.facts.section)}   {flag} ({held})",
        fontsize=9,
        color="black" if trusted else "#a12b00",
        parse_math=False,
    )
    return figure


def ood_figure(prediction: AnnData, *, slide: PixelSource | Path | str | None = None) -> Figure:
    """Draw how unlike the training tiles each tile is: a percentile, orange beyond the 95th.

    Raises
    ------
    DataError
        If the prediction has no out-of-distribution score (its method uses no features).
    """
    atlas = Atlas.of(prediction, slide=slide)
    if not atlas.has_ood:
        msg = (
            f"the prediction of {atlas.facts.section!r} has no obs['{keys.OOD}']: method {atlas.facts.method!r} uses "
            "no features. Predict with a method that does."
        )
        raise DataError(msg)
    figure = _canvas(atlas, 1)
    layer = atlas.ood()
    _panel(figure, figure.subplots(), atlas, layer)
    share = 100 * np.mean(layer.values > UNLIKE)
    figure.suptitle(f"{share:.0f} % of tiles beyond percentile {UNLIKE:.0f} (5 % is ordinary)", fontsize=9)
    return figure


def overlay_figure(
    prediction: AnnData,
    *,
    measured: Section | None = None,
    slide: PixelSource | Path | str | None = None,
) -> Figure:
    """Draw the outline of every observation on the slide, to see whether they lie on the tissue."""
    atlas = Atlas.of(prediction, measured=measured, slide=slide)
    figure = _canvas(atlas, 1, scale=1.8)
    ax = figure.subplots()
    add_slide(ax, atlas.view)
    add_outlines(ax, atlas.places)
    add_scale_bar(ax, atlas.view)
    ax.set_title(f"{legible(atlas.facts.section)}: {len(atlas.places.xy_um)} places", fontsize=9, parse_math=False)
    return figure


def _canvas(atlas: Atlas, columns: int, *, scale: float = 1.0) -> Figure:
    width = _PANEL_IN * scale
    # Very long strips keep a readable height, very tall ones a readable width.
    height = float(np.clip(width / atlas.view.aspect, 0.4 * width, 2.5 * width))
    return Figure(figsize=(columns * width, height + 0.9), dpi=150, layout="constrained")


def _panel(figure: Figure, ax: Any, atlas: Atlas, layer: Layer) -> None:
    # Dark values would drown in haematoxylin.
    add_slide(ax, atlas.view, veil=0.5)
    drawn = add_layer(ax, layer)
    add_scale_bar(ax, atlas.view)
    ax.set_title(_TITLES[layer.kind], fontsize=9)
    extend = "max" if layer.scale.over is not None else "neither"
    bar = figure.colorbar(drawn, ax=ax, orientation="horizontal", fraction=0.05, pad=0.02, extend=extend)
    bar.ax.tick_params(labelsize=7)
    unit = "percentile of held-out training tiles" if layer.kind == "ood" else legible(atlas.facts.unit)
    bar.set_label(unit, fontsize=7, parse_math=False)
