"""Fingerprints of single observations that do not depend on file format, order, barcodes or names of genes."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.core import keys

if TYPE_CHECKING:
    from collections.abc import Sequence

    import scipy.sparse as sp

    from histoscribe.core.section import Section

__all__ = ["common_genes", "named_profiles", "nameless_profiles", "position_profiles"]

# An observation with few counts looks like many others; such ones prove nothing and are left out.
_NAMED_COUNTS, _NAMED_GENES = 30, 15
# Without names far more counts are needed: 50 ones and 5 twos is what many cells show.
_NAMELESS_COUNTS, _NAMELESS_GENES = 1000, 200
#: Neighbours whose distances make a place recognisable, and the grid their ratios to the first one are rounded to.
_NEIGHBOURS, _GRID = 5, 1e-3
#: On a lattice all places look alike: fewer different ones than this share of all are no evidence.
_DISTINCT = 0.5


def _plain(gene: str) -> str:
    """Return a gene's name without case and without the version of an Ensembl id."""
    return re.sub(r"^(ENS[A-Z]*G\d+)\.\d+$", r"\1", gene.upper())


def common_genes(sections: Sequence[Section]) -> set[str]:
    """Return the genes that all sections measure, by plain names."""
    sets = [{_plain(gene) for gene in section.table.var_names} for section in sections]
    return set.intersection(*sets) if sets else set()


def named_profiles(section: Section, genes: set[str]) -> np.ndarray:
    """Name the counts over `genes` of each observation.

    The sum over genes of count times a number drawn from the gene's name, modulo 2^64: it depends on neither the order
    of genes nor on genes without counts.

    Returns
    -------
    ``(n,)`` uint64, sorted and each once; observations with few counts are left out.
    """
    counts = _counts(section)
    names = [_plain(gene) for gene in section.table.var_names]
    keep = np.fromiter((name in genes for name in names), dtype=bool, count=len(names))
    weights = np.fromiter((_weight(n) if k else 0 for n, k in zip(names, keep, strict=True)), np.uint64, len(names))
    values = np.where(keep[counts.indices], counts.data, 0).astype(np.uint64)
    enough = (_rows(counts, values) >= _NAMED_COUNTS) & (_rows(counts, (values > 0).astype(np.uint64)) >= _NAMED_GENES)
    return np.unique(_rows(counts, values * weights[counts.indices])[enough])


def nameless_profiles(section: Section) -> np.ndarray:
    """Name each observation by how many genes have one count, two, three and so on; genes need no common names.

    Returns
    -------
    ``(n,)`` uint64, sorted and each once; only observations with many counts are told apart by this.
    """
    counts = _counts(section)
    values = counts.data.astype(np.uint64)
    present = (values > 0).astype(np.uint64)
    enough = (_rows(counts, values) >= _NAMELESS_COUNTS) & (_rows(counts, present) >= _NAMELESS_GENES)
    return np.unique(_rows(counts, _mixed(values) * present)[enough])


def position_profiles(section: Section) -> np.ndarray:
    """Name each place by the distances to its nearest neighbours, in units of the distance to the first.

    They stay the same when a section is moved, turned, mirrored, resized, cropped (but for its edge) or reordered.

    Returns
    -------
    ``(n,)`` uint64, sorted and each once; empty on a lattice, where all places look alike.
    """
    xy = section.xy
    if len(xy) <= 2 * _NEIGHBOURS:
        return np.empty(0, np.uint64)
    distances = cKDTree(xy).query(xy, k=_NEIGHBOURS + 1)[0][:, 1:]
    distances = distances[distances[:, 0] > 0]
    steps = np.round(distances[:, 1:] / distances[:, :1] / _GRID).astype(np.uint64)
    names = np.zeros(len(steps), np.uint64)
    for column in steps.T:
        names = _mixed(names + column)
    found = np.unique(names)
    return found if len(found) >= _DISTINCT * len(xy) else np.empty(0, np.uint64)


def _counts(section: Section) -> sp.csr_matrix:
    import scipy.sparse as sp

    return sp.csr_matrix(section.table.layers[keys.COUNTS])


def _rows(matrix: sp.csr_matrix, values: np.ndarray) -> np.ndarray:
    """Sum uint64 `values` of a csr matrix's entries over each row, modulo 2^64; ``(n,)``."""
    sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(values, dtype=np.uint64)])
    return sums[matrix.indptr[1:]] - sums[matrix.indptr[:-1]]


@cache
def _weight(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def _mixed(values: np.ndarray) -> np.ndarray:
    """Scatter numbers over 64 bits (the finaliser of SplitMix64, Steele et al. 2014)."""
    x = values + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
