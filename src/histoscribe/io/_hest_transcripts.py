"""HEST's molecules: where each transcript of a Xenium sample lies on the H&E."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.core.errors import DataError
from histoscribe.io._files import existing, reading
from histoscribe.io._hest_tree import find_sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

__all__ = ["read_hest_transcripts"]


def read_hest_transcripts(
    path: Path | str,
    *,
    sample: str | None = None,
    genes: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read the molecules of a Xenium sample.

    Parameters
    ----------
    path
        The ``<id>_transcripts.parquet``, or a HEST folder.
    sample
        Which sample of the folder, where there are several.
    genes
        Only molecules of these; a sample has up to hundreds of millions.
    columns
        Only these; by default all, among them ``he_x``, ``he_y`` (full-resolution px of the H&E), ``feature_name``,
        ``cell_id`` and ``qv``.

    Returns
    -------
    One row per molecule, in the order of the file; names as text.

    Raises
    ------
    DataError
        If the file is missing, damaged, or has no ``he_x``, ``he_y``.
    """
    path = existing(path, what="HEST transcripts", remedy="Check the path.")
    if path.is_dir():
        path = find_sample(path, sample).file("transcripts")
    with reading(path, what="HEST transcripts"):
        table = _load(path, genes, columns)
    for name in table.columns[table.dtypes == "object"]:
        table[name] = [v.decode() if isinstance(v, bytes) else v for v in table[name]]
    return table.reset_index(drop=True)


def _load(path: Path, genes: Sequence[str] | None, columns: Sequence[str] | None) -> pd.DataFrame:
    """Read row group by row group, so that only what is asked for is in memory at once."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            have = file.schema_arrow.names
            needed = ("he_x", "he_y", "feature_name", *(columns or ()))
            if lacking := [c for c in needed if c not in have]:
                msg = (
                    f"HEST transcripts {path} lack the column(s) {', '.join(lacking)} (they have "
                    f"{', '.join(have[:12])}). Give the aligned transcripts of the hub."
                )
                raise DataError(msg)
            wanted = [c for c in (columns or have) if not c.startswith("__index_level")]
            parts = [file.schema_arrow.empty_table().select(wanted)]
            for index in range(file.num_row_groups):
                part = file.read_row_group(index, columns=list(dict.fromkeys([*wanted, "feature_name"])))
                if genes is not None:
                    names = pc.cast(part["feature_name"], pa.string())
                    part = part.filter(pc.is_in(names, pa.array(list(genes), pa.string())))
                parts.append(part.select(wanted))
    except pa.ArrowException as err:
        msg = f"HEST transcripts {path} are truncated or no Parquet ({err}). Download them again."
        raise DataError(msg) from err
    return pa.concat_tables(parts).to_pandas(ignore_metadata=True)
