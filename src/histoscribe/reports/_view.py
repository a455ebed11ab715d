"""View: where observations lie, how large they are, and the stretch of the slide that is shown beneath them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError
from histoscribe.core.spacing import spacing_um

if TYPE_CHECKING:
    from anndata import AnnData

    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section
    from histoscribe.reports._facts import Facts

__all__ = ["Places", "View", "find_slide", "scale_bar_um"]

#: Longer side of the picture beneath the maps, px: sharp at twice the size that it is shown at.
VIEW_PX = 1000
#: Observations as wide as this share of their distance are bins of a grid, not spots on glass.
_TOUCHING = 0.9


@dataclass(frozen=True, eq=False)
class Places:
    """Observations as they are drawn.

    Attributes
    ----------
    xy_um
        ``(n, 2)`` float64 centres, um from the slide's top-left corner.
    size_um
        Diameter of a spot or side of a square, um.
    shape
        ``"circle"`` for spots on glass, ``"square"`` for grid tiles and bins.
    """

    xy_um: np.ndarray
    size_um: float
    shape: Literal["circle", "square"]

    @classmethod
    def of_prediction(cls, prediction: AnnData, facts: Facts, *, like: Section | None = None) -> Places:
        """Places of a prediction; a size it does not record is that of `like` where it is the same places by name."""
        xy_um = np.asarray(prediction.obsm[keys.SPATIAL], dtype=np.float64) * facts.mpp
        spot, step = facts.spot_um, facts.step_um
        if spot is None and like is not None and prediction.obs_names.isin(like.table.obs_names).all():
            spot, step = like.spot_um, step or like.pitch_um
        return cls._sized(xy_um, spot, step)

    @classmethod
    def of_section(cls, section: Section) -> Places:
        """Places of a measured section."""
        return cls._sized(section.xy_um, section.spot_um, section.pitch_um)

    @classmethod
    def _sized(cls, xy_um: np.ndarray, spot_um: float | None, step_um: float | None) -> Places:
        if not step_um:
            step_um = spacing_um(xy_um) if len(xy_um) > 1 else (spot_um or 100.0)
        if spot_um and spot_um < _TOUCHING * step_um:
            return cls(xy_um, float(spot_um), "circle")
        return cls(xy_um, float(spot_um or step_um), "square")


@dataclass(frozen=True, eq=False)
class View:
    """A rectangle of the slide, um, and its pixels.

    Attributes
    ----------
    x, y, width, height
        Rectangle, um from the slide's top-left corner.
    pixels
        RGB, ``(h, w, 3)`` uint8, or None where there is no slide.
    """

    x: float
    y: float
    width: float
    height: float
    pixels: np.ndarray | None

    @classmethod
    def of(cls, places: Places, slide: PixelSource | None, mpp: float, *, max_px: int = VIEW_PX) -> View:
        """Frame all places with a small margin, cut at the slide's edge.

        Raises
        ------
        CoordinateError
            If a place lies outside the slide: this is then another image, or another scale.
        """
        margin = max(places.size_um, 0.02 * float(np.ptp(places.xy_um, axis=0).max()))
        low = places.xy_um.min(0) - places.size_um / 2 - margin
        high = places.xy_um.max(0) + places.size_um / 2 + margin
        if slide is None:
            return cls(*map(float, low), *map(float, high - low), None)
        extent = np.array(slide.size, dtype=np.float64) * mpp
        outside = ((places.xy_um < 0) | (places.xy_um > extent)).any(1)
        if outside.any():
            msg = (
                f"{int(outside.sum())} of {len(outside)} places lie outside the image {slide.path} "
                f"({slide.size[0]} x {slide.size[1]} px at {mpp:.4g} um/px). Give the slide that was predicted."
            )
            raise CoordinateError(msg)
        low, high = np.maximum(low, 0.0), np.minimum(high, extent)
        size = high - low
        # Never finer than the slide itself: pixels that are not there would only be made up.
        scale = min(max_px / size.max(), 1.0 / mpp)
        out = (max(1, round(size[0] * scale)), max(1, round(size[1] * scale)))
        region = slide.region(*(low / mpp), width=size[0] / mpp, height=size[1] / mpp, out=out)
        return cls(*map(float, low), *map(float, size), region.pixels)

    @property
    def aspect(self) -> float:
        """Width over height."""
        return self.width / self.height


def scale_bar_um(width_um: float) -> float:
    """Return a round length of about a fifth of `width_um`, um."""
    wanted = width_um / 5
    power = 10.0 ** np.floor(np.log10(wanted))
    return float(max(step * power for step in (1, 2, 5) if step * power <= wanted))


def find_slide(slide: PixelSource | Path | str | None, facts: Facts, measured: Section | None) -> PixelSource | None:
    """Return the pixels to draw on: those given, else the measured section's, else the file the prediction names."""
    if slide is None and measured is not None and measured.slide is not None:
        return measured.slide
    if slide is None and (not facts.slide or not Path(facts.slide).exists()):
        return None
    if slide is None or isinstance(slide, (str, Path)):
        from histoscribe.slide import open_slide

        return open_slide(facts.slide if slide is None else slide)
    return slide
