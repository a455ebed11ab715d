"""Vizgen MERSCOPE: cells, or pseudo-spots on a grid, alone or on an aligned H&E image."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from histoscribe.core.errors import DataError, ScaleError, SlideError
from histoscribe.core.files import read_json
from histoscribe.io._alignment import Frame, place
from histoscribe.io._assemble import finite_xy
from histoscribe.io._counts import check_unique
from histoscribe.io._files import existing, first_existing, open_text
from histoscribe.io._in_situ import Cells, in_situ_section, join, read_wide_counts, without_controls
from histoscribe.io._molecules import Molecules

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["read_merscope"]

LOOKS_FOR = "a folder with *cell_by_gene.csv and *cell_metadata.csv"

#: um per px of the instrument's mosaics, where no file says it. Source: the manifest.json that MERSCOPE writes.
_PIXEL_UM = 0.108
_IMAGES = ("mosaic_",)


def looks_like(path: Path) -> bool:
    """Say whether `path` is a folder of MERSCOPE."""
    return path.is_dir() and any(path.glob("*cell_by_gene.csv*")) and any(path.glob("*cell_metadata.csv*"))


def read_merscope(
    path: Path,
    *,
    image: str | None = None,
    alignment: str | None = None,
    grid_um: float | None = None,
    grid_from: Literal["transcripts", "cells"] | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Read the output of MERSCOPE: cells, or squares of a grid; blanks are left out.

    Without an H&E image positions are in pixels of the mosaic, by ``images/micron_to_mosaic_pixel_transform.csv``, else
    by the bounding box of ``images/manifest.json``.

    Parameters
    ----------
    path
        The region's folder.
    image
        H&E image of the same section, or ``"none"`` (the default). The mosaics are fluorescence and are refused.
    alignment
        A 3 x 3 affine (H&E px to mosaic px), or a table of key points (fixedX, fixedY on the mosaic; alignmentX,
        alignmentY on the H&E image); ``"identity"`` for an image in mosaic px.
    grid_um
        Sum on squares of this edge, um, instead of reading cells.
    grid_from
        Sum ``"transcripts"`` (the default where there are any) or ``"cells"``.
    name, donor, species
        Names; the name defaults to the folder's.
    mpp
        um per px of the image; must agree with the alignment's.
    """
    folder = existing(path, what="MERSCOPE folder", remedy="Check the path.")
    name = name or folder.resolve().name
    where = f"section {name!r}"
    counts_path, about_path = _files(folder, where)
    frame = _frame(folder, where)
    if image not in (None, "none") and frame is None:
        msg = (
            f"{where}: {folder / 'images'} has neither micron_to_mosaic_pixel_transform.csv nor manifest.json, so an "
            "image cannot be placed. Copy one of them, or give image=none."
        )
        raise SlideError(msg)
    note = f"no transform and no manifest, so mosaic px are taken to be {_PIXEL_UM} um, as of all MERSCOPE"
    frame = frame or Frame.scaled(_PIXEL_UM, "MERSCOPE mosaic px", _IMAGES, note)
    placement = place(frame, folder, image=image, alignment=alignment, mpp=mpp, where=where)
    matrix, ids, genes = read_wide_counts(counts_path, ids=1, what="cell_by_gene")
    names = pd.Index(ids.iloc[:, 0], dtype=object)
    check_unique(names, what="cell", where=f"cell_by_gene {counts_path}")
    matrix, var, notes = without_controls(matrix, genes, lambda g: g.lower().startswith("blank"), "blanks")
    about = _metadata(about_path)
    rows, more = join(names, about.index, where=where, files=(counts_path, about_path))
    about = about.loc[names[rows]]
    xy = finite_xy(about["center_x"], about["center_y"], where=where)
    obs = about.drop(columns=["center_x", "center_y"])
    cells = Cells(matrix[rows], obs, var, xy, [counts_path, about_path], [*notes, *more])
    transcripts = first_existing(folder, ("*detected_transcripts.parquet", "*detected_transcripts.csv*"))
    molecules = None if transcripts is None else Molecules(transcripts, "gene", "global_x", "global_y")
    options = {"grid_um": grid_um, "grid_from": grid_from, "name": name, "donor": donor, "species": species}
    return in_situ_section(cells, molecules, placement, platform="merscope", **options)


def _files(folder: Path, where: str) -> tuple[Path, Path]:
    found = [first_existing(folder, [f"{stem}.csv", f"*{stem}.csv*"]) for stem in ("cell_by_gene", "cell_metadata")]
    if found[0] is None or found[1] is None:
        missing = "cell_by_gene.csv" if found[0] is None else "cell_metadata.csv"
        have = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) if folder.is_dir() else "a file"
        msg = f"{where}: {folder} has no {missing} (it has {have}). Give the folder of one region of MERSCOPE."
        raise DataError(msg)
    return found[0], found[1]


def _metadata(path: Path) -> pd.DataFrame:
    with open_text(path, what="cell_metadata") as handle:
        try:
            # Cells have up to 39 digits: as numbers, many would become one.
            table = pd.read_csv(handle, converters={0: str})
        except (ValueError, pd.errors.ParserWarning) as err:
            msg = f"cell_metadata {path} is not a table ({str(err).strip()}). Copy or download it again."
            raise DataError(msg) from err
    lacking = [c for c in ("center_x", "center_y") if c not in table]
    if lacking:
        msg = f"cell_metadata {path} lacks the column(s) {', '.join(lacking)}. Give MERSCOPE's own file."
        raise DataError(msg)
    table = table.set_index(table.columns[0])
    table.index = pd.Index(table.index, dtype=object, name=None)
    check_unique(table.index, what="cell", where=f"cell_metadata {path}")
    return table


def _frame(folder: Path, where: str) -> Frame | None:
    """Return the mosaic's px, or None where no file says how they lie."""
    transform, manifest = (
        folder / "images" / "micron_to_mosaic_pixel_transform.csv",
        folder / "images" / "manifest.json",
    )
    if transform.is_file():
        return Frame(_transform(transform, where), "MERSCOPE mosaic px", _IMAGES)
    if not manifest.is_file():
        return None
    about = read_json(manifest)
    try:
        x0, y0, x1, y1 = (float(v) for v in about["bbox_microns"])
        sizes = float(about["mosaic_width_pixels"]) / (x1 - x0), float(about["mosaic_height_pixels"]) / (y1 - y0)
        stated = float(about["microns_per_pixel"])
    except (KeyError, TypeError, ValueError, ZeroDivisionError) as err:
        msg = f"{where}: {manifest} does not state the mosaic's place and size ({err!r}). Copy it again."
        raise ScaleError(msg) from err
    if min(sizes) <= 0 or max(sizes) / min(sizes) > 1.1:
        msg = f"{where}: {manifest} gives {1 / sizes[0]:.4g} and {1 / sizes[1]:.4g} um/px in x and y. Copy it again."
        raise ScaleError(msg)
    affine = np.array([[sizes[0], 0, -x0 * sizes[0]], [0, sizes[1], -y0 * sizes[1]]])
    scale, notes = 1 / float(np.sqrt(sizes[0] * sizes[1])), ["mosaic px by the bounding box of manifest.json"]
    if abs(scale / stated - 1) > 0.05:
        notes.append(f"manifest.json states {stated:.4g} um/px, its box and size in px {scale:.4g}, which is used")
    return Frame(affine, "MERSCOPE mosaic px", _IMAGES, tuple(notes))


def _transform(path: Path, where: str) -> np.ndarray:
    with open_text(path, what="transform") as handle:
        rows = [line.replace(",", " ").split() for line in handle if line.strip()]
    try:
        matrix = np.array([[float(v) for v in row] for row in rows])
        sound = matrix.shape == (3, 3) and np.isfinite(matrix).all() and np.linalg.det(matrix[:2, :2]) != 0
    except ValueError:
        sound = False
    if not sound:
        msg = f"{where}: {path} is not a 3 x 3 affine from um to mosaic px. Copy it from the run again."
        raise ScaleError(msg)
    return matrix[:2]
