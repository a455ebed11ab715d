"""An array of channels, rows and columns, in memory or lazy, as something that `write_tiff` can write."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

import numpy as np

from histoscribe.slide._pyramid import Level, Pyramid
from histoscribe.slide._rgb import to_rgb

__all__ = ["ChannelSource"]

_ROWS = 1024


class ChannelSource(Pyramid):
    """Pixels of a ``(3 or 4, h, w)`` uint8 array, which may be lazy: only what is read is computed.

    Parameters
    ----------
    array
        NumPy or dask array.
    name
        Becomes the name of a path that does not exist.
    """

    backend: ClassVar[str] = "channels"

    def __init__(self, array: Any, *, name: str) -> None:
        super().__init__(name)
        self._array = array
        self.levels = (Level(int(array.shape[2]), int(array.shape[1]), 1.0),)

    def _read(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        assert level == 0
        found = np.asarray(self._array[:, top : top + height, left : left + width])
        return to_rgb(np.ascontiguousarray(found.transpose(1, 2, 0)), where=f"image {self.path}")

    def _content_digest(self) -> str:
        width, height = self.size
        hasher = hashlib.sha256(repr(self.size).encode())
        for top in range(0, height, _ROWS):
            hasher.update(self._read(0, 0, top, width, min(_ROWS, height - top)).tobytes())
        return hasher.hexdigest()

    def close(self) -> None:
        """Release nothing: the array belongs to its owner."""
