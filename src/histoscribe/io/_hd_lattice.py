"""Visium HD's lattice: bins by row and column, squares of several bins, and where they lie; memory per bin is bytes.

A whole slide has 11 million bins of 2 um, so positions are read in batches and names are parsed as bytes; the only
things kept are one byte for each bin and the centres of the squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.errors import CoordinateError, DataError
from histoscribe.io._files import reading
from histoscribe.io._space_ranger import POSITIONS, read_positions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Squares", "bin_names", "name_bytes", "parse_bins", "read_squares"]

#: ``s_002um_00305_01021-1``: bin size, row and column, then the number of the library.
_NAME = "s_{:03d}um_{:05d}_{:05d}-1"
_DIGITS = ((2, 5), (8, 13), (14, 19))
_FIXED = {0: b"s", 1: b"_", 5: b"u", 6: b"m", 7: b"_", 13: b"_", 19: b"-", 20: b"1"}
_BATCH = 1 << 20
#: Positions that the scale is fitted on: 11 million say no more than these.
_SAMPLE = 200_000
#: A bin in the positions, off and on the tissue.
_KNOWN, _TISSUE = 1, 2


@dataclass(frozen=True, eq=False)
class Squares:
    """Squares of ``factor x factor`` bins, aligned with the array's corner whatever bins hold counts.

    Attributes
    ----------
    bin_um, factor
        Edge of a bin, um, and bins per edge of a square.
    bins_shape, shape
        Rows and columns of the array in bins and in squares.
    state
        ``(rows * columns of bins,)`` uint8: 0 where the positions have no such bin, 1 off tissue, 2 on it.
    xy
        ``(rows * columns of squares, 2)`` float64 centres, full-resolution px; NaN where no bin has a position.
    n_tissue
        ``(rows * columns of squares,)`` bins under tissue.
    array, array_xy
        ``(m, 2)`` column and row of a sample of bins, and their x, y.
    """

    bin_um: float
    factor: int
    bins_shape: tuple[int, int]
    shape: tuple[int, int]
    state: np.ndarray
    xy: np.ndarray
    n_tissue: np.ndarray
    array: np.ndarray
    array_xy: np.ndarray

    def usable(self, row: np.ndarray, column: np.ndarray, *, in_tissue: bool) -> np.ndarray:
        """Tell which bins have a position and, where asked, lie under tissue."""
        inside = (row < self.bins_shape[0]) & (column < self.bins_shape[1])
        found = self.state[np.where(inside, row.astype(np.int64) * self.bins_shape[1] + column, 0)]
        return inside & (found >= (_TISSUE if in_tissue else _KNOWN))

    def square_of(self, row: np.ndarray, column: np.ndarray) -> np.ndarray:
        """Return which square each bin belongs to."""
        return (row.astype(np.int64) // self.factor) * self.shape[1] + column // self.factor

    @property
    def size_um(self) -> float:
        """Edge of a square, um."""
        return self.bin_um * self.factor


def read_squares(path: Path, *, bin_um: float, factor: int, where: str) -> Squares:
    """Read a positions file of Visium HD in batches.

    Raises
    ------
    DataError
        If the file is damaged, names a bin twice, or its names and its array columns disagree.
    """
    rows = columns = total = 0
    for batch in _batches(path):
        _check_names(batch, path, bin_um, where)
        rows = max(rows, int(batch["array_row"].max(initial=-1)) + 1)
        columns = max(columns, int(batch["array_col"].max(initial=-1)) + 1)
        total += len(batch["array_row"])
    if not total:
        msg = f"{where}: positions {path} is empty. Copy or download it again."
        raise DataError(msg)
    shape = (-(-rows // factor), -(-columns // factor))
    state = np.zeros(rows * columns, np.uint8)
    # Sums over the bins of each square: x, y, row, column, bins with a position, bins under tissue.
    sums = np.zeros((4, shape[0] * shape[1]))
    n_bins, n_tissue = np.zeros(shape[0] * shape[1], np.int32), np.zeros(shape[0] * shape[1], np.int32)
    stride, start, sample = max(1, total // _SAMPLE), 0, []
    for batch in _batches(path):
        row, column, tissue = batch["array_row"], batch["array_col"], batch["in_tissue"] == 1
        square = (row // factor) * shape[1] + column // factor
        state[row * columns + column] = np.where(tissue, _TISSUE, _KNOWN)
        for target, key in zip(
            sums, ("pxl_col_in_fullres", "pxl_row_in_fullres", "array_row", "array_col"), strict=True
        ):
            np.add.at(target, square, batch[key])
        np.add.at(n_bins, square, 1)
        np.add.at(n_tissue, square, tissue.astype(np.int32))
        taken = slice(-start % stride, None, stride)
        keys = ("array_col", "array_row", "pxl_col_in_fullres", "pxl_row_in_fullres")
        sample.append(np.column_stack([batch[k][taken] for k in keys]))
        start += len(row)
    if np.count_nonzero(state) != total:
        msg = (
            f"{where}: positions {path} names {total - np.count_nonzero(state)} bins twice. Copy or download it again."
        )
        raise DataError(msg)
    sampled = np.vstack(sample).astype(np.float64)
    xy = _centres(sums, n_bins, shape, factor, sampled)
    return Squares(bin_um, factor, (rows, columns), shape, state, xy, n_tissue, sampled[:, :2], sampled[:, 2:])


def _centres(
    sums: np.ndarray, n_bins: np.ndarray, shape: tuple[int, int], factor: int, sample: np.ndarray
) -> np.ndarray:
    """Return ``(n, 2)`` centres of whole squares, px, also of those that the array's rim cuts.

    The mean of the bins' own positions, moved from the bins' mean place to the square's centre by the affine that the
    array has: exact for an affine array, and nothing is moved where a square is whole.
    """
    sums /= np.where(n_bins, n_bins, np.nan)
    if factor == 1:
        return np.ascontiguousarray(sums[:2].T)
    design = np.column_stack([sample[:, :2], np.ones(len(sample))])
    affine = np.linalg.lstsq(design, sample[:, 2:], rcond=None)[0][:2]  # (column, row) -> (x, y)
    square_row, square_column = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    middle = (factor - 1) / 2
    off = np.column_stack([square_column * factor + middle - sums[3], square_row * factor + middle - sums[2]])
    return sums[:2].T + off @ affine


def _batches(path: Path) -> Iterator[dict[str, np.ndarray]]:
    """Give the columns of a positions file, up to a million rows at a time; names as ``(n, width)`` bytes."""
    if path.suffix != ".parquet":
        table = read_positions(path)
        batch = {c: table[c].to_numpy() for c in POSITIONS[1:]}
        yield _checked(batch | {"barcode": name_bytes(table.index)}, path)
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(path, what="positions"):
        try:
            file = pq.ParquetFile(path)
        except pa.ArrowInvalid as err:
            msg = f"positions {path} is not Parquet ({err}). Copy or download it again."
            raise DataError(msg) from err
        lacking = [c for c in POSITIONS if c not in file.schema_arrow.names]
        if lacking:
            msg = f"positions {path} lacks the column(s) {', '.join(lacking)}. Give Space Ranger's own file."
            raise DataError(msg)
        with file:
            for found in file.iter_batches(batch_size=_BATCH, columns=list(POSITIONS)):
                batch = {c: found.column(c).to_numpy(zero_copy_only=False) for c in POSITIONS[1:]}
                yield _checked(batch | {"barcode": _arrow_bytes(found.column("barcode"))}, path)
    pa.default_memory_pool().release_unused()


def _checked(batch: dict[str, np.ndarray], path: Path) -> dict[str, np.ndarray]:
    numbers = np.column_stack([batch[c] for c in POSITIONS[1:]]).astype(np.float64)
    bad = ~np.isfinite(numbers).all(1) | (numbers[:, 1:3] < 0).any(1)
    if bad.any():
        msg = (
            f"positions {path}: {int(bad.sum())} rows hold values that are not numbers, or negative array places; it "
            "is truncated or damaged. Copy or download it again."
        )
        raise CoordinateError(msg)
    whole = {c: batch[c].astype(np.int64) for c in ("array_row", "array_col")}
    return batch | whole


def _arrow_bytes(column: Any) -> np.ndarray:
    """Return the bytes of an Arrow column of strings of one length without making a Python object of each."""
    import pyarrow as pa

    if len(column) and pa.types.is_string(column.type):
        _, offsets, data = column.buffers()
        edges = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
        width = int(edges[1] - edges[0])
        if width and (np.diff(edges) == width).all():
            return np.frombuffer(data, np.uint8)[edges[0] : edges[-1]].reshape(-1, width)
    return name_bytes(column.to_pylist())


def name_bytes(names: Any) -> np.ndarray:
    """Return names as ``(n, longest)`` uint8, zeros behind shorter ones."""
    text = names if getattr(names, "dtype", None) is not None and names.dtype.kind == "S" else _as_bytes(names)
    return np.ascontiguousarray(text).view(np.uint8).reshape(len(text), -1)


def _as_bytes(names: Any) -> np.ndarray:
    return np.array([n if isinstance(n, bytes) else str(n).encode() for n in names], dtype="S")


def parse_bins(names: np.ndarray, *, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Parse ``s_002um_00305_01021-1``, given as ``(n, width)`` bytes, into bin sizes (um), rows and columns.

    Raises
    ------
    DataError
        If a name is not of that form.
    """
    good = np.zeros(len(names), bool)
    if names.shape[1] >= 21:
        good[:] = (names[:, 21:] == 0).all(1)
        for place, byte in _FIXED.items():
            good &= names[:, place] == byte[0]
        for start, stop in _DIGITS:
            good &= ((names[:, start:stop] >= 48) & (names[:, start:stop] <= 57)).all(1)
    if not good.all():
        first = names[int(np.flatnonzero(~good)[0])].tobytes().rstrip(b"\0").decode(errors="replace")
        msg = (
            f"{what} names {int((~good).sum())} bins in another way than Visium HD does, e.g. {first!r} instead of "
            "'s_008um_00012_00034-1'. Give Space Ranger's own files (visium: reads spots)."
        )
        raise DataError(msg)
    tens = 10 ** np.arange(4, -1, -1, dtype=np.int64)
    sizes, rows, columns = ((names[:, a:b] - np.uint8(48)) @ tens[-(b - a) :] for a, b in _DIGITS)
    return sizes, rows, columns


def bin_names(size_um: float, row: np.ndarray, column: np.ndarray) -> list[str]:
    """Name squares as Space Ranger names bins of that size."""
    # Space Ranger's 8 um bins are 4 x 4 of its 2 um bins, so pooling those gives its own names.
    return [_NAME.format(round(size_um), r, c) for r, c in zip(row.tolist(), column.tolist(), strict=True)]


def _check_names(batch: dict[str, np.ndarray], path: Path, bin_um: float, where: str) -> None:
    sizes, rows, columns = parse_bins(batch["barcode"], what=f"{where}: positions {path}")
    wrong = (rows != batch["array_row"]) | (columns != batch["array_col"]) | (sizes != bin_um)
    if wrong.any():
        i = int(np.flatnonzero(wrong)[0])
        name = batch["barcode"][i].tobytes().decode(errors="replace")
        msg = (
            f"{where}: positions {path} puts {int(wrong.sum())} bins elsewhere than their names say, e.g. {name} at "
            f"row {batch['array_row'][i]}, column {batch['array_col'][i]} of {bin_um:g} um bins. Array places were "
            "counted anew after bins were dropped, or files of two runs are mixed; give Space Ranger's own files."
        )
        raise CoordinateError(msg)
