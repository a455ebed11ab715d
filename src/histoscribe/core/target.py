"""Target and panel: which genes are predicted, and what is done to their counts first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.errors import DataError, GeneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section

__all__ = ["Target", "choose_panel", "common_genes", "panel_counts"]


@dataclass(frozen=True)
class Target:
    """The declared transform from counts to what a method predicts.

    Counts are divided by the observation's library size over **all** measured genes (not only the panel: normalising
    inside a panel leaks depth into every gene), multiplied by `scale`, and log1p-transformed.

    Attributes
    ----------
    scale
        Counts per this many; 1e4 is CP10k.
    """

    scale: float = 1e4

    @property
    def unit(self) -> str:
        """Name of the unit, written beside every value."""
        return f"ln(1 + counts per {self.scale:g})"

    def __call__(self, section: Section, genes: Sequence[str]) -> np.ndarray:
        """Return ``(n, g)`` float32 for `genes` in order.

        Observations without any count become rows of zeros.

        Raises
        ------
        GeneError
            If the section lacks some of `genes`.
        """
        return self.transform(panel_counts(section, genes), section.depth)

    def transform(self, counts: np.ndarray, depth: np.ndarray) -> np.ndarray:
        """Transform ``(n, g)`` counts with ``(n,)`` library sizes."""
        rate = np.asarray(counts, dtype=np.float64) / np.maximum(depth, 1.0)[:, None]
        return np.log1p(rate * self.scale).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"kind": "log1p-rate", "scale": self.scale, "unit": self.unit, "library": "all measured genes"}


def panel_counts(section: Section, genes: Sequence[str]) -> np.ndarray:
    """Return the ``(n, g)`` float32 raw counts of `genes`, in order.

    Raises
    ------
    GeneError
        If the section lacks some of them.
    """
    index = section.table.var_names.get_indexer(list(genes))
    if (index < 0).any():
        lacking = [g for g, i in zip(genes, index, strict=True) if i < 0]
        msg = (
            f"section {section.name!r} lacks {len(lacking)} of {len(genes)} genes ({', '.join(lacking[:3])}). "
            "Choose genes that all sections measure, or check the symbols and the species."
        )
        raise GeneError(msg)
    return sp.csr_matrix(section.table.layers[keys.COUNTS], dtype=np.float32)[:, index].toarray()


def common_genes(sections: Sequence[Section]) -> list[str]:
    """Return the genes that every section measures, in the first one's order.

    Raises
    ------
    DataError
        If a section has no measured expression.
    GeneError
        If no gene is common to all.
    """
    for section in sections:
        if not section.measured:
            msg = f"section {section.name!r} has no counts, so nothing can be learned from it. Give a measured section."
            raise DataError(msg)
    shared = set(sections[0].table.var_names).intersection(*(s.table.var_names for s in sections[1:]))
    if not shared:
        names = ", ".join(repr(s.name) for s in sections)
        msg = (
            f"sections {names} have no gene in common. Check that all use symbols (or all Ensembl ids) of one species."
        )
        raise GeneError(msg)
    return [g for g in sections[0].table.var_names if g in shared]


def choose_panel(sections: Sequence[Section], n_genes: int) -> list[str]:
    """Choose the `n_genes` genes of highest mean count over the training sections' observations.

    The field's usual rule (ST-Net, TRIPLEX), with one difference: only training sections may be given, because a
    panel chosen with the test section in view leaks. Ties break by name, so that the order of files does not matter.

    Raises
    ------
    GeneError
        If fewer than `n_genes` genes are common to all sections.
    """
    genes = common_genes(sections)
    if len(genes) < n_genes:
        msg = f"{n_genes} genes were asked for, but the sections share {len(genes)}. Ask for at most {len(genes)}."
        raise GeneError(msg)
    total = np.zeros(len(genes))
    for section in sections:
        counts = sp.csr_matrix(section.table.layers[keys.COUNTS], dtype=np.float64)
        total += np.asarray(counts.sum(0)).ravel()[section.table.var_names.get_indexer(genes)]
    order = sorted(range(len(genes)), key=lambda i: (-total[i], genes[i]))
    return [genes[i] for i in order[:n_genes]]
