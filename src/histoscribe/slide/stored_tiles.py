"""A slide that is known only in squares around its observations: tiles that somebody else cut and stored in HDF5."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from histoscribe.core.errors import SlideError
from histoscribe.core.pixels import Region
from histoscribe.slide._pyramid import Level, Pyramid

if TYPE_CHECKING:
    from pathlib import Path

    import h5py

__all__ = ["StoredTiles"]

#: What is not stored looks like glass.
_UNKNOWN = 255
#: A centre that is computed from a corner and half a side comes back this close, px.
_SAME = 1e-6
#: Longer side, in cells, of the raster that measures how much of a rectangle is stored.
_RASTER = 256


class StoredTiles(Pyramid):
    """A `PixelSource` over an HDF5 data set of square RGB images, each laid where it was cut.

    Level 0 has the resolution of the stored images. A square that is exactly one of them comes back to the bit; a
    rectangle within one is cut out of it; a larger one is put together from all that meet it, the nearest to its centre
    on top, at whole px. What no image covers is white and counted in `Region.padded`.

    Parameters
    ----------
    path
        The HDF5 file.
    centres
        ``(n, 2)`` float64 x, y of the centres of the images that are used, level-0 px.
    rows
        ``(n,)`` row of each in the data set.
    mpp
        um per px of the stored images.
    dataset
        Name of the ``(m, side, side, 3)`` uint8 data set.
    """

    backend: ClassVar[str] = "stored-tiles"

    def __init__(
        self, path: Path | str, centres: np.ndarray, rows: np.ndarray, *, mpp: float, dataset: str = "img"
    ) -> None:
        super().__init__(path)
        self.centres = np.asarray(centres, dtype=np.float64)
        self.rows = np.asarray(rows, dtype=np.int64)
        self._mpp, self._dataset = mpp, dataset
        self._file: h5py.File | None = None
        with self._lock:
            self.side = int(self._images().shape[1])
        width, height = (int(v) for v in np.ceil(self.centres.max(0) + self.side / 2))
        self.levels = (Level(width, height, 1.0),)
        self.close()

    @property
    def mpp(self) -> float | None:
        """Scale, um per px."""
        return self._mpp

    @cached_property
    def _tree(self) -> Any:
        from scipy.spatial import cKDTree

        return cKDTree(self.centres)

    def region(self, x: float, y: float, *, width: float, height: float, out: tuple[int, int]) -> Region:
        """Read a rectangle; see `Pyramid.region`. `padded` is the share that no stored image covers."""
        if not (np.isfinite([x, y, width, height]).all() and min(width, height) > 0 and min(out) >= 1):
            return super().region(x, y, width=width, height=height, out=out)  # refuses it
        _, nearest = self._tree.query((x + width / 2, y + height / 2))
        left, top = self.centres[nearest] - self.side / 2
        box = np.array([x - left, y - top, x + width - left, y + height - top])
        if (box >= -_SAME).all() and (box <= self.side + _SAME).all():
            return Region(self._cut(int(nearest), box, out), 0.0)
        pixels = super().region(x, y, width=width, height=height, out=out).pixels
        return Region(pixels, self._unknown_share(x, y, width, height))

    def _cut(self, index: int, box: np.ndarray, out: tuple[int, int]) -> np.ndarray:
        pixels = self.tile(index)
        whole = np.abs(box - (0, 0, self.side, self.side)).max() <= _SAME
        if whole and out == (self.side, self.side):
            return pixels
        inside = tuple(float(v) for v in np.clip(box, 0, self.side))
        return np.asarray(Image.fromarray(pixels).resize(out, Image.Resampling.BICUBIC, box=inside))

    def tile(self, index: int) -> np.ndarray:
        """Return the stored image of one observation, ``(side, side, 3)`` uint8."""
        with self._lock:
            try:
                return np.asarray(self._images()[self.rows[index]], dtype=np.uint8)
            except OSError as err:
                msg = f"tile {self.rows[index]} of {self.path} cannot be read ({err}). Copy or download the file again."
                raise SlideError(msg) from err

    def _images(self) -> h5py.Dataset:
        import h5py

        if self._file is None:
            try:
                self._file = h5py.File(self.path, "r")
            except OSError as err:
                msg = f"{self.path} cannot be read as HDF5 ({err}). Copy or download it again."
                raise SlideError(msg) from err
        return self._file[self._dataset]

    def _read(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        assert level == 0
        canvas = np.full((height, width, 3), _UNKNOWN, dtype=np.uint8)
        middle = np.array([left + width / 2, top + height / 2])
        for i in self._meeting(left, top, width, height, middle):
            # Whole px: half a px at most, against a second interpolation of every stored image.
            x, y = np.rint(self.centres[i] - self.side / 2).astype(int) - (left, top)
            x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + self.side, width), min(y + self.side, height)
            if x0 < x1 and y0 < y1:
                canvas[y0:y1, x0:x1] = self.tile(int(i))[y0 - y : y1 - y, x0 - x : x1 - x]
        return canvas

    def _meeting(self, left: float, top: float, width: float, height: float, middle: np.ndarray) -> np.ndarray:
        """Return the images that meet a rectangle, the nearest to `middle` last."""
        reach = np.abs(self.centres - (left + width / 2, top + height / 2))
        found = np.flatnonzero((reach <= np.array([width, height]) / 2 + self.side / 2 + 1).all(1))
        return found[np.argsort(-((self.centres[found] - middle) ** 2).sum(1), kind="stable")]

    def _unknown_share(self, x: float, y: float, width: float, height: float) -> float:
        cell = max(width, height) / _RASTER
        known = np.zeros((max(1, round(height / cell)), max(1, round(width / cell))), dtype=bool)
        for i in self._meeting(x, y, width, height, np.array([x, y])):
            left, top = (self.centres[i] - self.side / 2 - (x, y)) / cell
            right, bottom = left + self.side / cell, top + self.side / cell
            known[max(0, round(top)) : max(0, round(bottom)), max(0, round(left)) : max(0, round(right))] = True
        return float(1.0 - known.mean())

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.path, self.centres, self.rows, self._mpp, self._dataset)


def _again(path: Path, centres: np.ndarray, rows: np.ndarray, mpp: float, dataset: str) -> StoredTiles:
    return StoredTiles(path, centres, rows, mpp=mpp, dataset=dataset)
