"""Sum the counts of bins into squares, a few million numbers at a time: what is held is the sum, not the bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import numpy as np
import scipy.sparse as sp

from histoscribe.core.errors import DataError
from histoscribe.core.progress import progress
from histoscribe.io._counts import is_integer
from histoscribe.io._files import reading
from histoscribe.io._hd_lattice import name_bytes, parse_bins
from histoscribe.io._tenx import FeatureGenes, feature_genes, matrix_group, read_features, read_tenx

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.io._hd_lattice import Squares

__all__ = ["SquareCounts", "sum_squares"]

#: Nonzeros and barcodes that are read at once; about 120 MB while they are worked on.
_CHUNK_VALUES, _CHUNK_BINS = 2_000_000, 1_000_000
#: Nonzeros that wait to be summed (12 bytes each), and parts of the sum that are renewed one after the other: the
#: largest extra at any time is the waiting ones and two parts. Few parts are large arrays, whose memory the system gets
#: back as soon as they are given up; it does not of arrays under 32 MB.
_WAITING, _PARTS = 16_000_000, 16


@dataclass(frozen=True, eq=False)
class SquareCounts:
    """Counts of squares.

    Attributes
    ----------
    matrix
        ``(n, g)`` int32 csr.
    squares
        ``(n,)`` which squares, in the order of the lattice; those without a single bin in the matrix are left out.
    n_bins
        ``(n,)`` bins of the matrix in each.
    genes
        What the columns are.
    files, notes
        What was read, and what was left out.
    """

    matrix: sp.csr_matrix
    squares: np.ndarray
    n_bins: np.ndarray
    genes: FeatureGenes
    files: list[Path]
    notes: list[str]


@dataclass(frozen=True, eq=False)
class _Chunk:
    """Bins and their nonzeros; `values` and `genes` are read only where a bin is wanted."""

    names: np.ndarray
    lengths: np.ndarray
    span: slice


def sum_squares(
    path: Path, squares: Squares, wanted: np.ndarray, *, in_tissue: bool, max_gb: float, where: str
) -> SquareCounts:
    """Read a matrix of bins and sum it into the squares that are wanted.

    Parameters
    ----------
    path
        ``.h5`` (read in chunks of barcodes), or a folder of Matrix Market (read whole).
    squares
        The lattice.
    wanted
        ``(squares,)`` bool.
    in_tissue
        Leave out bins that are not under tissue.
    max_gb
        Refuse counts that take more memory, GB.
    where
        Name for messages.

    Raises
    ------
    DataError
        If the file is damaged or does not belong to the positions, or the counts take more than `max_gb`.
    """
    what = f"feature-barcode matrix {path}"
    if path.is_dir():
        counts = read_tenx(path)
        columns = np.arange(counts.matrix.shape[1])
        genes = FeatureGenes(columns, columns, counts.var, counts.species, counts.notes)
        matrix = counts.matrix
        summing = _Summing(squares, wanted, in_tissue=in_tissue, n_genes=len(columns), max_gb=max_gb, where=where)
        chunk = _Chunk(name_bytes(counts.barcodes), np.diff(matrix.indptr), slice(0, matrix.nnz))
        summing.add(chunk, matrix.indices, matrix.data, columns, what)
        return summing.result(genes, counts.files, what)
    with reading(path, what="feature-barcode matrix"), h5py.File(path) as file:
        group = matrix_group(file, path)
        try:
            data, indices, barcodes = group["data"], group["indices"], group["barcodes"]
            indptr, shape = group["indptr"][:].astype(np.int64), tuple(int(v) for v in group["shape"][:])
            features = read_features(group)
        except KeyError as err:
            msg = f"{what} lacks a data set ({err.args[0]}). Copy or download it again."
            raise DataError(msg) from err
        _check_consistent(what, shape, len(features), len(barcodes), indptr, len(data), len(indices))
        genes = feature_genes(features, where=what)
        column_of = np.full(len(features), -1, np.int32)
        column_of[genes.rows] = genes.columns
        summing = _Summing(squares, wanted, in_tissue=in_tissue, n_genes=len(genes.var), max_gb=max_gb, where=where)
        if squares.factor == 1 and wanted[np.isfinite(squares.xy[:, 0])].all():
            # Nothing will be summed, so the size is known before anything is read.
            summing.check_size(len(data))
        with progress("reading bins", len(barcodes), unit="bins") as advance:
            for first, last in _chunks(indptr):
                span = slice(int(indptr[first]), int(indptr[last]))
                chunk = _Chunk(name_bytes(barcodes[first:last]), np.diff(indptr[first : last + 1]), span)
                summing.add(chunk, indices, data, column_of, what)
                advance(last - first)
    return summing.result(genes, [path], what)


def _chunks(indptr: np.ndarray) -> Iterator[tuple[int, int]]:
    first = 0
    while first < len(indptr) - 1:
        last = int(np.searchsorted(indptr, indptr[first] + _CHUNK_VALUES, side="right")) - 1
        last = min(max(last, first + 1), first + _CHUNK_BINS, len(indptr) - 1)
        yield first, last
        first = last


def _check_consistent(
    what: str, shape: tuple[int, ...], n_features: int, n_bins: int, indptr: np.ndarray, *lengths: int
) -> None:
    ends = set(lengths) | {int(indptr[-1])} if len(indptr) else set()
    sound = len(indptr) == n_bins + 1 and indptr[0] == 0 and (np.diff(indptr) >= 0).all() and len(ends) == 1
    if shape != (n_features, n_bins) or not sound:
        msg = (
            f"{what} is inconsistent: shape {' x '.join(map(str, shape))}, {n_features} features, {n_bins} barcodes, "
            f"{len(indptr)} pointers, {' and '.join(map(str, lengths))} values. Copy or download it again."
        )
        raise DataError(msg)


class _Summing:
    """The sum so far, in parts by rows, and what waits to be added."""

    def __init__(
        self, squares: Squares, wanted: np.ndarray, *, in_tissue: bool, n_genes: int, max_gb: float, where: str
    ) -> None:
        self.squares, self.wanted, self.in_tissue = squares, wanted, in_tissue
        self.n_genes, self.max_gb, self.where = n_genes, max_gb, where
        self.ids = np.flatnonzero(wanted)
        self.row_of = np.full(len(wanted), -1, np.int32)
        self.row_of[self.ids] = np.arange(len(self.ids), dtype=np.int32)
        self.n_bins = np.zeros(len(self.ids), np.int32)
        self.seen = np.zeros(len(squares.state), bool)
        self.edges = np.linspace(0, len(self.ids), _PARTS + 1).astype(np.int64)
        self.parts: list[sp.csr_matrix | None] = [None] * _PARTS
        # Memory of np.empty is taken when it is written to.
        self.waiting = [np.empty(_WAITING, np.int32) for _ in range(3)]
        self.n_waiting = self.n_held = self.n_unknown = self.n_total = 0

    def add(self, chunk: _Chunk, indices: h5py.Dataset, data: h5py.Dataset, column_of: np.ndarray, what: str) -> None:
        """Take the bins of a chunk that are wanted; nothing else is read of a chunk without one."""
        sizes, row, column = parse_bins(chunk.names, what=what)
        if (sizes != self.squares.bin_um).any():
            msg = f"{what} holds bins of {sizes[0]} um, the positions {self.squares.bin_um:g} um. Copy one run's files."
            raise DataError(msg)
        self._see(row, column, what)
        take = self.squares.usable(row, column, in_tissue=self.in_tissue)
        self.n_total += len(row)
        self.n_unknown += int(len(row) - take.sum())
        rows = np.full(len(row), -1, np.int32)
        rows[take] = self.row_of[self.squares.square_of(row[take], column[take])]
        np.add.at(self.n_bins, rows[rows >= 0], 1)
        if (rows < 0).all():
            return
        values, features = data[chunk.span], indices[chunk.span]
        if len(features) and int(features.max()) >= len(column_of):
            msg = f"{what} points at feature {int(features.max())} of {len(column_of)}. Copy or download it again."
            raise DataError(msg)
        if not is_integer(values):
            msg = f"{what} holds values that are negative, fractional or NaN. Give raw counts."
            raise DataError(msg)
        rows, columns = np.repeat(rows, chunk.lengths), column_of[features]
        keep = (rows >= 0) & (columns >= 0) & (values > 0)
        self._wait(rows[keep], columns[keep], values[keep])

    def _wait(self, rows: np.ndarray, columns: np.ndarray, values: np.ndarray) -> None:
        """Copy nonzeros behind those that wait; sum whenever no more can."""
        taken = 0
        while taken < len(rows):
            n = min(len(rows) - taken, _WAITING - self.n_waiting)
            here, there = slice(self.n_waiting, self.n_waiting + n), slice(taken, taken + n)
            for waiting, new in zip(self.waiting, (rows, columns, values), strict=True):
                waiting[here] = new[there]
            self.n_waiting, taken = self.n_waiting + n, taken + n
            if self.n_waiting == _WAITING:
                self._sum()

    def _see(self, row: np.ndarray, column: np.ndarray, what: str) -> None:
        inside = (row < self.squares.bins_shape[0]) & (column < self.squares.bins_shape[1])
        place = row[inside] * self.squares.bins_shape[1] + column[inside]
        twice = int(self.seen[place].sum() + len(place) - len(np.unique(place)))
        if twice:
            msg = f"{what} names {twice} barcode(s) more than once. Remove or merge the duplicates."
            raise DataError(msg)
        self.seen[place] = True

    def _sum(self) -> None:
        """Add what waits, one part of the rows after the other."""
        rows, columns, values = (w[: self.n_waiting] for w in self.waiting)
        part = (np.searchsorted(self.edges, rows, side="right") - 1).astype(np.uint8)
        order = np.argsort(part, kind="stable").astype(np.int32)
        starts = np.searchsorted(part[order], np.arange(_PARTS + 1))
        self.n_waiting = self.n_held = 0
        for i in range(_PARTS):
            own, low, high = order[starts[i] : starts[i + 1]], self.edges[i], self.edges[i + 1]
            if len(own):
                where = (rows[own] - np.int32(low), columns[own])
                new = sp.coo_matrix((values[own], where), shape=(high - low, self.n_genes)).tocsr()
                old, self.parts[i] = self.parts[i], None
                self.parts[i] = new if old is None else old + new
            held = self.parts[i]
            self.n_held += 0 if held is None else held.nnz
        self.check_size(self.n_held)

    def check_size(self, n_values: int) -> None:
        """Refuse a sum of `n_values` nonzeros that takes more memory than is allowed."""
        # A value and its column are 8 bytes; the name and the row of obs of an observation about 150.
        gigabytes = (8 * n_values + 150 * int((self.n_bins > 0).sum())) / 1e9
        if gigabytes > self.max_gb:
            size = self.squares.size_um
            msg = (
                f"{self.where}: {size:g} um squares take {gigabytes:.1f} GB of memory or more, over the "
                f"{self.max_gb:g} GB allowed. Pool more (pool_um={4 * max(size, 2):g}), read a part "
                "(region=x0,y0,x1,y1um), or allow it (max_gb=)."
            )
            raise DataError(msg)

    def result(self, genes: FeatureGenes, files: list[Path], what: str) -> SquareCounts:
        """Put the parts together; each is given up as soon as it is copied."""
        self._sum()
        self.waiting = []
        if not self.n_held:
            where = f"the {len(self.ids)} squares asked for"
            msg = f"{self.where}: {what} holds no counts in {where}. Give a measured section."
            raise DataError(msg)
        data, indices = np.empty(self.n_held, np.int32), np.empty(self.n_held, np.int32)
        lengths, filled = np.zeros(len(self.ids), np.int64), 0
        for i in range(_PARTS):
            part, self.parts[i] = self.parts[i], None
            if part is None:
                continue
            part.sort_indices()
            data[filled : filled + part.nnz], indices[filled : filled + part.nnz] = part.data, part.indices
            lengths[self.edges[i] : self.edges[i + 1]] = np.diff(part.indptr)
            filled += part.nnz
        kept = self.n_bins > 0
        small = filled <= np.iinfo(np.int32).max
        indptr = np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int32 if small else np.int64)
        matrix = sp.csr_matrix((data, indices, indptr), shape=(int(kept.sum()), self.n_genes))
        notes = list(genes.notes)
        if self.n_unknown:
            reason = "lie off the tissue or have no position" if self.in_tissue else "have no position"
            notes.append(f"{self.n_unknown} of {self.n_total} bins of the matrix {reason} and are left out")
        return SquareCounts(matrix, self.ids[kept], self.n_bins[kept], genes, files, notes)
