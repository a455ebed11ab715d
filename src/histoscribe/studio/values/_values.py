"""Values: the genes of an item, layer by layer, with means, trust and search."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.core.registry import did_you_mean
from histoscribe.studio._error import StudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from histoscribe.studio.values._trust import Trust

__all__ = ["LAYERS", "Layer", "LayerName", "Values"]

LayerName = Literal["measured", "predicted", "residual", "uncertainty"]
LAYERS: tuple[LayerName, ...] = ("measured", "predicted", "residual", "uncertainty")
#: Names compared when a wrong one is to be mended: more would take too long.
_NEAR = 2000


@dataclass(frozen=True, eq=False)
class Layer:
    """One kind of value.

    Attributes
    ----------
    name, unit
        What it is, and in which unit.
    genes
        Those it has, as a mapping to whatever `get` understands.
    get
        Gives the ``(n,)`` float32 values of an entry of `genes`; NaN where unknown.
    """

    name: LayerName
    unit: str
    genes: Mapping[str, int]
    get: Callable[[int], np.ndarray]


@dataclass(frozen=True, eq=False)
class Values:
    """What an item knows of genes.

    Attributes
    ----------
    n
        Observations.
    genes
        Own genes, in the file's order.
    means
        ``(g,)`` means over observations of the item's own values.
    layers
        Name to layer; the first is shown by default.
    trust
        Gene to trust, where there is a prediction.
    """

    n: int
    genes: Sequence[str]
    means: np.ndarray
    layers: Mapping[str, Layer]
    trust: Mapping[str, Trust] = field(default_factory=dict)

    def column(self, gene: str, layer: str, *, where: str) -> np.ndarray:
        """Return the values of a gene as ``(n,)`` float32.

        Raises
        ------
        StudioError
            Status 404 where the layer or the gene does not exist.
        """
        found = self.layer(layer, where=where)
        if gene not in found.genes:
            names = list(found.genes)
            near = did_you_mean(gene, names) if len(names) <= _NEAR else "Search /genes?query= for its spelling."
            raise StudioError(404, f"gene {gene[:60]!r} has no {layer} values here.", where=where, todo=near)
        return np.ascontiguousarray(found.get(found.genes[gene]), dtype=np.float32)

    def layer(self, name: str, *, where: str) -> Layer:
        """Return a layer, or raise status 404."""
        if name not in self.layers:
            has = ", ".join(self.layers) or "none"
            raise StudioError(404, f"there are no {name} values.", where=where, todo=f"Ask for one of: {has}.")
        return self.layers[name]

    @cached_property
    def _order(self) -> np.ndarray:
        """Genes as they are listed: trusted ones first, then by mean."""
        flags = {"good": 0, "weak": 1, "none": 2}
        rank = [flags[self.trust[g].flag] if g in self.trust else 3 for g in self.genes]
        return np.lexsort((np.nan_to_num(-self.means), np.array(rank)))

    @cached_property
    def _folded(self) -> list[tuple[str, int]]:
        return [(self.genes[i].casefold(), int(i)) for i in self._order]

    def search(self, query: str) -> list[int]:
        """Return columns of the genes that match, best first: the name itself, its beginnings, then the rest."""
        text = query.strip().casefold()
        if not text:
            return [i for _, i in self._folded]
        exact, begins, holds = [], [], []
        for name, i in self._folded:
            if name == text:
                exact.append(i)
            elif name.startswith(text):
                begins.append(i)
            elif text in name:
                holds.append(i)
        return exact + begins + holds
