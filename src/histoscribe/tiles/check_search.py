"""Search: the scale or the shift that would put observations where they belong, once the symmetries have failed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core import keys
from histoscribe.core.units import MPP_RANGE
from histoscribe.tiles.check_transform import IDENTITY, Transformation, pitch_px, symmetries

if TYPE_CHECKING:
    from collections.abc import Callable

    from histoscribe.core.section import Section
    from histoscribe.tiles.check_agreement import Agreement

__all__ = ["Outline", "rescaled", "shifted"]

#: z that the best of many scales or shifts needs: thousands are tried; and the best of a few known factors.
MANY, FEW = 8.0, 6.0
_MAX_EVALUATED = 1500


class Outline:
    """How well a placement fits the outline of the tissue, from both sides.

    Parameters
    ----------
    section
        The section.
    at
        Tells for ``(n, 2)`` level-0 px whether they lie on tissue.
    tissue_um2
        Area of tissue, um^2.
    found
        False where no tissue was found, so that the whole image stands for it and proves nothing by itself.
    """

    def __init__(
        self, section: Section, at: Callable[[np.ndarray], np.ndarray], tissue_um2: float, *, found: bool = True
    ) -> None:
        assert section.slide is not None
        self._size, self._at, self._mpp = section.slide.size, at, section.mpp
        self._tissue_px, self.found = tissue_um2 / section.mpp**2, found
        self._area_px = _footprint_px(section)

    def on(self, xy: np.ndarray) -> np.ndarray:
        """Return ``(n,)`` bool: inside the image and on tissue."""
        inside = self.inside(xy)
        clipped = np.clip(xy, 0, np.array(self._size) - 1e-6)
        return inside & np.asarray(self._at(clipped), dtype=bool)

    def inside(self, xy: np.ndarray) -> np.ndarray:
        """Return ``(n,)`` bool: inside the image."""
        return ((xy >= 0) & (xy <= self._size)).all(1)

    def recall(self, share: float, scale: float = 1.0) -> float:
        """Return the share of the tissue that the observations cover, 0-1, if `share` of them lie on it."""
        return min(1.0, share * self._area_px * scale**2 / max(self._tissue_px, 1.0))

    def f1(self, share: float, scale: float = 1.0) -> float:
        """Harmonic mean of the share on tissue and the share of tissue covered: a collapsed placement scores low."""
        recall = self.recall(share, scale)
        return 2 * share * recall / (share + recall) if share + recall > 0 else 0.0


def _footprint_px(section: Section) -> float:
    """Area that the observations stand for, level-0 px^2: pitch^2 each, or the 100 um squares that cells occupy."""
    pitch = pitch_px(section)
    if pitch is not None:
        return section.n_obs * pitch**2
    side = 100 / section.mpp
    return len(np.unique(np.floor(section.xy / side), axis=0)) * side**2


def rescaled(section: Section, outline: Outline, evidence: Agreement | None) -> Transformation | None:
    """Search scales of 0.02 to 50 (and the section's own scale factors) in all eight symmetries.

    Outlines sieve the candidates; local agreement decides where there is any, else a fit of 0.7 of the outline.
    """
    factors = [float(f) for f in section.table.uns.get(keys.UNS, {}).get("scale_factors", []) if 0 < f < 1]
    pitch = pitch_px(section)

    def possible(scales: np.ndarray) -> np.ndarray:
        """Keep the scales at which the known pitch means a um/px that a histology image can have."""
        if pitch is None or section.pitch_um is None:
            return scales
        mpp = section.pitch_um / (pitch * scales)
        return scales[(mpp >= MPP_RANGE[0]) & (mpp <= MPP_RANGE[1])]

    if pitch is not None and section.pitch_um is not None:
        factors.append(pitch * section.mpp / section.pitch_um)
    exact = np.array([f for factor in factors for f in (factor, 1 / factor)])
    if evidence is not None:
        # Printed arrays stray from their nominal pitch by up to 1 %.
        close = [f * (1 + d) for f in possible(exact) for d in (0.0, -0.01, -0.005, 0.005, 0.01)]
        found = _best([s.scaled(f) for f in close for s in symmetries()], section, evidence, least=FEW)
        if found is not None:
            return found
    # 0.7 % apart: agreement is lost with an error of 2 %.
    grid = possible(np.concatenate([exact, np.exp(np.arange(np.log(0.02), np.log(50), 0.007))]))
    scored = _scored(section, outline, grid)
    if not scored:
        return None
    top = scored[0][0]
    if evidence is None:
        return scored[0][1] if top >= 0.7 and outline.found else None
    near = [c for score, c in scored if score >= 0.6 * top][:_MAX_EVALUATED]
    found = _best(near, section, evidence)
    if found is None:
        return None
    finer = [found.scaled(found.scale * (1 + d)) for d in np.arange(-0.006, 0.0061, 0.001)]
    return _best(finer, section, evidence)


def _scored(section: Section, outline: Outline, grid: np.ndarray) -> list[tuple[float, Transformation]]:
    """Score every scale in every symmetry that keeps the observations in the image by the outline, best first."""
    assert section.slide is not None
    size = section.slide.size
    few = section.xy[np.random.default_rng(0).permutation(section.n_obs)[:500]]
    scored: list[tuple[float, Transformation]] = []
    for symmetry in symmetries():
        # A placement that reaches far outside cannot be right, and its mirror image neither: sieve by extent first.
        extent = np.abs(few).max(0)[::-1] if symmetry.swap else np.abs(few).max(0)
        for scale in grid[grid * (extent / size).max() <= 1.05]:
            candidate = symmetry.scaled(float(scale))
            xy = candidate(few, size)
            if outline.inside(xy).mean() >= 0.98:
                scored.append((outline.f1(float(outline.on(xy).mean()), float(scale)), candidate))
    return sorted(scored, key=lambda item: -item[0])


def shifted(section: Section, evidence: Agreement | None) -> Transformation | None:
    """Search shifts of up to three steps (pitches; 10 um for cells) in half steps; only agreement can judge them."""
    if evidence is None:
        return None
    half = np.arange(-6, 7) * evidence.step_px / 2
    tried = [replace(IDENTITY, shift=(float(x), float(y))) for x in half for y in half if (x, y) != (0, 0)]
    return _best(tried, section, evidence)


def _best(
    tried: list[Transformation], section: Section, evidence: Agreement, *, least: float = MANY
) -> Transformation | None:
    assert section.slide is not None
    if not tried:
        return None
    size = section.slide.size
    values = np.array([evidence.statistic(t(section.xy, size), scale=t.scale) for t in tried])
    if not np.isfinite(values).any():
        return None
    best = tried[int(np.nanargmax(values))]
    return best if evidence.z(best(section.xy, size), scale=best.scale) >= least else None
