"""Counts: from a vendor's table to a checked, integer, sparse matrix with unique names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from histoscribe.core.errors import DataError, GeneError
from histoscribe.io._files import open_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Counts", "as_counts", "check_unique", "is_integer", "merge_genes", "read_count_table", "row_sums"]

_SPOT = re.compile(r"\d+x\d+$")


@dataclass(frozen=True)
class Counts:
    """Integer counts with names.

    Attributes
    ----------
    matrix
        ``(n, g)`` csr, int32 (int64 where a count needs it).
    spots, genes
        Names of rows and columns; genes are unique.
    """

    matrix: sp.csr_matrix
    spots: pd.Index
    genes: pd.Index


def is_integer(values: np.ndarray) -> bool:
    """Tell whether all values are finite whole numbers of at least 0."""
    values = np.asarray(values)
    return bool(np.isfinite(values).all() and (values >= 0).all() and (values == np.floor(values)).all())


def as_counts(matrix: Any, *, spots: Sequence[str], genes: Sequence[str], where: str) -> sp.csr_matrix:
    """Check that `matrix` (``(n, g)``, dense or sparse) holds counts, and return it as an integer csr.

    Raises
    ------
    DataError
        If it is empty, or holds NaN, negative or fractional values; the first one is named.
    """
    if hasattr(matrix, "to_memory"):
        matrix = matrix.to_memory()
    coo = sp.coo_matrix(matrix)
    if 0 in coo.shape or coo.nnz == 0:
        msg = f"{where} holds no counts ({coo.shape[0]} observations x {coo.shape[1]} genes). Give a measured section."
        raise DataError(msg)
    data = np.asarray(coo.data)
    bad = {
        "NaN or infinite": ~np.isfinite(data),
        "negative": data < 0,
        "fractional": np.isfinite(data) & (data != np.floor(data)),
    }
    for kind, mask in bad.items():
        if mask.any():
            i = int(np.flatnonzero(mask)[0])
            msg = (
                f"{where} holds {int(mask.sum())} {kind} values, the first {data[i]:g} at observation "
                f"{spots[coo.row[i]]}, gene {genes[coo.col[i]]}. Give raw counts, not normalised or imputed values."
            )
            raise DataError(msg)
    dtype = np.int32 if data.max() <= np.iinfo(np.int32).max else np.int64
    result = sp.csr_matrix((data.astype(dtype), (coo.row, coo.col)), shape=coo.shape)
    result.eliminate_zeros()
    return result


def row_sums(matrix: sp.csr_matrix) -> np.ndarray:
    """Return the ``(n,)`` float64 sums of the rows; scipy's own copies all values to a wider type first."""
    total = np.zeros(matrix.shape[0])
    step = 65_536
    for start in range(0, len(total), step):
        total[start : start + step] = np.asarray(matrix[start : start + step].sum(1)).ravel()
    return total


def check_unique(names: pd.Index, *, what: str, where: str, error: type[Exception] = DataError) -> None:
    """Refuse repeated names; merging rows or columns that a file repeats would hide that it is damaged."""
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        shown = ", ".join(map(str, repeated[:3]))
        msg = f"{where} names {len(repeated)} {what}(s) more than once ({shown}). Remove or merge the duplicates."
        raise error(msg)


def merge_genes(counts: sp.csr_matrix, genes: Sequence[str]) -> tuple[sp.csr_matrix, pd.Index, int]:
    """Sum columns that carry one symbol, keeping the order of first appearance.

    Several Ensembl ids can share a symbol; summing keeps every count and the library size, and makes the symbol
    mean the same in sections annotated with different releases.

    Returns
    -------
    The matrix, its unique genes, and how many columns were merged away.
    """
    codes, unique = pd.factorize(pd.Index(genes, dtype=object))
    if len(unique) == len(genes):
        return counts, pd.Index(genes, dtype=object), 0
    collect = sp.csr_matrix((np.ones(len(codes), counts.dtype), (np.arange(len(codes)), codes)))
    return sp.csr_matrix(counts @ collect), pd.Index(unique), len(genes) - len(unique)


def read_count_table(path: Path) -> Counts:
    """Read a text table of counts: spots in rows ``<x>x<y>``, genes in columns (or transposed), gzip or not.

    Raises
    ------
    DataError
        If a line is short (a truncated file), a value is not a number or not a count, or a spot is repeated.
    GeneError
        If a gene is repeated.
    """
    what = "count table"
    with open_text(path, what=what) as handle:
        header = handle.readline().rstrip("\r\n")
        separator = "\t" if "\t" in header else ","
        columns = [c.strip('"') for c in header.split(separator)]
        names, blocks = [], []
        for number, line in enumerate(handle, start=2):
            name, _, rest = line.rstrip("\r\n").partition(separator)
            names.append(name.strip('"'))
            blocks.append(_row(rest.encode(), ord(separator), path, number))
    widths = {block.shape[1] for block in blocks}
    width = max(widths, default=0)
    if len(widths) > 1 or len(columns) - width not in (0, 1) or not blocks:
        msg = (
            f"{what} {path} is truncated or damaged: {len(columns)} column names, {len(blocks)} rows of "
            f"{min(widths, default=0)} to {width} values. Copy or download it again."
        )
        raise DataError(msg)
    # R writes no name above the row names, pandas an empty one.
    columns = columns[len(columns) - width :]
    matrix, rows = sp.vstack(blocks, format="csr"), names
    if columns and all(map(_SPOT.match, columns[:20])):
        matrix, rows, columns = matrix.T, columns, names
    spots, genes, where = pd.Index(rows, dtype=object), pd.Index(columns, dtype=object), f"{what} {path}"
    check_unique(spots, what="spot", where=where)
    check_unique(genes, what="gene", where=where, error=GeneError)
    return Counts(as_counts(matrix, spots=rows, genes=columns, where=where), spots, genes)


def _row(text: bytes, separator: int, path: Path, number: int) -> sp.csr_matrix:
    # Nearly all values are the text "0", and of the rest nearly all one digit: only the others are parsed.
    letters = np.frombuffer(text + b" ", np.uint8)
    ends = np.append(np.flatnonzero(letters == separator), len(text))
    starts = np.append(0, ends[:-1] + 1)
    digits = letters[starts].astype(np.int16) - ord("0")
    longer = (ends - starts != 1) | (digits < 0) | (digits > 9)
    columns = np.flatnonzero(longer | (digits != 0))
    data, rest = digits[columns].astype(np.float64), longer[columns]
    spans = zip(starts[columns[rest]].tolist(), ends[columns[rest]].tolist(), strict=True)
    try:
        data[rest] = [float(text[i:j].decode()) for i, j in spans]
    except ValueError as err:
        msg = (
            f"count table {path}, line {number}: {err}. Counts must be whole numbers; if this is the last line, "
            "the file is truncated: copy it again."
        )
        raise DataError(msg) from err
    return sp.csr_matrix((data, columns, [0, len(data)]), shape=(1, len(ends)), dtype=np.float64)
