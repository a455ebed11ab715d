"""Panels: one gene's maps as transparent pictures over the H&E, with everything a legend needs."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_hex
from PIL import Image

from histoscribe.core import keys
from histoscribe.reports._atlas import is_flat
from histoscribe.reports._draw import colours, overlay_png, png
from histoscribe.reports._verdict import number
from histoscribe.reports._words import Text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from histoscribe.bench import Evaluation
    from histoscribe.reports._atlas import Atlas, Layer
    from histoscribe.reports._genes import Shown

__all__ = ["GeneCard", "Panel", "chart_uri", "gene_card", "ood_panel", "panel", "places_uri", "slide_uri"]

#: Longer side of a map with many genes beside it, px; the H&E beneath stays sharp at twice that.
_MAP_PX = 720
_STOPS = 9


@dataclass(frozen=True)
class Panel:
    """One map in the page: picture, legend and what a screen reader says."""

    kind: str
    name: Text
    uri: str
    alt: Text
    gradient: str
    low: str
    high: str
    over: str | None
    note: Text | None


@dataclass(frozen=True)
class GeneCard:
    """All maps of one gene and what is known of it."""

    gene: str
    trusted: bool
    why: Text
    panels: list[Panel]
    said: list[Text]


def gene_card(atlas: Atlas, shown: Shown, evaluation: Evaluation | None) -> GeneCard:
    """Draw one gene."""
    layers = atlas.layers(shown.gene)
    row = atlas.prediction.var.loc[shown.gene]
    mean, lower = float(row[keys.TRUST_MEAN]), float(row[keys.TRUST_LOWER])
    said = [Text("held_out", mean=number(mean), lower=number(lower))]
    if atlas.facts.n_units < 2:
        said = [Text("held_out_no_bound", mean=number(mean))]
    if evaluation is not None and shown.gene in evaluation.per_gene.index:
        here: pd.Series = evaluation.per_gene.loc[shown.gene]
        names = {"pcc": "pcc_gene", "partial": "depth_partial_pcc_gene", "ceiling": "ceiling"}
        said.append(Text("here", **{key: number(float(here[column])) for key, column in names.items()}))
    elif atlas.matched is not None and not atlas.measures(shown.gene):
        said.append(Text("not_measured"))
    span = next(layer.scale.high - layer.scale.low for layer in layers if layer.kind == "predicted")
    panels = [panel(atlas, layer, gene=shown.gene, span=span) for layer in layers]
    return GeneCard(shown.gene, shown.trusted, Text(f"why_{shown.why}"), panels, said)


def panel(atlas: Atlas, layer: Layer, *, gene: str = "", span: float = 0.0) -> Panel:
    """Draw one layer; `span` is what the colours of the predicted values span, to judge a width by."""
    scale, kind, flat = layer.scale, Text(f"kind_{layer.kind}"), False
    note = Text("residual_legend") if layer.kind == "residual" else None
    if layer.kind == "interval" and is_flat(layer.values):
        note, flat = Text("flat_width", value=number(float(np.median(layer.values))), span=number(span)), True
    if layer.kind == "ood":
        note = Text("ood_legend")
    digits = 0 if layer.kind == "ood" else 2
    low, high = number(scale.low, digits), number(scale.high, digits)
    return Panel(
        kind=layer.kind,
        name=kind,
        uri=_uri(overlay_png(atlas.view, layer=layer, max_px=_MAP_PX)),
        alt=Text("alt_map", gene=gene, kind=kind, low=low, high=high),
        gradient="" if flat else ", ".join(to_hex(c) for c in colours(scale)(np.linspace(0, 1, _STOPS))),
        low=low,
        high=high,
        over=scale.over,
        note=note,
    )


def ood_panel(atlas: Atlas) -> Panel:
    """Draw the out-of-distribution map on its own."""
    layer = atlas.ood()
    found = panel(atlas, layer)
    share = f"{100 * np.mean(layer.values > layer.scale.high):.0f}"
    return Panel(**(vars(found) | {"alt": Text("alt_ood", share=share)}))


def places_uri(atlas: Atlas) -> str:
    """Draw the outline of every place."""
    return _uri(overlay_png(atlas.view, outlines=atlas.places, max_px=1000))


def slide_uri(atlas: Atlas) -> str | None:
    """Return the H&E as a JPEG, or None where there is no slide."""
    if atlas.view.pixels is None:
        return None
    buffer = BytesIO()
    Image.fromarray(atlas.view.pixels).save(buffer, "JPEG", quality=84, optimize=True)
    return _uri(buffer.getvalue(), "jpeg")


def chart_uri(figure: Figure) -> str:
    """Return a chart as PNG."""
    return _uri(png(figure))


def _uri(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
