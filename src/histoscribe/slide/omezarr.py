"""OME-Zarr: an image as a folder of compressed chunks, also the images inside SpatialData stores."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.errors import SlideError
from histoscribe.core.files import file_digest
from histoscribe.slide._cache import TileCache
from histoscribe.slide._pyramid import Pyramid, levels_of
from histoscribe.slide._rgb import to_rgb
from histoscribe.slide._scale import square_mpp
from histoscribe.slide._segments import assemble

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OmeZarrSlide", "is_ome_zarr"]

_IN_UM = {"micrometer": 1.0, "micron": 1.0, "µm": 1.0, "um": 1.0, "nanometer": 1e-3, "millimeter": 1e3}
#: What zarr and its codecs raise on damaged or missing chunks.
_DAMAGE = (ArithmeticError, LookupError, OSError, RuntimeError, TypeError, ValueError)


def is_ome_zarr(path: Path) -> bool:
    """Say whether a folder is a multiscale OME-Zarr image."""
    return path.is_dir() and bool(_attributes(path).get("multiscales"))


class OmeZarrSlide(Pyramid):
    """An OME-Zarr image (zarr 2 or 3) of three or four uint8 channels; chunks are decoded as they are needed.

    Scale where the axes state a unit of length. Needs the package zarr, of the extra ``spatialdata``.
    """

    backend = "omezarr"

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        scales = _attributes(self.path).get("multiscales")
        if not scales:
            msg = f"slide {self.path} is a folder without multiscale OME-Zarr metadata. Give the folder of the image."
            raise SlideError(msg)
        try:
            self._axes = [a if isinstance(a, str) else a["name"] for a in scales[0]["axes"]]
            self._names = [d["path"] for d in scales[0]["datasets"]]
            self._mpp = _mpp(scales[0])
        except (KeyError, TypeError, IndexError) as err:
            msg = f"slide {self.path}: its OME-Zarr metadata lack {err}. Write or copy it again."
            raise SlideError(msg) from err
        self._open()
        self.levels = levels_of([self._size(array) for array in self._arrays])
        self._cache = TileCache()

    @property
    def mpp(self) -> float | None:
        """Scale from the axes' unit, um per level-0 px, or None."""
        return self._mpp

    def _open(self) -> None:
        try:
            import zarr
        except ImportError as err:
            msg = f"slide {self.path} is OME-Zarr, which needs zarr. Run pip install 'histoscribe[spatialdata]'."
            raise SlideError(msg) from err
        try:
            group = zarr.open_group(str(self.path), mode="r")
            self._arrays = [group[name] for name in self._names]
        except _DAMAGE as err:
            msg = f"slide {self.path} is damaged or incomplete: {err}. Copy the folder again."
            raise SlideError(msg) from err
        first = self._arrays[0]
        n_channels = first.shape[self._axes.index("c")] if "c" in self._axes else 1
        others = [n for axis, n in zip(self._axes, first.shape, strict=True) if axis not in "cyx"]
        if n_channels not in (3, 4) or first.dtype != np.uint8 or any(n != 1 for n in others):
            shape = ", ".join(f"{a} {n}" for a, n in zip(self._axes, first.shape, strict=True))
            msg = f"slide {self.path} is no colour image ({shape}, {first.dtype}). Give an RGB image of uint8."
            raise SlideError(msg)

    def _size(self, array: Any) -> tuple[int, int]:
        return int(array.shape[self._axes.index("x")]), int(array.shape[self._axes.index("y")])

    def _read(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        array = self._arrays[level]
        tile = (int(array.chunks[self._axes.index("x")]), int(array.chunks[self._axes.index("y")]))

        def get(column: int, row: int) -> np.ndarray:
            return self._cache.get((level, column, row), lambda: self._decode(level, column, row, tile))

        return assemble(get, tile=tile, at=(left, top), size=(width, height))

    def _decode(self, level: int, column: int, row: int, tile: tuple[int, int]) -> np.ndarray:
        """Decode one chunk of all channels: ``(h, w, 3)`` uint8."""
        spans = {"x": slice(column * tile[0], (column + 1) * tile[0]), "y": slice(row * tile[1], (row + 1) * tile[1])}
        where = f"slide {self.path}, level {level}, chunk ({column}, {row})"
        try:
            pixels = np.asarray(
                self._arrays[level][tuple(spans.get(a, slice(None) if a == "c" else 0) for a in self._axes)]
            )
        except _DAMAGE as err:
            msg = f"{where} is damaged: {err}. Copy the folder again."
            raise SlideError(msg) from err
        kept = [a for a in self._axes if a in "cyx"]
        return to_rgb(np.ascontiguousarray(pixels.transpose([kept.index(a) for a in "yxc"])), where=where)

    def _content_digest(self) -> str:
        return file_digest(self.path)

    def close(self) -> None:
        """Drop the decoded chunks; a later read decodes them again."""
        self._cache.clear()


def _attributes(path: Path) -> dict[str, Any]:
    """Return the image's metadata: of zarr 3 below ``ome``, of zarr 2 at the top."""
    for name in ("zarr.json", ".zattrs"):
        try:
            value = json.loads((path / name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        found = value.get("attributes", {}) if name == "zarr.json" else value
        return found.get("ome", found)
    return {}


def _mpp(scale: dict[str, Any]) -> float | None:
    """Return um per px where both axes have a unit of length."""
    units = {a["name"]: a.get("unit") for a in scale["axes"] if isinstance(a, dict)}
    axes = [a if isinstance(a, str) else a["name"] for a in scale["axes"]]
    um = [_IN_UM.get(units.get(axis) or "") for axis in "xy"]
    if None in um:
        return None
    first = scale["datasets"][0].get("coordinateTransformations", [])
    factors = [t["scale"] for t in (*first, *scale.get("coordinateTransformations", [])) if t.get("type") == "scale"]
    return square_mpp(*(unit * np.prod([f[axes.index(a)] for f in factors]) for unit, a in zip(um, "xy", strict=True)))
