"""HEST's ready-cut images: three generations of files, told apart, checked, and joined by barcode."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import h5py
import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, ScaleError
from histoscribe.io._counts import check_unique
from histoscribe.io._files import existing, reading
from histoscribe.io._hest_tree import find_sample
from histoscribe.io._lattice import MPP_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.core.section import Section

__all__ = ["HestTiles", "read_hest_patches"]

_WHAT = "HEST patches"
Layout = Literal["corner x, y", "centre x, y", "corner y, x", "centre y, x"]
#: What `coords` should be, by generation; the early release does not say, and is told by its coordinates.
_EXPECTED: dict[int, tuple[Layout, ...]] = {
    1: ("centre y, x", "corner x, y", "centre x, y", "corner y, x"),
    2: ("centre y, x",),
    3: ("corner x, y",),
}
_CALLED = {1: "the early release of 256 px", 2: "the library of July 2024", 3: "the current patcher"}
#: Coordinates were cut to whole px, and the half of an odd side as well.
_TOLERANCE_PX = 2.0
#: Every release cuts images for this resolution, um/px of the image.
_TARGET_MPP = 0.5


@dataclass(frozen=True, eq=False)
class _File:
    """A file's content without its pixels."""

    path: Path
    shape: tuple[int, ...]
    coords: np.ndarray
    barcodes: list[str]
    attributes: dict[str, float]
    generation: int


@dataclass(frozen=True, eq=False)
class HestTiles:
    """Ready-cut images of a section's observations; pixels are read from the file when they are asked for.

    ``len(tiles)`` is their number and ``tiles[a:b]`` (or ``tiles[[3, 1]]``) their pixels, ``(k, px, px, 3)`` uint8 RGB,
    in the order of `observations`.

    Attributes
    ----------
    path
        The file.
    observations
        ``(m,)`` index in the section of each image, ascending; the other observations have none.
    rows
        ``(m,)`` row in the file.
    tile_px
        Side of an image, px.
    side_um
        Side of the square of tissue that it shows, um.
    generation
        1, 2 or 3: early release, library of July 2024, current patcher.
    notes
        What was found, for a person to read.
    """

    path: Path
    observations: np.ndarray
    rows: np.ndarray
    tile_px: int
    side_um: float
    generation: int
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """(images, px, px, 3)."""
        return len(self), self.tile_px, self.tile_px, 3

    def __getitem__(self, index: Any) -> np.ndarray:
        wanted = np.atleast_1d(self.rows[index])
        order = np.argsort(wanted, kind="stable")
        with reading(self.path, what=_WHAT), h5py.File(self.path) as file:
            # HDF5 wants rows ascending and once each.
            unique, back = np.unique(wanted[order], return_inverse=True)
            found = file["img"][unique][back] if len(unique) else np.zeros((0, *self.shape[1:]), np.uint8)
        pixels = np.empty_like(found)
        pixels[order] = found
        return pixels[0] if np.ndim(self.rows[index]) == 0 else pixels


def read_hest_patches(path: Path | str, section: Section, *, side_um: float | None = None) -> HestTiles:
    """Find the ready-cut images of a HEST section's observations.

    Images are joined by barcode, never by row or coordinates. `coords` serves as a check: with the side of a square it
    must give the centres of the section, as top-left corner (x, y) in files of the current patcher and as centre
    (y, x) in those of the library of July 2024.

    Parameters
    ----------
    path
        ``patches/<id>.h5``, or the HEST folder.
    section
        The section that `read_hest` returned, with whichever image.
    side_um
        Side of the square of tissue, um, for early files that do not state it.

    Returns
    -------
    Images, read when they are indexed.

    Raises
    ------
    DataError
        If the file is missing, damaged, of an unknown kind, or holds no barcode of the section.
    CoordinateError
        If `coords` does not fit the section, or fits it as another generation has it.
    ScaleError
        If the side of the squares cannot be told.
    """
    path = existing(path, what=_WHAT, remedy="Check the path.")
    ours = dict(section.table.uns.get(keys.UNS, {}).get("hest", {}))
    if path.is_dir():
        path = find_sample(path, str(ours.get("id", section.name))).file("patches")
    factor = float(ours.get("image_per_fullres_px", 1.0))
    file = _load(path)
    notes = [f"{path.name}: {len(file.barcodes)} images of {file.shape[1]} px, of {_CALLED[file.generation]}"]
    check_unique(pd.Index(file.barcodes), what="barcode", where=f"{_WHAT} {path}")
    index = section.table.obs_names.get_indexer(file.barcodes)
    rows = np.flatnonzero(index >= 0)
    if not len(rows):
        msg = (
            f"{_WHAT} {path} hold no barcode of section {section.name!r} (e.g. {next(iter(file.barcodes), 'none')} "
            f"against {section.table.obs_names[0]}). Give the patches of this very sample."
        )
        raise DataError(msg)
    if len(rows) < len(file.barcodes):
        notes.append(f"{len(file.barcodes) - len(rows)} images belong to no observation of the section")
    rows = rows[np.argsort(index[rows], kind="stable")]
    mpp = section.mpp * factor
    side_px = _side_px(file, mpp, side_um, notes)
    notes.append(_verified(file, rows, section.xy[index[rows]] / factor, side_px))
    return HestTiles(path, index[rows], rows, file.shape[1], side_px * mpp, file.generation, tuple(notes))


def _load(path: Path) -> _File:
    """Read all but the images: barcodes as text, and the attributes that are numbers."""
    with reading(path, what=_WHAT), h5py.File(path) as file:
        lacking = [k for k in ("img", "coords", "barcode") if k not in file]
        if lacking:
            have = ", ".join(file) or "nothing"
            msg = f"{_WHAT} {path} lack {', '.join(lacking)} (they have {have}). Give patches/<id>.h5."
            raise DataError(msg)
        images = file["img"]
        if images.ndim != 4 or images.shape[1] != images.shape[2] or images.shape[3] != 3 or images.dtype != np.uint8:
            what = f"img is {images.dtype} of shape {images.shape}, not uint8 (n, px, px, 3)"
            msg = f"{_WHAT} {path}: {what}. Download it again."
            raise DataError(msg)
        coords = np.asarray(file["coords"][:], dtype=np.float64)
        names = [v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(file["barcode"][:]).ravel()]
        attributes = {}
        for holder in (images, file["coords"]):
            for key, value in holder.attrs.items():
                if np.ndim(value) == 0 and isinstance(value, int | float | np.number):
                    attributes[key] = float(value)
        shape = images.shape
    if not len(names) == len(coords) == shape[0] or coords.ndim != 2 or coords.shape[1] != 2:
        msg = (
            f"{_WHAT} {path}: {shape[0]} images, {len(names)} barcodes and coords of shape {coords.shape} do not "
            "belong together. Download it again."
        )
        raise DataError(msg)
    return _File(path, shape, coords, names, attributes, _generation(path, shape[1], attributes))


def _generation(path: Path, tile_px: int, attributes: Mapping[str, float]) -> int:
    if {"patch_size_src", "pixel_size"} <= set(attributes):
        return 3
    if tile_px == 256:
        return 1
    if {"patch_size", "factor"} <= set(attributes):
        return 2
    have = ", ".join(sorted(attributes)) or "none"
    msg = (
        f"{_WHAT} {path} are of no known generation: images of {tile_px} px, attributes {have}; known are "
        "patch_size_src with pixel_size, patch_size with factor, and images of 256 px. Download the current file."
    )
    raise DataError(msg)


def _side_px(file: _File, mpp: float, side_um: float | None, notes: list[str]) -> float:
    """Return the side of the squares, full-resolution px."""
    attributes, tile_px = file.attributes, file.shape[1]
    if file.generation == 3:
        stated = attributes["pixel_size"]
        if abs(stated / mpp - 1) > MPP_TOLERANCE:
            notes.append(f"images were cut for {stated:.4g} um/px, the section has {mpp:.4g}; sides follow the section")
        return attributes["patch_size_src"]
    if side_um is not None:
        return side_um / mpp
    # No description says whether `patch_size` is in px of the slide or of the image, nor which way `factor` divides.
    # All files show `tile_px` at 0.5 um/px, so the reading that comes to that is the right one.
    size, factor = attributes.get("patch_size", 0.0), attributes.get("factor", 0.0)
    readings = [size, size * factor, size / factor if factor else 0.0]
    wanted = tile_px * _TARGET_MPP / mpp
    near = min(readings, key=lambda v: abs(v - wanted))
    if abs(near / wanted - 1) <= MPP_TOLERANCE:
        return near
    stated_as = f"patch_size {size:g}, factor {factor:g}" if size else "no size"
    msg = (
        f"{_WHAT} {file.path} state {stated_as}, which is not {tile_px} px at {_TARGET_MPP} um/px of a slide at "
        f"{mpp:.4g} um/px. If you know which square they show, give side_um=<um> (usually {tile_px * _TARGET_MPP:g})."
    )
    raise ScaleError(msg)


def _verified(file: _File, rows: np.ndarray, full: np.ndarray, side_px: float) -> str:
    """Say what `coords` is, or why it cannot belong to the section."""
    half, coords, generation = np.floor(side_px / 2), file.coords[rows], file.generation
    far = {
        layout: float(np.percentile(np.abs(_centres(coords, layout, half) - full).max(1), 95))
        for layout in _EXPECTED[1]
    }
    fits = next((layout for layout in _EXPECTED[generation] if far[layout] <= _TOLERANCE_PX), None)
    if fits is not None:
        return f"coords is the {fits}, and agrees with the section to {far[fits]:.1f} px"
    nearest = min(far, key=lambda layout: far[layout])
    expected = " or ".join(_EXPECTED[generation])
    what = f"{_WHAT} {file.path} are of {_CALLED[generation]}, whose coords is the {expected}"
    if far[nearest] <= _TOLERANCE_PX:
        msg = f"{what}, but these fit the section as {nearest}. The file was changed; download it again."
    else:
        msg = (
            f"{what}, but these are {far[nearest]:.0f} px away from the section's observations (as {nearest}). They "
            "belong to another version of this sample; download patches/ and st/ of one release."
        )
    raise CoordinateError(msg)


def _centres(coords: np.ndarray, layout: Layout, half: float) -> np.ndarray:
    xy = coords[:, ::-1] if layout.endswith("y, x") else coords
    return xy + half if layout.startswith("corner") else xy
