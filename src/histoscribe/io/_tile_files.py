"""HDF5 files of tiles and their features, as TRIDENT, CLAM, hestcore and the HEST-Benchmark write them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from histoscribe.core.errors import CoordinateError, DataError, ScaleError
from histoscribe.io._files import existing, reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.core.pixels import PixelSource

__all__ = [
    "ABOUT",
    "BARCODES",
    "CENTRES",
    "SIDE_TOLERANCE",
    "TileFile",
    "check_same_image",
    "nominal_um",
    "read_tile_file",
    "side_px",
]

#: A magnification may misstate a tile's side by this share before it is said, and before features of tiles of that
#: size no longer count as those of the nominal size.
SIDE_TOLERANCE = 0.05

#: What HistoScribe adds to its own files, where others do not look: centres (n, 2) float64 that whole px cannot hold,
#: names of the observations, and, as an attribute of `coords`, JSON facts of the section.
CENTRES, BARCODES, ABOUT = "centres", "barcodes", "histoscribe"


@dataclass(frozen=True, eq=False)
class TileFile:
    """What one file holds.

    Attributes
    ----------
    path
        The file.
    coords
        ``(n, 2)`` float64 top-left corners x, y, level-0 px; None where the file has none.
    centres
        ``(n, 2)`` float64 centres, in files of ours.
    names
        ``(n,)`` barcodes, or None.
    features
        ``(n, d)`` as stored, or None.
    attributes
        Of `coords` and `features` together.
    about
        Facts of the section, in files of ours.
    """

    path: Path
    coords: np.ndarray | None
    centres: np.ndarray | None
    names: list[str] | None
    features: np.ndarray | None
    attributes: dict[str, Any]
    about: dict[str, Any]

    @property
    def encoder(self) -> str | None:
        """Name of the encoder: as stated, else as the folder ``features_<encoder>`` says."""
        if stated := self.attributes.get("encoder"):
            return str(stated)
        folder = self.path.resolve().parent.name
        return folder.removeprefix("features_") if folder.startswith("features_") else None


def read_tile_file(path: Path | str) -> TileFile:
    """Read coordinates, features and attributes of a file.

    Raises
    ------
    DataError
        If it is damaged, holds neither coordinates nor features, or numbers of rows differ.
    """
    path = existing(path, what="tile file", remedy="Check the path.")
    with reading(path, what="tile file"), h5py.File(path) as file:
        slots = {name: file[name] for name in file if isinstance(file[name], h5py.Dataset)}
        # Old writers add a first axis of length 1: (1, n, d).
        matrix = slots.get("features", slots.get("embeddings"))
        features = None if matrix is None else np.asarray(matrix)
        coords = np.asarray(slots["coords"], dtype=np.float64) if "coords" in slots else None
        centres = np.asarray(slots[CENTRES], dtype=np.float64) if CENTRES in slots else None
        raw = next((np.asarray(slots[k]).ravel() for k in (BARCODES, "barcode") if k in slots), None)
        attributes: dict[str, Any] = {}
        for name in ("coords", "features"):
            if name in slots:
                attributes |= {k: _plain(v) for k, v in slots[name].attrs.items()}
    if features is None and coords is None:
        have = ", ".join(slots) or "nothing"
        msg = f"tile file {path} has neither coords nor features (it has {have}). Give a file of TRIDENT or CLAM."
        raise DataError(msg)
    about = json.loads(attributes.pop(ABOUT, "{}"))
    names = None if raw is None else [b.decode() if isinstance(b, bytes) else str(b) for b in raw]
    if features is not None:
        features = _two_dimensional(features, path, empty=coords is not None and not coords.size)
    if coords is not None:
        coords = coords.reshape(0, 2) if not coords.size else coords[0] if coords.ndim == 3 else coords
    rows = {k: len(v) for k, v in (("coords", coords), ("features", features), ("barcodes", names)) if v is not None}
    if len(set(rows.values())) > 1 or (coords is not None and (coords.ndim != 2 or coords.shape[1] != 2)):
        shown = ", ".join(f"{n} {k}" for k, n in rows.items())
        msg = f"tile file {path} holds {shown}, which do not belong together. Write it again."
        raise DataError(msg)
    return TileFile(path, coords, centres, names, features, attributes, about)


def side_px(file: TileFile, slide: PixelSource | None) -> float | None:
    """Return the side of a tile in level-0 px from the file's attributes, or None where they do not say.

    TRIDENT states it (`patch_size_level0`). CLAM states the size at a level: it is multiplied by the level's
    downsample (`downsample`, else the slide's) and by `custom_downsample`.

    Raises
    ------
    ScaleError
        If the downsample of the level is not known.
    """
    a = file.attributes
    if "patch_size_level0" in a:
        return float(a["patch_size_level0"])
    if "patch_size_src" in a:  # hestcore
        return float(a["patch_size_src"])
    if "patch_size" not in a:
        return None
    factor = float(np.mean(a["downsample"])) if "downsample" in a else None
    level = int(a.get("patch_level", 0))
    if factor is None:
        levels = getattr(slide, "levels", ())
        factor = 1.0 if level == 0 else levels[level].downsample if level < len(levels) else None
    if factor is None:
        msg = f"{file.path}: tiles are of level {level}, whose downsample is not known. Give side_um=<um>."
        raise ScaleError(msg)
    return float(a["patch_size"]) * factor * float(a.get("custom_downsample", 1))


def nominal_um(attributes: Mapping[str, Any]) -> float | None:
    """Return the side in um that a magnification suggests (10 / magnification um/px), or None without one."""
    magnification = attributes.get("target_magnification")
    if not magnification or "patch_size" not in attributes:
        return None
    return float(attributes["patch_size"]) * 10.0 / float(magnification)


def check_same_image(file: TileFile, slide: PixelSource) -> None:
    """Refuse coordinates that state another image size.

    Raises
    ------
    CoordinateError
        If the file's `level0_width` and `level0_height` are not the slide's.
    """
    stated = tuple(int(file.attributes.get(k, 0)) for k in ("level0_width", "level0_height"))
    if all(stated) and stated != slide.size:
        msg = (
            f"{file.path} belongs to an image of {stated[0]} x {stated[1]} px, but {slide.path} has {slide.size[0]} x "
            f"{slide.size[1]} px. Give image=<the slide on which the tiles were laid>."
        )
        raise CoordinateError(msg)


def _two_dimensional(features: np.ndarray, path: Path, *, empty: bool) -> np.ndarray:
    if features.ndim == 3 and features.shape[0] == 1:
        features = features[0]
    if empty and features.size == 0:
        return features.reshape(0, features.shape[-1] if features.ndim > 1 else 0)
    if features.ndim != 2:
        msg = (
            f"tile file {path} has features of shape {features.shape}, not one row for each tile. "
            "Give the features of tiles (patches), not those of the whole slide."
        )
        raise DataError(msg)
    if not np.isfinite(features).all():
        bad = int((~np.isfinite(features).all(1)).sum())
        msg = f"tile file {path} holds NaN or infinity in {bad} of {len(features)} rows. Compute these again."
        raise DataError(msg)
    return features


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, np.ndarray):
        return value.item() if value.size == 1 else value.tolist()
    return value.item() if hasattr(value, "item") else value
