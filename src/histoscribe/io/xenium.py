"""10x Xenium: cells, or pseudo-spots on a grid, alone or on an aligned H&E image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from histoscribe.core.errors import DataError, ScaleError, SlideError
from histoscribe.core.files import read_json
from histoscribe.core.units import check_mpp
from histoscribe.io._alignment import Frame, place
from histoscribe.io._assemble import finite_xy
from histoscribe.io._counts import check_unique
from histoscribe.io._files import existing, first_existing, read_table, reading
from histoscribe.io._in_situ import Cells, in_situ_section, join
from histoscribe.io._molecules import Molecules
from histoscribe.io._space_ranger import run_name
from histoscribe.io._tenx import read_tenx

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["read_xenium"]

LOOKS_FOR = "a folder with experiment.xenium, or cell_feature_matrix and cells.parquet"

#: um per px of Xenium's morphology images, where experiment.xenium does not say it. Source: 10x Genomics, Xenium
#: output files ("0.2125 um in x and y").
_PIXEL_UM = 0.2125
_MATRICES = ("cell_feature_matrix.h5", "cell_feature_matrix")
_CELLS = ("cells.parquet", "cells.csv.gz", "cells.csv")
_TRANSCRIPTS = ("transcripts.parquet", "transcripts.csv.gz", "transcripts.csv")


def looks_like(path: Path) -> bool:
    """Say whether `path` is a folder of Xenium."""
    return path.is_dir() and any(_is_bundle(p) for p in (path, path / "outs"))


def _is_bundle(path: Path) -> bool:
    # Matrix folders of other pipelines are called otherwise; cells.parquet alone could be anybody's.
    there = any((path / m).exists() for m in _MATRICES) and any((path / c).is_file() for c in _CELLS)
    return (path / "experiment.xenium").is_file() or there


def read_xenium(
    path: Path,
    *,
    image: str | None = None,
    alignment: str | None = None,
    grid_um: float | None = None,
    grid_from: Literal["transcripts", "cells"] | None = None,
    min_qv: float = 20.0,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Read the output of Xenium: cells, or squares of a grid.

    Without an H&E image positions are in pixels of the morphology image, and expression alone is read; with one they
    are in its pixels, through the alignment that Xenium Explorer exports.

    Parameters
    ----------
    path
        The output folder, or the folder above its ``outs``.
    image
        H&E image of the same section, or ``"none"`` (the default). Xenium's own morphology images are DAPI and are
        refused.
    alignment
        A 3 x 3 affine ``*imagealignment.csv`` (H&E px to morphology px), or a table of key points (fixedX, fixedY,
        alignmentX, alignmentY) from which a least-squares affine is made; ``"identity"`` for an image in morphology
        px. By default the only such file beside the image or in the folder.
    grid_um
        Sum on squares of this edge, um (100 is what HEST-1k has), instead of reading cells.
    grid_from
        Sum ``"transcripts"`` (the default where there are any; quality at least `min_qv`, controls left out) or
        ``"cells"``.
    min_qv
        Least quality of a transcript, phred; 20 is what Xenium's own matrix takes.
    name, donor, species
        Names; the name defaults to the folder's.
    mpp
        um per px of the image; must agree with the alignment's.
    """
    folder = _folder(path)
    name = name or run_name(folder)
    where = f"section {name!r}"
    pixel, notes = _pixel_um(folder, where)
    frame = Frame.scaled(pixel, "Xenium morphology px", ("morphology",), *notes)
    if image == "morphology":
        image = "morphology.ome.tif"
    if image in ("hires", "lowres"):
        msg = f"{where}: Xenium has no {image} image. Give image=<H&E image> and alignment=, or image=none."
        raise SlideError(msg)
    placement = place(frame, folder, image=image, alignment=alignment, mpp=mpp, where=where)
    cells, found = _cells(folder, where)
    transcripts = first_existing(folder, _TRANSCRIPTS)
    molecules = None
    if transcripts is not None:
        molecules = Molecules(transcripts, "feature_name", "x_location", "y_location", quality="qv", min_quality=min_qv)
    return in_situ_section(
        cells,
        molecules,
        placement,
        platform="xenium",
        grid_um=grid_um,
        grid_from=grid_from,
        name=name,
        donor=donor,
        species=species or found,
    )


def _folder(path: Path) -> Path:
    path = existing(path, what="Xenium folder", remedy="Check the path.")
    folder = next((p for p in (path, path / "outs") if _is_bundle(p)), None)
    if folder is None:
        have = ", ".join(sorted(p.name for p in path.iterdir())[:8]) if path.is_dir() else "a file"
        msg = (
            f"{path} has no cell_feature_matrix.h5 with cells.parquet or cells.csv.gz (it has {have}). Give the output "
            "folder of Xenium, unpacked."
        )
        raise DataError(msg)
    return folder


def _pixel_um(folder: Path, where: str) -> tuple[float, list[str]]:
    path = folder / "experiment.xenium"
    if not path.is_file():
        return _PIXEL_UM, [f"no experiment.xenium, so morphology px are taken to be {_PIXEL_UM} um, as of all Xenium"]
    about = read_json(path)
    if not isinstance(about, dict) or not isinstance(about.get("pixel_size"), int | float):
        msg = f"{where}: {path} states no pixel_size. Copy the file of the same run again."
        raise ScaleError(msg)
    return check_mpp(about["pixel_size"], where=f"{where}: {path}", remedy="Copy the file again."), []


def _cells(folder: Path, where: str) -> tuple[Cells, str | None]:
    matrix_path, cells_path = first_existing(folder, _MATRICES), first_existing(folder, _CELLS)
    if matrix_path is None or cells_path is None:
        missing = _MATRICES[0] if matrix_path is None else _CELLS[0]
        msg = f"{where}: {folder} has no {missing}. Copy it from the run (a .zarr.zip is not read)."
        raise DataError(msg)
    counts = read_tenx(matrix_path)
    table = _table(cells_path)
    rows, notes = join(counts.barcodes, table.index, where=where, files=(matrix_path, cells_path))
    table = table.loc[counts.barcodes[rows]]
    xy = finite_xy(table["x_centroid"], table["y_centroid"], where=where)
    # Its total_counts include controls; ours, of genes alone, takes the name.
    obs = table.drop(columns=["x_centroid", "y_centroid", "total_counts"], errors="ignore")
    files = [*counts.files, cells_path]
    return Cells(counts.matrix[rows], obs, counts.var, xy, files, [*counts.notes, *notes]), counts.species


def _table(path: Path) -> pd.DataFrame:
    needed = ["cell_id", "x_centroid", "y_centroid"]
    if path.suffix == ".parquet":
        with reading(path, what="cells"):
            try:
                table = pd.read_parquet(path)
            except ValueError as err:
                msg = f"cells {path} is not Parquet ({err}). Copy or download it again."
                raise DataError(msg) from err
    else:
        table = read_table(path, what="cells", columns=needed)
    lacking = [c for c in needed if c not in table]
    if lacking:
        msg = f"cells {path} lacks the column(s) {', '.join(lacking)}. Give Xenium's own file."
        raise DataError(msg)
    # Ids are text, bytes or (before Xenium 1.4) numbers.
    table.index = pd.Index([v.decode() if isinstance(v, bytes) else str(v) for v in table.pop("cell_id")], dtype=object)
    check_unique(table.index, what="cell", where=f"cells {path}")
    return table
