"""The columns of a HEST table: controls go, repeated symbols are summed, Ensembl ids are told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from histoscribe.core.errors import GeneError
from histoscribe.io._counts import merge_genes

if TYPE_CHECKING:
    import scipy.sparse as sp

__all__ = ["gene_columns", "is_control"]

#: HEST leaves these in its tables and drops names with BLANK or Control when it chooses genes; the others are what
#: Xenium calls features that can hold no transcript of the tissue.
_CONTROL = re.compile(r"blank|control|^antisense_|^(?:unassigned|deprecated)codeword|^intergenic_", re.IGNORECASE)


def is_control(name: str) -> bool:
    """Say whether a feature is a blank or a control and not a gene.

    Examples
    --------
    >>> [is_control(n) for n in ("BLANK_0069", "NegControlProbe_00042", "antisense_BCL2L15", "KRT8")]
    [True, True, True, False]
    """
    return _CONTROL.search(name) is not None


def gene_columns(counts: sp.csr_matrix, var: pd.DataFrame, notes: list[str]) -> tuple[sp.csr_matrix, pd.DataFrame]:
    """Return the genes' columns of ``(n, g)`` counts, and their table; `notes` tells what was done.

    Raises
    ------
    GeneError
        If no gene is left.
    """
    names = var.index.astype(str)
    keep = ~names.map(is_control).to_numpy(dtype=bool)
    if not keep.any():
        msg = (
            f"all {len(names)} features of the table are blanks or controls (e.g. {names[0]}). Give a measured section."
        )
        raise GeneError(msg)
    if not keep.all():
        notes.append(f"{int((~keep).sum())} blank and control features are left out")
        counts, var, names = counts[:, keep], var[keep], names[keep]
    counts, genes, merged = merge_genes(counts, list(names))
    if merged:
        notes.append(f"{merged} columns repeat a gene's name; their counts are summed")
        var = var[~names.duplicated()]
    var = var.set_axis(pd.Index(genes, dtype=object), axis=0)
    if (share := _ensembl(genes)) > 0.5:
        notes.append(f"{share:.0%} of the genes are named by Ensembl id, not by symbol")
    return counts, var


def _ensembl(genes: pd.Index) -> float:
    return float(genes.str.match(r"ENS(?:MUS)?G\d{11}").mean())
