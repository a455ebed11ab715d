"""Align one section to another by its outline and its genes, and judge the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.align.expression import SharedExpression, shared_maps, smooth_genes
from histoscribe.align.footprint import Footprint
from histoscribe.align.image import Images, register_images
from histoscribe.align.match import Match
from histoscribe.align.outline import cut_share, outline_residual_um, overlap
from histoscribe.align.precision import precision
from histoscribe.align.quality import (
    LEAD,
    AlignmentQuality,
    bootstrap_spread_um,
    judge,
)
from histoscribe.align.rigid import rival_placements, turn_between
from histoscribe.align.transform import Affine, Rigid
from histoscribe.core.spacing import spacing_um

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["Genes", "PairAlignment", "align_pair", "pitch_of"]

#: What genes are used for.
Genes = Literal["auto", "place", "never"]

#: Placements that are refined, and those (apart from each other) that genes are asked about.
_REFINED = 8
_ASKED = 4
_APART_DEG = 20.0
#: Loss of outline similarity that genes may overrule.
_TIE = 0.03


@dataclass(frozen=True, eq=False)
class PairAlignment:
    """One section aligned to another.

    Attributes
    ----------
    moving, fixed
        Names of the sections.
    motion
        From the moving section's frame (um from the slide's top-left corner) to the fixed section's.
    quality
        Figures and verdict.
    pitch_um
        Distance of neighbouring observations in the sparser section.
    source
        What the motion was found from: ``"observations"``, ``"intensity"`` or ``"keypoints"`` of images.
    """

    moving: str
    fixed: str
    motion: Rigid | Affine
    quality: AlignmentQuality
    pitch_um: float
    source: str = "observations"


@dataclass(frozen=True, eq=False)
class _Placement:
    motion: Rigid
    similarity: float
    agreement: float | None = None


def pitch_of(*sections: Section) -> float:
    """Distance of neighbouring observations in the sparsest section, um."""
    return max(s.pitch_um or spacing_um(s.xy_um) for s in sections)


def align_pair(
    moving: Section,
    fixed: Section,
    *,
    genes: Genes = "auto",
    images: Images = "never",
    seed: int = 0,
) -> PairAlignment:
    """Find the motion that takes one section onto another, without their images, or starting so.

    All angles are searched for placements where one footprint covers the other; the best are refined by the
    correlation of the footprints, smoothed over one step (see `Match`). Where several angles fit the outline (within
    0.03 of its similarity), the agreement of genes chooses, if it differs by 0.05 or more. With
    ``genes="place"``, outline and genes together then find the fine position: maps of the shared genes are layers
    beside the outline, each weighted by how much of it the two sections share.

    Parameters
    ----------
    moving, fixed
        Sections; `moving` is to be moved. Coordinates are made um with each section's own um/px.
    genes
        ``"auto"`` asks genes where both sections are measured; ``"place"`` lets them move the fine position, too;
        ``"never"`` uses outlines alone.
    images
        What to register the images of two sections with slides on, from there: see `register_images`. An affine map
        comes of it where that is better on tissue that was not registered on; the observations' motion is kept where
        images do no better.
    seed
        Of the resampling that measures stability, and of RANSAC.

    Returns
    -------
    The motion with its quality; a failed alignment is returned too, with its verdict.

    Raises
    ------
    DataError
        If a section has fewer than 3 observations.
    """
    pitch = pitch_of(moving, fixed)
    search = _Search.of(moving, fixed, pitch_um=pitch, genes=genes)
    found = search.placements()
    best = _choose(found)
    rivals = [p for p in found if abs(turn_between(p.motion, best.motion)) >= _APART_DEG]
    quality = _measure(search, best, rivals, seed=seed)
    prints = (search.match.moving, search.match.fixed)
    cut = max(cut_share(s, f) for s, f in zip((moving, fixed), prints, strict=True))
    quality = replace(quality, cut=cut)
    placed = best.motion if search.fine is search.match else search.fine.refine(best.motion)
    error_um, error_deg = precision(search.fine, placed)
    sigma = search.match.sigma_um
    quality = replace(
        _met(quality, *prints, placed),
        precision_pitch=error_um / sigma,
        precision_deg=error_deg,
    )
    motion: Rigid | Affine = replace(placed, overlap=quality.overlap)
    source = "observations"
    if images != "never" and moving.slide is not None and fixed.slide is not None:
        found = register_images(moving, fixed, placed, images=images, pitch_um=pitch, seed=seed)
        motion, source = found.motion, found.source
        quality = replace(_met(quality, *prints, motion), image_gain=found.after - found.before)
    verdict, reasons = judge(quality)
    quality = replace(quality, verdict=verdict, reasons=reasons)
    return PairAlignment(moving.name, fixed.name, motion, quality, pitch_um=pitch, source=source)


def _met(quality: AlignmentQuality, moving: Footprint, fixed: Footprint, motion: Rigid | Affine) -> AlignmentQuality:
    """Measure again how well the outlines meet."""
    moved = moving.moved(motion)
    residual = outline_residual_um(moved, fixed)
    step = max(moving.step_um, fixed.step_um)
    return replace(quality, overlap=overlap(moved, fixed), residual_um=residual, residual_pitch=residual / step)


@dataclass(frozen=True, eq=False)
class _Search:
    """Footprints and genes of two sections, ready for trying placements."""

    match: Match
    fine: Match
    shared: SharedExpression | None

    @classmethod
    def of(cls, moving: Section, fixed: Section, *, pitch_um: float, genes: str) -> _Search:
        match = Match(*(Footprint.of(s, pitch_um=pitch_um) for s in (moving, fixed)))
        chosen = smooth_genes(moving, fixed) if genes != "never" else None
        if chosen is None:
            return cls(match, match, None)
        one, two = shared_maps(chosen)
        fine = Match(match.moving, match.fixed, maps=(one, two)) if genes == "place" else match
        return cls(match, fine, SharedExpression.of(*chosen, pitch_um=pitch_um))

    def placements(self, *, asked: int = _ASKED) -> list[_Placement]:
        """Refine the best placements; those apart from each other, the most similar first, with their agreement."""
        match = self.match
        starts = rival_placements(match.moving.xy_um, match.fixed.xy_um, pitch_um=match.sigma_um)
        found = []
        for start in starts[:_REFINED]:
            motion = match.refine(start)
            found.append(_Placement(motion, match.similarity(motion)))
        kept: list[_Placement] = []
        for one in sorted(found, key=lambda p: (-round(p.similarity, 4), abs(p.motion.angle_deg))):
            if all(abs(turn_between(one.motion, other.motion)) >= _APART_DEG for other in kept):
                kept.append(one)
        if self.shared is None:
            return kept
        return [replace(p, agreement=self.shared.agreement(p.motion)) for p in kept[:asked]]

    def turned_over(self) -> _Search:
        """Return the search for the moving section's mirror image (x turned to -x)."""
        flip = np.array([-1.0, 1.0])
        moving = self.match.moving
        moving = replace(moving, xy_um=moving.xy_um * flip)
        shared = None if self.shared is None else replace(self.shared, moving_um=self.shared.moving_um * flip)
        over = Match(moving, self.match.fixed)
        return _Search(over, over, shared)


def _choose(found: list[_Placement]) -> _Placement:
    best = found[0]
    for other in found[1:]:
        if other.agreement is None or best.agreement is None or other.similarity < found[0].similarity - _TIE:
            continue
        if other.agreement > best.agreement + LEAD:
            best = other
    return best


def _measure(search: _Search, best: _Placement, rivals: list[_Placement], *, seed: int) -> AlignmentQuality:
    moving, fixed, sigma = search.match.moving, search.match.fixed, search.match.sigma_um
    moved = moving.moved(best.motion)
    residual = outline_residual_um(moved, fixed)
    spread = bootstrap_spread_um(moving, fixed, best.motion, sigma_um=sigma, seed=seed)
    over = _choose(search.turned_over().placements(asked=3))
    rival = None
    if rivals:
        rival = max(rivals, key=lambda p: p.similarity if p.agreement is None else p.agreement)
    lead = None if rival is None or rival.agreement is None else best.agreement - rival.agreement
    return AlignmentQuality(
        overlap=overlap(moved, fixed),
        residual_um=residual,
        residual_pitch=residual / sigma,
        spread_um=spread,
        spread_pitch=spread / sigma,
        rival_deg=float("nan") if rival is None else turn_between(rival.motion, best.motion),
        rival_gap=float("nan") if not rivals else best.similarity - max(p.similarity for p in rivals),
        mirror_gap=best.similarity - over.similarity,
        agreement=best.agreement,
        agreement_gap=lead,
        mirror_agreement=over.agreement,
    )
