"""The tissue mask of a section, and questions to it in the section's own coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from histoscribe.core.errors import SlideError
from histoscribe.tiles._mask import tissue_mask

if TYPE_CHECKING:
    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section

__all__ = ["TissueMask", "section_mask"]

#: Points of a disc's regular sample along its diameter: shares are exact to about one part in a hundred.
_DISC = 13
_KNOWN: WeakKeyDictionary[PixelSource, dict[tuple[float, float], TissueMask]] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class TissueMask:
    """Where the tissue of a slide is.

    Attributes
    ----------
    mask
        ``(h, w)`` bool over the whole slide, True on tissue.
    mpp
        um per px of `mask`.
    scale
        Level-0 px per px of `mask`, (x, y).
    """

    mask: np.ndarray
    mpp: float
    scale: tuple[float, float]

    @property
    def area_um2(self) -> float:
        """Area of the tissue, um2."""
        return float(self.mask.sum()) * self.mpp**2

    def at(self, xy: np.ndarray) -> np.ndarray:
        """Return ``(n,)`` bool for ``(n, 2)`` level-0 px; False outside the slide."""
        column, row = (np.floor(np.asarray(xy, dtype=float) / self.scale)).astype(np.int64).T
        h, w = self.mask.shape
        inside = (column >= 0) & (column < w) & (row >= 0) & (row < h)
        found = np.zeros(len(column), dtype=bool)
        found[inside] = self.mask[row[inside], column[inside]]
        return found

    def share(self, xy: np.ndarray, radius_um: float) -> np.ndarray:
        """Return the ``(n,)`` share of tissue in a disc of `radius_um` around each of ``(n, 2)`` level-0 px, 0-1."""
        xy = np.asarray(xy, dtype=float)
        steps = np.linspace(-1, 1, _DISC)
        disc = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        disc = disc[(disc**2).sum(1) <= 1.0]
        radius = radius_um / self.mpp * np.asarray(self.scale)
        total = np.zeros(len(xy))
        for offset in disc:
            total += self.at(xy + offset * radius)
        return total / len(disc)


def section_mask(section: Section, *, mpp: float = 8.0) -> TissueMask:
    """Find the tissue of a section's slide; remembered as long as the slide is open.

    Parameters
    ----------
    section
        A section with a slide.
    mpp
        Resolution of the mask, um/px; coarser where the slide is.

    Raises
    ------
    SlideError
        If there is no slide, or no tissue on it.
    """
    slide = section.slide
    if slide is None:
        msg = f"section {section.name!r} has no slide, so there is no tissue to find. Read it with its image."
        raise SlideError(msg)
    known = _KNOWN.setdefault(slide, {})
    key = (section.mpp, mpp)
    if key not in known:
        w, h = slide.size
        pixels = slide.thumbnail(max_px=max(1, round(max(w, h) * min(1.0, section.mpp / mpp))))
        scale = (w / pixels.shape[1], h / pixels.shape[0])
        um = section.mpp * float(np.mean(scale))
        known[key] = TissueMask(tissue_mask(pixels, mpp=um), um, scale)
    if not known[key].mask.any():
        msg = (
            f"no tissue was found on the slide of section {section.name!r} ({slide.path}). Look at the image: is it "
            "stained tissue on glass, and is its um/px right?"
        )
        raise SlideError(msg)
    return known[key]
