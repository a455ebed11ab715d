"""A view as GeoJSON in level-0 px, as QuPath reads it: each observation at true size."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from histoscribe.studio.exports._table import View

__all__ = ["geojson_text"]

#: More observations than this become points: outlines of bins would be gigabytes.
_OUTLINES = 50_000
#: Corners of a circle.
_CORNERS = 16


def geojson_text(view: View) -> bytes:
    """Return a feature for each observation, values as measurements, the first grouping as class."""
    opened, rows = view.opened, view.rows
    outline = _outline(opened.shape, opened.spot_px) if len(rows) <= _OUTLINES else None
    values = {
        f"{gene} {layer.name}": np.asarray(layer.get(layer.genes[gene]))
        for gene in view.genes
        for layer in view.values.layers.values()
        if gene in layer.genes
    }
    category = opened.categories[0] if opened.categories else None
    features = []
    for i in rows.tolist():
        measured = {name: round(float(v[i]), 6) for name, v in values.items() if np.isfinite(v[i])}
        properties: dict[str, Any] = {
            "objectType": "detection",
            "name": str(opened.names[i]),
            "measurements": measured,
        }
        if category is not None and category.codes[i] < len(category.names):
            code = int(category.codes[i])
            colour = [int(category.colours[code][k : k + 2], 16) for k in (1, 3, 5)]
            properties["classification"] = {"name": category.names[code], "color": colour}
        features.append({"type": "Feature", "geometry": _geometry(opened.xy[i], outline), "properties": properties})
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode("utf-8")


def _outline(shape: str, size_px: float) -> np.ndarray:
    """Return the closed outline of an observation around its centre, ``(m, 2)`` px."""
    if shape == "square":
        corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]) / 2
    else:
        turn = np.linspace(0, 2 * np.pi, _CORNERS + 1)
        corners = np.column_stack([np.cos(turn), np.sin(turn)]) / 2
    return corners * size_px


def _geometry(centre: np.ndarray, outline: np.ndarray | None) -> dict[str, Any]:
    if outline is None:
        return {"type": "Point", "coordinates": [round(float(v), 2) for v in centre]}
    ring = np.round(outline + centre.astype(np.float64), 2)
    ring[-1] = ring[0]  # closed to the last digit
    return {"type": "Polygon", "coordinates": [ring.tolist()]}
