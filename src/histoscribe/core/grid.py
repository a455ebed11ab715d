"""TileGrid: where the tiles are, how large they are in um, and at what resolution they are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from histoscribe.core.files import digest

__all__ = ["TileGrid"]


@dataclass(frozen=True, eq=False)
class TileGrid:
    """Square tiles around points; pure data.

    Attributes
    ----------
    centres
        ``(n, 2)`` float64, x and y of the tiles' centres in level-0 px.
    sides_um
        Side of each context in um, e.g. ``(112.0, 224.0, 448.0)``; every centre has one tile per context.
    tile_px
        Side of the pixels given to an encoder.
    mpp
        um per level-0 px of the slide.
    read_mpp
        Finest detail given to an encoder, um/px. A tile is read at the coarser of this and ``side_um / tile_px``
        and then resized to `tile_px`, so that a model trained on coarse slides sees a fine slide as it saw its own.
    """

    centres: np.ndarray
    sides_um: tuple[float, ...]
    tile_px: int
    mpp: float
    read_mpp: float

    def __len__(self) -> int:
        return len(self.centres)

    def read_px(self, side_um: float) -> int:
        """Side in px at which a tile of `side_um` is read before it is resized to `tile_px`."""
        return max(1, min(self.tile_px, round(side_um / self.read_mpp)))

    def side_px(self, side_um: float) -> float:
        """Side of a tile in level-0 px."""
        return side_um / self.mpp

    def geometry(self) -> dict[str, Any]:
        """Everything but the centres, as JSON values: what a bundle must remember."""
        return {"sides_um": list(self.sides_um), "tile_px": self.tile_px, "read_mpp": self.read_mpp}

    def digest(self) -> str:
        """16 hex digits that name this grid; equal grids have equal names."""
        centres = np.ascontiguousarray(self.centres, dtype="<f8").tobytes()
        return digest(centres, repr((self.sides_um, self.tile_px, float(self.mpp), float(self.read_mpp))))
