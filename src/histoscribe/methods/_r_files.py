"""Read cells, counts and profiles from R's own files (.rds, .RData) in pure Python: the extra `r`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

from histoscribe.core.errors import DataError
from histoscribe.methods._cell_reference import MIN_GENES

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CELL_TYPE", "is_r_file", "read_r_file"]

#: obs column that the cell types of a spacexr `Reference` become.
CELL_TYPE = "cell_type"
_SINGLE, _SEVERAL = (".rds",), (".rdata", ".rda")


def is_r_file(path: Path | str) -> bool:
    """Say whether `path` is named like one of R's files."""
    return str(path).lower().endswith(_SINGLE + _SEVERAL)


def read_r_file(path: Path) -> AnnData | pd.DataFrame:
    """Read what a file of R holds.

    Returns
    -------
    For a `Reference` or `SpatialRNA` of spacexr, an AnnData, cells or spots x genes, with the types in
    ``obs["cell_type"]`` where there are any; for a matrix (dense, dgCMatrix or dgTMatrix) or data frame, a table as it
    stands in the file. An .RData file may hold other, smaller things beside the one matrix that is taken.

    Raises
    ------
    DataError
        If the reader is not installed, the file is damaged, or it holds nothing of the kind.
    """
    try:
        import rdata
    except ImportError as err:
        msg = f"{path} is a file of R, and its reader is not installed. Run `pip install 'histoscribe[r]'`."
        raise DataError(msg) from err
    try:
        with warnings.catch_warnings():
            # Classes of R that Python has no equal of come as their slots, which is what is read here.
            warnings.simplefilter("ignore")
            held = rdata.read_rds(path) if str(path).lower().endswith(_SINGLE) else rdata.read_rda(path)
    except (OSError, EOFError, ValueError, NotImplementedError, AttributeError, KeyError) as err:
        msg = f"{path} cannot be read as a file of R ({err}). Save it again with saveRDS(), or write a table."
        raise DataError(msg) from err
    if not str(path).lower().endswith(_SINGLE):
        held = _only_matrix(held, path)
    found = _content(held)
    if found is None:
        kind = ", ".join(map(str, np.atleast_1d(getattr(held, "class", type(held).__name__))))
        msg = f"{path} holds an object of class {kind}. Save a spacexr Reference, a matrix or a data frame."
        raise DataError(msg)
    return found


def _only_matrix(held: dict[str, Any], path: Path) -> Any:
    found = {name: value for name, value in held.items() if _rows(value) >= MIN_GENES}
    if len(found) != 1:
        listed = ", ".join(found or held) or "nothing"
        msg = f"{path} holds {listed}; one matrix is needed. Save it alone: saveRDS(x, 'x.rds')."
        raise DataError(msg)
    return next(iter(found.values()))


def _rows(value: Any) -> int:
    found = _content(value)
    return 0 if found is None else max(found.shape)


def _content(value: Any) -> AnnData | pd.DataFrame | None:
    counts = getattr(value, "counts", None)
    if counts is not None:
        table = _matrix(counts)
        return None if table is None else _as_anndata(table, getattr(value, "cell_types", None))
    return _matrix(value)


def _matrix(value: Any) -> pd.DataFrame | None:
    """Return rows x columns with their names, or None where `value` is no matrix with names."""
    if isinstance(value, pd.DataFrame):
        return value
    if hasattr(value, "dims") and getattr(value, "ndim", 0) == 2:  # a matrix with dimnames comes as an xarray
        return pd.DataFrame(value.to_numpy(), *(value.coords[d].to_numpy() for d in value.dims))
    if not hasattr(value, "Dim") or any(names is None for names in value.Dimnames):
        return None
    shape = tuple(int(n) for n in value.Dim)
    if hasattr(value, "p"):
        sparse = sp.csc_matrix((value.x, value.i, value.p), shape=shape)
    elif hasattr(value, "j"):
        sparse = sp.coo_matrix((value.x, (value.i, value.j)), shape=shape)
    else:
        return None
    rows, columns = (pd.Index(np.asarray(names, dtype=str)) for names in value.Dimnames)
    return pd.DataFrame.sparse.from_spmatrix(sparse, rows, columns)


def _as_anndata(table: pd.DataFrame, types: Any) -> AnnData:
    """Turn genes x cells into cells x genes; spacexr keeps types in the order of the columns."""
    counts = sp.csr_matrix(table.sparse.to_coo() if hasattr(table, "sparse") else table.to_numpy()).T.tocsr()
    obs = pd.DataFrame(index=table.columns.astype(str))
    if types is not None:
        obs[CELL_TYPE] = np.asarray(types, dtype=object)
    return AnnData(counts.astype(np.float64), obs=obs, var=pd.DataFrame(index=table.index.astype(str)))
