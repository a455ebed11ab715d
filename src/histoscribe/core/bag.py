"""Bag: the features of all tiles of one whole slide, with what splits need to know of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from histoscribe.core.errors import CoordinateError, DataError

__all__ = ["Bag"]


@dataclass(frozen=True, eq=False)
class Bag:
    """Features of one slide's tiles.

    Attributes
    ----------
    name
        Of the slide.
    features
        ``(n, d)`` float32.
    xy_um
        ``(n, 2)`` float64 centres of the tiles, x right, y down, um; None where only features are known.
    donor, site
        Whose tissue it is, and which site collected it: what splits keep apart. An unknown donor is the slide itself.
    encoder
        What made the features; empty where it is not known. Features of two encoders are never mixed.

    Raises
    ------
    DataError
        If there is no tile, or a feature is not finite.
    CoordinateError
        If there is not one position for each tile.
    """

    name: str
    features: np.ndarray
    xy_um: np.ndarray | None = None
    donor: str = ""
    site: str = ""
    encoder: str = ""

    def __post_init__(self) -> None:
        features = np.asarray(self.features, dtype=np.float32)
        if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
            msg = f"slide {self.name}: features of shape {features.shape}. Give finite (tiles, dim) of 1 tile or more."
            raise DataError(msg)
        object.__setattr__(self, "features", features)
        object.__setattr__(self, "donor", self.donor or self.name)
        if self.xy_um is None:
            return
        xy = np.asarray(self.xy_um, dtype=np.float64)
        if xy.shape != (len(features), 2) or not np.isfinite(xy).all():
            msg = (
                f"slide {self.name}: positions {xy.shape} for {len(features)} tiles. Give finite x and y, um, of each."
            )
            raise CoordinateError(msg)
        object.__setattr__(self, "xy_um", xy)
