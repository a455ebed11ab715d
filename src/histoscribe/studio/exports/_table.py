"""A view as rows: places, layers of one gene, groups; as CSV."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from histoscribe.studio.items._opened import Opened
    from histoscribe.studio.values._values import Values

__all__ = ["View", "csv_text", "frame"]


@dataclass(frozen=True, eq=False)
class View:
    """What is exported: an item, its values, the genes and layer on show, and the observations chosen.

    Attributes
    ----------
    rows
        ``(k,)`` indices of the observations, in order.
    """

    opened: Opened
    values: Values
    genes: list[str]
    layer: str
    rows: np.ndarray


def frame(view: View) -> pd.DataFrame:
    """Return the view as a table: places in px and um, each layer of each gene, each grouping, cell types."""
    opened, rows = view.opened, view.rows
    xy = opened.xy[rows].astype(np.float64)
    columns: dict[str, object] = {"x_px": xy[:, 0], "y_px": xy[:, 1]}
    if opened.mpp is not None:
        columns |= {"x_um": xy[:, 0] * opened.mpp, "y_um": xy[:, 1] * opened.mpp}
    for gene in view.genes:
        for layer in view.values.layers.values():
            if gene in layer.genes:
                columns[f"{gene} {layer.name}"] = np.asarray(layer.get(layer.genes[gene]))[rows]
    for category in opened.categories:
        names = np.array([*category.names, ""], dtype=object)
        codes = category.codes[rows].astype(np.int64)
        columns[category.key] = names[np.minimum(codes, len(category.names))]
    if opened.composition is not None:
        for j, name in enumerate(opened.composition.names):
            columns[f"share of {name}"] = opened.composition.shares[rows, j]
    return pd.DataFrame(columns, index=pd.Index(opened.names[rows], name="observation"))


def csv_text(view: View) -> bytes:
    """Return the view as CSV, UTF-8."""
    buffer = io.StringIO()
    frame(view).to_csv(buffer, float_format="%.6g", lineterminator="\n")
    return buffer.getvalue().encode("utf-8")
