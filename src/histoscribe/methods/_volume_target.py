"""Units of imputed expression beside `Target`: shares inside the panel with a pseudo-count, and values as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import scipy.sparse as sp

from histoscribe.core.errors import GeneError
from histoscribe.core.target import panel_counts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section

__all__ = ["AsMeasured", "LogShares", "StackTarget"]


class StackTarget(Protocol):
    """What turns a section into the values to impute; `Target` is one."""

    @property
    def unit(self) -> str:
        """Name of the unit."""
        ...

    def __call__(self, section: Section, genes: Sequence[str]) -> np.ndarray:
        """Return ``(n, g)`` values of `genes`, in order."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        ...


@dataclass(frozen=True)
class LogShares:
    """Natural logarithm of shares inside the panel after a pseudo-count of 1: ln((c + 1) / sum over genes of (c + 1)).

    ST-Net's and ASIGN's unit (stnet-2020, asign-2025): a gene's value depends on the panel, and on depth through the
    pseudo-count.
    """

    unit: str = "ln(share of the panel, 1 added to each count)"

    def __call__(self, section: Section, genes: Sequence[str]) -> np.ndarray:
        """Return ``(n, g)`` float64 values of all `genes`, which are the panel."""
        counts = panel_counts(section, genes).astype(np.float64) + 1.0
        return np.log(counts / counts.sum(1, keepdims=True))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"kind": "log-shares", "pseudo_count": 1, "library": "the panel's genes", "unit": self.unit}


@dataclass(frozen=True)
class AsMeasured:
    """The values of the table as they are, where a study published no counts."""

    unit: str = "as published"

    def __call__(self, section: Section, genes: Sequence[str]) -> np.ndarray:
        """Return ``(n, g)`` float64 values of `genes`, in order.

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
                "Choose genes that all sections measure."
            )
            raise GeneError(msg)
        return sp.csr_matrix(section.table.X)[:, index].toarray().astype(np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"kind": "as-measured", "unit": self.unit}
