"""The tissue of a section's slide, asked in level-0 px and um."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from histoscribe.core.errors import SlideError
from histoscribe.tiles._mask import tissue_mask, work_px

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section

__all__ = ["TissueMask", "section_mask"]

#: Points that stand for a disc; a share is right to about 1 %.
_POINTS = 128
#: Masks by slide: making one reads the whole slide. They go when the slide goes.
_CACHE: WeakKeyDictionary[PixelSource, dict[tuple[float, float, tuple[str, ...]], TissueMask]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class TissueMask:
    """Where a slide holds tissue.

    Attributes
    ----------
    mask
        ``(h, w)`` bool, True on tissue, read-only.
    step_px
        (x, y) level-0 px per px of the mask.
    mpp
        um per level-0 px.
    """

    mask: np.ndarray
    step_px: tuple[float, float]
    mpp: float

    @property
    def area_um2(self) -> float:
        """Area of tissue, um^2."""
        return float(self.mask.sum()) * self.step_px[0] * self.step_px[1] * self.mpp**2

    def at(self, xy_px: np.ndarray) -> np.ndarray:
        """Tell for ``(..., 2)`` places in level-0 px whether they are tissue: ``(...)`` bool; outside is not."""
        index = np.floor(np.asarray(xy_px, dtype=np.float64) / self.step_px).astype(np.int64)
        column, row = index[..., 0], index[..., 1]
        h, w = self.mask.shape
        inside = (column >= 0) & (row >= 0) & (column < w) & (row < h)
        return inside & self.mask[np.clip(row, 0, h - 1), np.clip(column, 0, w - 1)]

    def share(self, xy_px: np.ndarray, radius_um: float) -> np.ndarray:
        """Return the share of the disc around each of ``(n, 2)`` level-0 places that is tissue: ``(n,)`` float64, 0-1.

        What of a disc lies outside the slide is no tissue.
        """
        disc = _disc() * (radius_um / self.mpp)
        xy = np.asarray(xy_px, dtype=np.float64)
        # In batches: a million bins with 128 points each would take gigabytes.
        parts = [self.at(xy[i : i + 8192, None] + disc).mean(1) for i in range(0, len(xy), 8192)]
        return np.concatenate(parts) if parts else np.zeros(0)


def section_mask(section: Section, *, mpp: float = 8.0, filters: Sequence[str] = ()) -> TissueMask:
    """Find the tissue of a section's slide; the answer is remembered as long as the slide is.

    Parameters
    ----------
    section
        A section with a slide.
    mpp
        um per px of the mask; the default is the scale at which tissue is found. It is never finer than the slide, and
        its longer side has 400 (where the slide has them) to 1,600 px.
    filters
        Names in `FILTERS` that further drop; see `tissue_mask`.

    Raises
    ------
    SlideError
        If there is no slide, or no tissue on it.
    """
    slide = section.slide
    if slide is None:
        msg = f"section {section.name!r} has no slide, so no tissue can be found. Read it with its image."
        raise SlideError(msg)
    known = _CACHE.setdefault(slide, {})
    key = (section.mpp, float(mpp), tuple(filters))
    if key not in known:
        known[key] = _make(slide, section.mpp, 8.0 / mpp, tuple(filters))
    found = known[key]
    if not found.mask.any():
        left = f" after the filters {', '.join(filters)}" if filters else ""
        msg = (
            f"no stained tissue was found on the slide {slide.path} of section {section.name!r} (at {section.mpp:g} "
            f"um/px){left}. Look at the image, check its um/px, and give an H&E image."
        )
        raise SlideError(msg)
    return found


def _make(slide: PixelSource, mpp: float, finer: float, filters: tuple[str, ...]) -> TissueMask:
    width, height = slide.size
    longest = max(width, height)
    image = slide.thumbnail(max_px=work_px(longest, mpp * finer))
    h, w = image.shape[:2]
    mask = tissue_mask(image, mpp=mpp * longest / max(h, w), filters=filters)
    mask.setflags(write=False)
    return TissueMask(mask, (width / w, height / h), mpp)


def _disc() -> np.ndarray:
    """Points that fill the unit disc evenly, ``(_POINTS, 2)``: Vogel's sunflower."""
    i = np.arange(_POINTS)
    radius = np.sqrt((i + 0.5) / _POINTS)
    angle = i * np.pi * (3 - np.sqrt(5))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
