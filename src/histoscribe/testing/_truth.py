"""Truth: what a synthetic section was drawn from, and the score that a perfect predictor would reach on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.array import array_of
from histoscribe.core.errors import DataError
from histoscribe.core.target import Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section

__all__ = ["EXPECTED", "PLANTED", "Truth"]

#: layers: expected share of the library, before any noise. Like every layer it is gone after `Section.blind`.
EXPECTED = "expected_share"
#: var: class of the gene.
PLANTED = "planted"


@dataclass(frozen=True, eq=False)
class Truth:
    """What the counts of a synthetic section were drawn from.

    Attributes
    ----------
    genes, classes
        Names in order, and the class of each.
    expected
        ``(n, g)`` float64 noise-free target, in the unit of `target`.
    measured
        ``(n, g)`` float64 target of the drawn counts.
    target
        The transform of both.
    """

    genes: tuple[str, ...]
    classes: np.ndarray
    expected: np.ndarray
    measured: np.ndarray
    target: Target

    @classmethod
    def of(cls, section: Section, genes: Sequence[str] | None = None, *, target: Target | None = None) -> Truth:
        """Read the truth of a synthetic section.

        Parameters
        ----------
        section
            A section made here; blinding, writing it as Space Ranger files or reading these removes the truth.
        genes
            Genes in order; default all.
        target
            Transform; default ln(1 + CP10k).

        Raises
        ------
        DataError
            If the section holds no truth.
        """
        table = section.table
        if EXPECTED not in table.layers:
            msg = f"section {section.name!r} holds no truth: it is not synthetic, or was blinded. Make it again."
            raise DataError(msg)
        names = list(table.var_names) if genes is None else list(genes)
        index = table.var_names.get_indexer(names)
        if (index < 0).any():
            msg = f"section {section.name!r} has no gene {names[int(np.argmin(index))]!r}. Choose among its own genes."
            raise DataError(msg)
        target = target or Target()
        share = np.asarray(table.layers[EXPECTED], dtype=np.float64)[:, index]
        classes = table.var[PLANTED].astype(str).to_numpy()[index]
        measured = target(section, names).astype(np.float64)
        array = array_of(section) if target.smooth != "none" else None
        return cls(tuple(names), classes, target.of_shares(share, array=array), measured, target)

    def ceiling(self) -> np.ndarray:
        """Return ``(g,)`` correlation over observations of the noise-free with the measured target.

        It is the `pcc_gene` of a predictor that knows everything but the noise; 0 for a gene without signal.
        """
        return _correlation(self.expected, self.measured)

    def where(self, planted: str) -> np.ndarray:
        """Return ``(g,)`` bool: genes of class `planted`."""
        return self.classes == planted


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a - a.mean(0), b - b.mean(0)
    scale = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    # Rounding leaves about 1e-16 of variance in a constant column; it is not signal.
    flat = scale <= 1e-9 * len(a)
    return np.where(flat, 0.0, (a * b).sum(0) / np.where(flat, 1.0, scale))
