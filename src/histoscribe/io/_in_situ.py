"""Imaging platforms: from cells (and molecules) with places in um to a section of cells or pseudo-spots."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
import scipy.sparse as sp

from histoscribe.core.errors import DataError
from histoscribe.io._assemble import assemble
from histoscribe.io._counts import as_counts, check_unique, row_sums
from histoscribe.io._files import open_text
from histoscribe.io._grid_spots import grid_cells, grid_molecules

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from histoscribe.core.section import Section
    from histoscribe.io._alignment import Placement
    from histoscribe.io._molecules import Molecules

__all__ = ["Cells", "GridFrom", "in_situ_section", "join", "read_wide_counts", "without_controls"]

GridFrom = Literal["transcripts", "cells"]
#: Numbers of a text table that are parsed at once.
_VALUES = 20_000_000


@dataclass(frozen=True, eq=False)
class Cells:
    """Measured cells.

    Attributes
    ----------
    matrix
        ``(n, g)`` integer csr, genes only.
    obs
        What the vendor says of each cell, indexed by its unique name.
    var
        Genes.
    xy_um
        ``(n, 2)`` centres, um.
    files, notes
        What was read, left out or derived.
    """

    matrix: sp.csr_matrix
    obs: pd.DataFrame
    var: pd.DataFrame
    xy_um: np.ndarray
    files: list[Path]
    notes: list[str] = field(default_factory=list)


def in_situ_section(
    cells: Cells,
    molecules: Molecules | None,
    placement: Placement,
    *,
    platform: str,
    grid_um: float | None,
    grid_from: GridFrom | None,
    name: str,
    donor: str | None,
    species: str | None,
) -> Section:
    """Build a section of cells, or of squares of `grid_um` summed from molecules (else from cells)."""
    where, notes, files = f"section {name!r}", list(cells.notes), list(cells.files)
    matrix, obs, xy_um = cells.matrix, cells.obs, cells.xy_um
    if grid_um is not None:
        source = grid_from or ("transcripts" if molecules is not None else "cells")
        if source not in ("transcripts", "cells"):
            msg = f"{where}: grid_from={grid_from!r} is not known. Choose transcripts or cells."
            raise DataError(msg)
        if source == "cells":
            spots = grid_cells(matrix, xy_um, grid_um, where=where)
            notes.append(f"{len(xy_um)} cells are summed on a grid of {grid_um:g} um, each where its centre lies")
        elif molecules is None:
            msg = f"{where}: there is no file of transcripts to sum. Give grid_from=cells."
            raise DataError(msg)
        else:
            spots = grid_molecules(molecules.chunks(cells.var.index), len(cells.var), grid_um, where=where)
            notes.append(f"{molecules.note}; grid of {grid_um:g} um")
            files.append(molecules.path)
        matrix, obs, xy_um = spots.matrix, spots.obs, spots.xy_um
    return assemble(
        matrix,
        obs,
        cells.var,
        placement(xy_um),
        files=files,
        donor=donor,
        name=name,
        notes=[*notes, *placement.notes],
        slide=placement.slide,
        mpp=placement.mpp,
        species=species,
        platform=platform,
        spot_um=grid_um,
        pitch_um=grid_um,
    )


def read_wide_counts(path: Path, *, ids: int, what: str) -> tuple[sp.csr_matrix, pd.DataFrame, pd.Index]:
    """Read a text table of cells x genes whose first `ids` columns name the cell, some million numbers at a time.

    Returns
    -------
    ``(n, g)`` csr of what the file holds, the id columns as text (cells of MERSCOPE have 39 digits), and the genes.

    Raises
    ------
    DataError
        If the table is truncated or damaged, or a value is not a count.
    """
    with open_text(path, what=what) as handle:
        header = [c.strip('"') for c in handle.readline().rstrip("\r\n").split(",")]
        genes = pd.Index(header[ids:], dtype=object)
        if not len(genes):
            msg = f"{what} {path} has {len(header)} columns, so no genes. Give the vendor's own file."
            raise DataError(msg)
        names, blocks = [], []
        rows = max(1, _VALUES // len(header))
        options = {"header": None, "names": list(range(len(header))), "index_col": False, "chunksize": rows}
        try:
            for table in pd.read_csv(handle, converters=dict.fromkeys(range(ids), str), **options):
                values = table.iloc[:, ids:].to_numpy(dtype=np.float64)
                if np.isnan(values).any():
                    row = sum(map(len, names)) + len(table)
                    msg = f"{what} {path} is truncated or damaged, somewhere up to row {row}. Copy it again."
                    raise DataError(msg)
                names.append(table.iloc[:, :ids])
                blocks.append(sp.csr_matrix(values))
        except (ValueError, pd.errors.ParserWarning) as err:
            # ParserError is a ValueError, and so is text where a number belongs.
            msg = f"{what} {path} is not a table of counts ({str(err).strip()}). Copy or download it again."
            raise DataError(msg) from err
    if not blocks:
        msg = f"{what} {path} has no cells. Copy or download it again."
        raise DataError(msg)
    found = pd.concat(names, ignore_index=True)
    found.columns = header[:ids]
    check_unique(genes, what="gene", where=f"{what} {path}")
    labels = found.agg("_".join, axis=1)
    matrix = as_counts(sp.vstack(blocks, format="csr"), spots=labels, genes=genes, where=f"{what} {path}")
    return matrix, found, genes


def without_controls(
    matrix: sp.csr_matrix, genes: pd.Index, is_control: Callable[[str], bool], kind: str
) -> tuple[sp.csr_matrix, pd.DataFrame, list[str]]:
    """Leave out control features; return the matrix, `var`, and a note with how many and how much."""
    control = np.array([is_control(str(g)) for g in genes])
    var = pd.DataFrame(index=genes[~control])
    if not control.any():
        return matrix, var, []
    counted = int(row_sums(matrix[:, control]).sum())
    note = f"{int(control.sum())} control features ({kind}) with {counted} counts are left out"
    return matrix[:, ~control], var, [note]


def join(counted: pd.Index, described: pd.Index, *, where: str, files: Sequence[Path]) -> tuple[np.ndarray, list[str]]:
    """Return which counted cells are described, and notes on those that are in one file only."""
    known = counted.isin(described)
    if not known.any():
        msg = (
            f"{where}: no cell of {files[0].name} (e.g. {next(iter(counted), 'none')}) is in {files[1].name} (e.g. "
            f"{next(iter(described), 'none')}). Give the files of one run."
        )
        raise DataError(msg)
    notes = []
    if not known.all():
        notes.append(f"{int((~known).sum())} cells of {files[0].name} are not in {files[1].name} and are left out")
    lacking = int((~described.isin(counted)).sum())
    if lacking:
        notes.append(f"{lacking} cells of {files[1].name} have no counts and are left out")
    return np.flatnonzero(known), notes
