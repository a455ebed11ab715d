"""Columns: one gene at a time out of a matrix, fast: predictions column by column, counts as sparse columns."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from histoscribe.core.target import Target

__all__ = ["Columns", "CountColumns", "DenseColumns", "GivenColumns"]

#: Counts that are in memory a second time while means are computed.
_BLOCK = 5_000_000


class Columns(Protocol):
    """A matrix of observations x genes that gives one gene."""

    def column(self, j: int) -> np.ndarray:
        """Return gene `j` as ``(n,)`` float32."""
        ...

    def means(self) -> np.ndarray:
        """Return the ``(g,)`` float64 means over observations."""
        ...


class DenseColumns:
    """Values as they are; held gene by gene, so that a gene is one stretch of memory."""

    def __init__(self, matrix: Any) -> None:
        dense = matrix.toarray() if sp.issparse(matrix) else matrix
        self._values = np.asfortranarray(np.asarray(dense), dtype=np.float32)

    def column(self, j: int) -> np.ndarray:
        """Return gene `j` as ``(n,)`` float32."""
        return self._values[:, j]

    def means(self) -> np.ndarray:
        """Return the ``(g,)`` float64 means over observations."""
        return self._values.mean(0, dtype=np.float64)


class GivenColumns:
    """Values as they are, of a matrix that is mostly 0."""

    def __init__(self, matrix: Any) -> None:
        self._values = sp.csc_matrix(matrix, dtype=np.float32)

    def column(self, j: int) -> np.ndarray:
        """Return gene `j` as ``(n,)`` float32."""
        return self._values[:, [j]].toarray()[:, 0]

    def means(self) -> np.ndarray:
        """Return the ``(g,)`` float64 means over observations."""
        return np.asarray(self._values.mean(0, dtype=np.float64)).ravel()


class CountColumns:
    """Counts, transformed to a target when a gene is asked for.

    Parameters
    ----------
    counts
        Observations x genes.
    depth
        ``(n,)`` library sizes over all measured genes.
    target
        The transform.
    panel
        Genes over which a library inside the panel is counted.
    array
        ``(n, 2)`` array places, where the target is smoothed.
    """

    def __init__(
        self,
        counts: sp.csc_matrix,
        depth: np.ndarray,
        target: Target,
        *,
        panel: np.ndarray | None = None,
        array: np.ndarray | None = None,
    ) -> None:
        self.counts, self.depth, self.target = counts, depth, target
        self._panel, self._array = panel, array
        library = depth if target.library == "all" or panel is None else np.asarray(counts[:, panel].sum(1)).ravel()
        self._library = np.maximum(np.asarray(library, dtype=np.float64), 1.0)
        # What is left to do once counts are divided by the library, whichever that is.
        self._of_rate = target if target.library == "none" else replace(target, library="all")

    def to(self, target: Target, *, panel: np.ndarray | None = None, array: np.ndarray | None = None) -> CountColumns:
        """Return the same counts under another transform; they are shared."""
        return CountColumns(self.counts, self.depth, target, panel=panel, array=array)

    def column(self, j: int) -> np.ndarray:
        """Return gene `j` as ``(n,)`` float32."""
        counts = self.counts
        found = slice(counts.indptr[j], counts.indptr[j + 1])
        rows, data = counts.indices[found], counts.data[found]
        if self._of_rate.smooth == "none" and self._of_rate.library != "none":
            # What was not counted stays 0: only the rest is transformed.
            only = np.zeros(counts.shape[0], dtype=np.float32)
            only[rows] = self._of_rate.of_shares((data / self._library[rows])[:, None])[:, 0]
            return only
        values = np.zeros((counts.shape[0], 1))
        values[rows, 0] = data
        if self.target.library == "none":
            return self.target.values(values, self.depth, array=self._array)[:, 0].astype(np.float32)
        return self._of_rate.of_shares(values / self._library[:, None], array=self._array)[:, 0].astype(np.float32)

    def means(self) -> np.ndarray:
        """Return the ``(g,)`` float64 means over observations; a target's 3x3 mean is left out of them."""
        counts, plain = self.counts, replace(self._of_rate, smooth="none")
        n, genes = counts.shape
        sums = np.zeros(genes)
        start = 0
        while start < genes:
            end = max(start + 1, int(np.searchsorted(counts.indptr, counts.indptr[start] + _BLOCK, side="right")) - 1)
            part = slice(counts.indptr[start], counts.indptr[end])
            rate = counts.data[part] / (1.0 if plain.library == "none" else self._library[counts.indices[part]])
            values = plain.values(rate, np.ones(1)) if plain.library == "none" else plain.of_shares(rate)
            gene = np.repeat(np.arange(end - start), np.diff(counts.indptr[start : end + 1]))
            sums[start:end] = np.bincount(gene, weights=values, minlength=end - start)
            start = end
        return sums / max(n, 1)
