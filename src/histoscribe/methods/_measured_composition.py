"""Give sections the cell composition that was measured or deconvolved for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError
from histoscribe.core.files import file_digest

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["with_composition"]


def with_composition(section: Section, found: AnnData | pd.DataFrame | Path | str) -> Section:
    """Return the observations of `section` whose composition is known, with it.

    Parameters
    ----------
    section
        Any section; its counts are not needed.
    found
        What `Deconvolver.fit` returned, or its file (``.h5ad``); or a table of observations x cell types, or its file
        (``.csv``, ``.tsv``), of shares or of numbers of cells: rows are divided by their sum. Observations are matched
        by name.

    Returns
    -------
    Section with ``obsm["composition"]`` (n, k) float64, rows sum to 1, and the names of the types and the source in
    ``uns["histoscribe"]``. Observations without a composition, or whose composition was not told from counts of their
    own, are left out, which a note says.

    Raises
    ------
    DataError
        If no name is shared, or values are no shares.
    CoordinateError
        If the positions beside the composition are not those of the section.
    """
    source: dict[str, Any] = {}
    if isinstance(found, (Path, str)):
        source = {"path": str(found), "digest": file_digest(found)}
        found = _read(Path(found))
    table, facts = _table(found)
    if table.index.has_duplicates or table.columns.has_duplicates:
        where = table.index if table.index.has_duplicates else table.columns
        msg = f"the composition of section {section.name!r} names {where[where.duplicated()][0]!r} twice. Remove one."
        raise DataError(msg)
    names = section.table.obs_names
    known = names.isin(table.index)
    if not known.any():
        msg = (
            f"no observation of section {section.name!r} ({names[0]}) is in the composition ({table.index[0]}). Give "
            "the composition of this section, with the same observation names."
        )
        raise DataError(msg)
    kept = section.subset(known)
    table = table.loc[kept.table.obs_names]
    if isinstance(found, AnnData) and keys.SPATIAL in found.obsm:
        _check_places(kept, found)
    kept.table.obsm[keys.COMPOSITION] = _shares(table, section.name)
    ours = dict(kept.table.uns.get(keys.UNS, {}))
    ours["cell_types"] = [str(c).strip() for c in table.columns]
    ours["composition_source"] = json.dumps(source | facts)
    left_out = int((~known).sum())
    notes = [f"{left_out} observations without a known composition were left out"] if left_out else []
    ours["notes"] = [*map(str, ours.get("notes", [])), *notes]
    kept.table.uns[keys.UNS] = ours
    return kept


def _read(path: Path) -> AnnData | pd.DataFrame:
    from histoscribe.methods._cell_tables import is_table, read_anndata, read_table

    if not path.is_file():
        msg = f"composition {path} does not exist. Make one with `histoscribe deconvolve`, or check the path."
        raise DataError(msg)
    if path.suffix == ".h5ad":
        return read_anndata(path)
    if not is_table(path):
        msg = f"composition {path} is neither .h5ad nor a table. Give what `histoscribe deconvolve` wrote, or a .csv."
        raise DataError(msg)
    return read_table(path)


def _table(found: AnnData | pd.DataFrame) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return observations x types of what is known, and how it came about."""
    if isinstance(found, pd.DataFrame):
        return found, {"method": "table"}
    ours = found.uns.get(keys.UNS, {})
    if keys.COMPOSITION not in found.obsm or "cell_types" not in ours:
        msg = (
            "the AnnData has no composition (obsm['composition'] and uns['histoscribe']['cell_types']). Give what "
            "`histoscribe deconvolve` wrote."
        )
        raise DataError(msg)
    shares = np.asarray(found.obsm[keys.COMPOSITION], dtype=np.float64)
    table = pd.DataFrame(shares, index=found.obs_names, columns=[str(t) for t in ours["cell_types"]])
    if keys.INFORMED in found.obs:
        table = table[found.obs[keys.INFORMED].to_numpy(dtype=bool)]
    return table, {"method": str(ours.get("method", "measured"))}


def _shares(table: pd.DataFrame, name: str) -> np.ndarray:
    values = table.to_numpy(dtype=np.float64)
    total = values.sum(1, keepdims=True)
    if not np.isfinite(values).all() or (values < 0).any() or (total <= 0).any():
        msg = f"the composition of section {name!r} holds negative or missing values, or rows of zeros. Remove these."
        raise DataError(msg)
    return values / total


def _check_places(section: Section, found: AnnData) -> None:
    """Refuse another section's composition: array names such as 10x21 exist in all of them."""
    theirs = np.asarray(found[section.table.obs_names].obsm[keys.SPATIAL], dtype=np.float64)
    away = np.abs(theirs - section.xy).max(1)
    if (away > 1.0).any():
        first = section.table.obs_names[int(np.argmax(away))]
        msg = (
            f"observation {first} lies {away.max():.0f} px from where the composition has it, so this is the "
            f"composition of another section than {section.name!r}. Give its own."
        )
        raise CoordinateError(msg)
