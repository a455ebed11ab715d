"""Opened: everything the studio shows of one item, in memory and ready to be sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from histoscribe.core import keys

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from histoscribe.core.section import Section
    from histoscribe.core.target import Target
    from histoscribe.studio.items._watch import Watched
    from histoscribe.studio.pixels._tiles import SlideTiles
    from histoscribe.studio.values._columns import CountColumns, DenseColumns, GivenColumns
    from histoscribe.studio.values._trust import Trust

__all__ = ["Category", "Composition", "Opened", "categories_of", "composition_of", "palette"]

#: Okabe and Ito's colours, then Paul Tol's muted ones: told apart with the common kinds of colour blindness.
_COLOURS = (
    *("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#332288"),
    *("#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499"),
)
#: A column of more values than this names observations, it does not group them.
_MOST_GROUPS = 64
NO_GROUP = 65_535


@dataclass(frozen=True, eq=False)
class Category:
    """A grouping: names, their colours, and the ``(n,)`` uint16 code of each observation (65535: none)."""

    key: str
    names: list[str]
    colours: list[str]
    codes: np.ndarray


@dataclass(frozen=True, eq=False)
class Composition:
    """Shares of cell types: names, colours, ``(n, k)`` float32."""

    names: list[str]
    colours: list[str]
    shares: np.ndarray


@dataclass(eq=False)
class Opened:
    """One item.

    Attributes
    ----------
    tiles, size
        The slide's tiles, or None; (width, height) of level 0, px.
    slide
        The slide's file, by which items on one slide find each other; None where there is none.
    subject
        Name of the section, by which items without a slide find each other.
    mpp
        um per level-0 px, or None where nobody knows.
    xy
        ``(n, 2)`` float32 centres, level-0 px.
    shape, spot_px, pitch_px
        How an observation is drawn, its diameter or edge, and the distance of neighbours, px.
    genes, own
        Gene names, and their values; None for a slide alone.
    section, prediction
        Places and names of a section (its counts are in `own`), or the table of a prediction without its matrix.
    """

    name: str
    donor: str | None
    tiles: SlideTiles | None
    size: tuple[int, int]
    slide: Path | None
    mpp: float | None
    xy: np.ndarray
    names: pd.Index
    shape: Literal["circle", "square"] = "circle"
    spot_px: float = 0.0
    pitch_px: float | None = None
    genes: list[str] = field(default_factory=list)
    means: np.ndarray = field(default_factory=lambda: np.zeros(0))
    own: CountColumns | DenseColumns | GivenColumns | None = None
    width: DenseColumns | None = None
    target: Target | None = None
    unit: str = ""
    width_unit: str = ""
    subject: str = ""
    trust: dict[str, Trust] = field(default_factory=dict)
    categories: list[Category] = field(default_factory=list)
    composition: Composition | None = None
    notes: list[str] = field(default_factory=list)
    section: Section | None = None
    prediction: AnnData | None = None
    watched: list[Watched] = field(default_factory=list)

    @property
    def n(self) -> int:
        """Number of observations."""
        return len(self.xy)

    def check(self) -> None:
        """Raise where a file behind the item was deleted or replaced."""
        for one in self.watched:
            one.check()

    def close(self) -> None:
        """Close the slide."""
        if self.tiles is not None:
            self.tiles.close()


def palette(k: int) -> list[str]:
    """Return `k` colours; beyond sixteen they repeat."""
    return [_COLOURS[i % len(_COLOURS)] for i in range(k)]


def categories_of(table: AnnData) -> list[Category]:
    """Return the columns of `obs` that group observations: categories, texts and truth values with few values."""
    found = []
    for key in map(str, table.obs.columns):
        column = table.obs[key]
        if isinstance(column.dtype, pd.CategoricalDtype):
            values = column
        elif pd.api.types.is_bool_dtype(column) or column.dtype == object or pd.api.types.is_string_dtype(column):
            values = column.astype("string").astype("category")
        else:
            continue
        names = [str(v) for v in values.cat.categories]
        if not 1 <= len(names) <= min(_MOST_GROUPS, max(2, table.n_obs // 2)):
            continue
        codes = values.cat.codes.to_numpy().astype(np.int64)
        codes = np.where(codes < 0, NO_GROUP, codes).astype("<u2")
        found.append(Category(key, names, _stated(table, key, len(names)) or palette(len(names)), codes))
    return found


def _stated(table: AnnData, key: str, k: int) -> list[str] | None:
    """Return the colours that scanpy keeps for a column, where they are plain."""
    given: Any = table.uns.get(f"{key}_colors")
    colours = [str(c) for c in given] if given is not None and not isinstance(given, str) else []
    plain = len(colours) >= k and all(len(c) == 7 and c[0] == "#" and c[1:].isalnum() for c in colours)
    return [c.lower() for c in colours[:k]] if plain else None


def composition_of(table: AnnData) -> Composition | None:
    """Return the composition that a deconvolver left in a table, or None."""
    if keys.COMPOSITION not in table.obsm:
        return None
    values = table.obsm[keys.COMPOSITION]
    shares = np.ascontiguousarray(np.asarray(values), dtype="<f4")
    ours = dict(table.uns.get(keys.UNS, {}))
    names = list(values.columns) if isinstance(values, pd.DataFrame) else list(ours.get("cell_types", ()))
    names = (
        [str(n) for n in names] if len(names) == shares.shape[1] else [f"type {i + 1}" for i in range(shares.shape[1])]
    )
    return Composition(names, palette(len(names)), shares)
