"""Molecules of imaging platforms: tables of transcripts, read in chunks and reduced to gene and place."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.core.errors import DataError
from histoscribe.io._files import open_text, reading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Molecules"]

_ROWS = 1_000_000


@dataclass(eq=False)
class Molecules:
    """A table of molecules, and which of them count.

    Attributes
    ----------
    path
        Parquet, or text (gzip or not).
    gene, x, y
        Columns.
    unit_um
        um per unit of `x` and `y`.
    quality, min_quality
        Column of a quality, and the least that counts; None where there is none.
    n_genes, n_other, n_poor
        Filled while reading: molecules of genes, of anything else (controls), and below the quality.
    """

    path: Path
    gene: str
    x: str
    y: str
    unit_um: float = 1.0
    quality: str | None = None
    min_quality: float = 20.0
    n_genes: int = field(default=0, init=False)
    n_other: int = field(default=0, init=False)
    n_poor: int = field(default=0, init=False)

    def chunks(self, genes: pd.Index) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Give column in `genes` ``(m,)`` and x, y ``(m, 2)``, um, of the molecules that count."""
        for names, codes, xy, quality in self._tables():
            column = genes.get_indexer(pd.Index([n.decode() if isinstance(n, bytes) else str(n) for n in names]))[codes]
            good = np.ones(len(codes), bool) if quality is None else quality >= self.min_quality
            keep = good & (column >= 0)
            self.n_poor += int((~good).sum())
            self.n_other += int((good & (column < 0)).sum())
            self.n_genes += int(keep.sum())
            if not np.isfinite(xy[keep]).all():
                msg = f"transcripts {self.path} hold places that are not numbers. Copy or download the file again."
                raise DataError(msg)
            yield column[keep], xy[keep] * self.unit_um

    @property
    def note(self) -> str:
        """What was counted and what was not."""
        poor = f", {self.n_poor} below quality {self.min_quality:g}" if self.quality else ""
        return f"{self.n_genes} molecules are summed; {self.n_other} of controls{poor} are left out"

    @property
    def _columns(self) -> list[str]:
        return [self.gene, self.x, self.y, *([self.quality] if self.quality else [])]

    def _tables(self) -> Iterator[tuple[Any, np.ndarray, np.ndarray, np.ndarray | None]]:
        """Give distinct names, each molecule's place in them, ``(m, 2)`` coordinates and quality."""
        if self.path.suffix == ".parquet":
            yield from self._parquet()
            return
        with open_text(self.path, what="transcripts") as handle:
            try:
                for table in pd.read_csv(handle, usecols=self._columns, chunksize=_ROWS):
                    codes, names = pd.factorize(table[self.gene])
                    xy = table[[self.x, self.y]].to_numpy(dtype=np.float64)
                    quality = table[self.quality].to_numpy() if self.quality else None
                    yield names, codes, xy, quality
            except ValueError as err:
                # ParserError is one, and so is a missing column.
                msg = f"transcripts {self.path}: {err}. Give the vendor's own file, whole."
                raise DataError(msg) from err

    def _parquet(self) -> Iterator[tuple[Any, np.ndarray, np.ndarray, np.ndarray | None]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        with reading(self.path, what="transcripts"):
            try:
                file = pq.ParquetFile(self.path)
            except pa.ArrowInvalid as err:
                msg = f"transcripts {self.path} are not Parquet ({err}). Copy or download the file again."
                raise DataError(msg) from err
            lacking = [c for c in self._columns if c not in file.schema_arrow.names]
            if lacking:
                msg = f"transcripts {self.path} lack the column(s) {', '.join(lacking)}. Give the vendor's own file."
                raise DataError(msg)
            with file:
                for batch in file.iter_batches(batch_size=_ROWS, columns=self._columns):
                    coded = batch.column(self.gene)
                    coded = coded if pa.types.is_dictionary(coded.type) else coded.dictionary_encode()
                    xy = np.column_stack([batch.column(c).to_numpy(zero_copy_only=False) for c in (self.x, self.y)])
                    quality = batch.column(self.quality).to_numpy(zero_copy_only=False) if self.quality else None
                    codes = coded.indices.to_numpy(zero_copy_only=False)
                    yield coded.dictionary.to_pylist(), codes, xy.astype(np.float64), quality
