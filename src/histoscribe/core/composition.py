"""Cell composition as a target: cell types play the role of the panel, shares that of expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.target import Target

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["AnyTarget", "CompositionTarget", "on_simplex", "target_from"]

_ONE_REFERENCE = "Deconvolve all sections with one reference."


@dataclass(frozen=True)
class CompositionTarget:
    """The share of each cell type in each observation, from ``obsm["composition"]`` of the sections.

    It stands where `Target` stands for expression, so that whatever learns to predict expression from a target alone
    learns composition, too. Predictions are moved to the nearest composition (shares of at least 0 that sum to 1): in
    squared error this can only bring them nearer to any true one.
    """

    kind: ClassVar[str] = "composition"
    unit: ClassVar[str] = "proportion"
    axis: ClassVar[str] = "cell_type"
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def __call__(self, section: Section, types: Sequence[str], *, panel: Sequence[str] | None = None) -> np.ndarray:
        """Return the ``(n, k)`` float32 shares of `types`, in order.

        Raises
        ------
        DataError
            If the section has no composition, or lacks a type.
        """
        del panel  # shares need no library
        place = {name: i for i, name in enumerate(_types_of(section))}
        lacking = [t for t in types if t not in place]
        if lacking:
            msg = f"section {section.name!r} has no cell type {lacking[0]!r}. {_ONE_REFERENCE}"
            raise DataError(msg)
        shares = np.asarray(section.table.obsm[keys.COMPOSITION], dtype=np.float64)[:, [place[t] for t in types]]
        return shares.astype(np.float32)

    def panel(self, sections: Sequence[Section], wanted: int | Sequence[str]) -> list[str]:
        """Return all cell types, in the order of `wanted` where it names them.

        Raises
        ------
        DataError
            If the sections do not have the same types, or `wanted` names others: some of the shares sum to no whole.
        """
        first = _types_of(sections[0])
        chosen = first if isinstance(wanted, int) else list(wanted)
        for section in sections:
            if other := set(chosen) ^ set(_types_of(section)):
                msg = f"cell type {min(other)!r} is not in all of section {section.name!r} and {sections[0].name!r}. "
                raise DataError(msg + _ONE_REFERENCE)
        return chosen

    def counts(self, section: Section, types: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return no counts: ``(n, 0)`` float32, and zeros ``(n,)`` in place of a library size."""
        del types
        return np.zeros((section.n_obs, 0), dtype=np.float32), np.zeros(section.n_obs)

    def finish(self, values: np.ndarray) -> np.ndarray:
        """Return the compositions nearest to ``(n, k)`` predictions."""
        return on_simplex(values)

    def fill(self, table: AnnData) -> None:
        """Write the slots of a deconvolution beside `X` and the interval layers of a prediction."""
        shares = np.asarray(table.X, dtype=np.float64)
        table.obsm[keys.COMPOSITION] = shares / shares.sum(1, keepdims=True)
        for layer, slot in ((keys.LOWER, keys.COMPOSITION_LOWER), (keys.UPPER, keys.COMPOSITION_UPPER)):
            if layer in table.layers:
                table.obsm[slot] = np.asarray(table.layers[layer], dtype=np.float64)
        table.uns[keys.UNS]["cell_types"] = list(table.var_names)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"kind": self.kind, "unit": self.unit}


AnyTarget = Target | CompositionTarget


def target_from(value: Mapping[str, Any]) -> AnyTarget:
    """Return the target that `to_dict` of either kind describes."""
    return CompositionTarget() if value.get("kind") == CompositionTarget.kind else Target.from_dict(value)


def _types_of(section: Section) -> list[str]:
    types = section.table.uns.get(keys.UNS, {}).get("cell_types")
    if keys.COMPOSITION not in section.table.obsm or types is None:
        msg = (
            f"section {section.name!r} has no cell composition. Run `histoscribe deconvolve` and give its output with "
            "--composition, or call histoscribe.methods.with_composition(section, found)."
        )
        raise DataError(msg)
    return [str(t) for t in types]


def on_simplex(values: np.ndarray) -> np.ndarray:
    """Return the ``(n, k)`` rows of at least 0 that sum to 1 and are nearest to `values`.

    Source: Duchi et al. 2008, the exact Euclidean projection by sorting.
    """
    values = np.asarray(values, dtype=np.float64)
    ranked = -np.sort(-values, axis=1)
    excess = (ranked.cumsum(1) - 1) / np.arange(1, values.shape[1] + 1)
    last = (ranked > excess).sum(1) - 1
    return np.maximum(values - np.take_along_axis(excess, last[:, None], axis=1), 0.0)
