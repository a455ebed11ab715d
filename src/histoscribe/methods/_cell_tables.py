"""Read what a deconvolution needs from files: AnnData, tables of counts with a table of types, tables of profiles."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from anndata import AnnData

from histoscribe.core.errors import DataError
from histoscribe.methods._cell_reference import MIN_CELLS, Reference, tidy_symbols
from histoscribe.methods._r_files import CELL_TYPE, is_r_file, read_r_file

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["is_table", "read_anndata", "read_reference", "read_spots", "read_table"]

_TABLES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")


def is_table(path: Path | str) -> bool:
    """Say whether `path` is named like a text table."""
    return str(path).lower().endswith(_TABLES)


def read_reference(
    path: Path | str, labels: str | None = None, *, min_cells: int = MIN_CELLS, drop: Sequence[str] = ()
) -> Reference:
    """Read a reference of cell types.

    Parameters
    ----------
    path
        ``.h5ad`` of single cells, or a text table (``.csv``, ``.tsv``, gzip or not): counts of genes x cells or cells x
        genes where `labels` is given, else profiles of genes x cell types; or an ``.rds`` or ``.RData`` with one of
        these or with a `Reference` of spacexr, which knows its types.
    labels
        For an ``.h5ad``, the obs column with the types. For a table of counts, a second table ``FILE`` or
        ``FILE:COLUMN`` whose first column names the cells; by default its second column holds the types.
    min_cells, drop
        As `Reference.from_cells`.
    """
    path = Path(path)
    if not path.is_file():
        msg = f"reference {path} does not exist. Check the path."
        raise DataError(msg)
    held = read_r_file(path) if is_r_file(path) else None
    if path.suffix == ".h5ad" or isinstance(held, AnnData):
        cells = read_anndata(path) if held is None else held
        labels = CELL_TYPE if labels is None and CELL_TYPE in cells.obs and held is not None else labels
        if labels is None:
            msg = f"reference {path} holds single cells. Name the obs column with their types: --labels COLUMN."
            raise DataError(msg)
        return Reference.from_cells(cells, labels, min_cells=min_cells, drop=drop)
    if held is None and not is_table(path):
        msg = f"reference {path} is neither .h5ad, .rds, .RData nor a table ({', '.join(_TABLES)}). Convert it to one."
        raise DataError(msg)
    table = read_table(path) if held is None else held
    if labels is None:
        return Reference.from_profiles(table)
    types = _types(labels)
    cells, shared = _oriented(table, types.index.astype(str), what=f"cells of {path}", other=f"those of {labels}")
    found = types.loc[types.index.isin(shared)].groupby(level=0).first()
    kept = cells.loc[cells.index.isin(found.index)]
    return Reference.from_cells(_anndata(kept), list(found.loc[kept.index]), min_cells=min_cells, drop=drop)


def read_spots(path: Path | str, reference: Reference) -> AnnData:
    """Read counts of observations: ``.h5ad``, a file of R, or a table of either orientation (genes find their side)."""
    path = Path(path)
    if not path.is_file():
        msg = f"{path} does not exist. Check the path."
        raise DataError(msg)
    if path.suffix == ".h5ad":
        return read_anndata(path)
    table = read_r_file(path) if is_r_file(path) else read_table(path)
    if isinstance(table, AnnData):
        return table
    genes = {g.upper() for g in reference.genes}
    in_rows, in_columns = (sum(g.upper() in genes for g in tidy_symbols(i)) for i in (table.index, table.columns))
    return _anndata(table.T if in_rows >= in_columns else table)


def read_anndata(path: Path) -> AnnData:
    """Open an AnnData file, or say why it is none."""
    import anndata

    try:
        return anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError) as err:
        msg = f"{path} cannot be read as AnnData ({err}). Write or download it again."
        raise DataError(msg) from err


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of numbers with names in its first row and column, or say why it is none."""
    try:
        table = pd.read_csv(path, sep=_separator(path), index_col=0)
    except (OSError, ValueError, UnicodeDecodeError) as err:
        msg = f"{path} cannot be read as a table ({err}). Give names in the first row and column, numbers elsewhere."
        raise DataError(msg) from err
    table.index, table.columns = table.index.astype(str), table.columns.astype(str)
    text = [c for c in table.columns if not pd.api.types.is_numeric_dtype(table[c])]
    if text or table.empty:
        where = f"column {text[0]!r} holds text" if text else "it holds no numbers"
        msg = f"{path} is no table of numbers: {where}. Give names in the first row and column, numbers elsewhere."
        raise DataError(msg)
    return table


def _separator(path: Path) -> str:
    return "," if ".csv" in path.name.lower() else "\t"


def _types(labels: str) -> pd.Series:
    name, _, column = labels.partition(":")
    path = Path(name)
    if not path.is_file():
        msg = f"the reference is a table of counts, and {name!r} is no file. Give --labels FILE or FILE:COLUMN."
        raise DataError(msg)
    table = pd.read_csv(path, sep=_separator(path), dtype=str)
    columns = list(table.columns)
    if len(columns) < 2 or (column and column not in columns):
        msg = f"{path} has the columns {', '.join(columns)}. Give FILE:COLUMN; the first column names the cells."
        raise DataError(msg)
    chosen = column or columns[1]
    return pd.Series(table[chosen].to_numpy(dtype=object), index=table[columns[0]].astype(str), name=chosen)


def _oriented(table: pd.DataFrame, names: pd.Index, *, what: str, other: str) -> tuple[pd.DataFrame, pd.Index]:
    """Return the table with `names` in its rows, and the names found."""
    sides = [table.index.intersection(names), table.columns.intersection(names)]
    if max(map(len, sides)) == 0:
        msg = f"no name of the {what} ({table.index[0]}, {table.columns[0]}) is among {other} ({names[0]}). "
        msg += "Check that both tables are of one data set."
        raise DataError(msg)
    return (table, sides[0]) if len(sides[0]) >= len(sides[1]) else (table.T, sides[1])


def _anndata(table: pd.DataFrame) -> AnnData:
    return AnnData(
        table.to_numpy(dtype="float64"), obs=pd.DataFrame(index=table.index), var=pd.DataFrame(index=table.columns)
    )
