"""Align one section to another by where their observations are, with genes as the referee, and judge the result."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.align.expression import SharedExpression
from histoscribe.align.footprint import Field, Footprint, refine
from histoscribe.align.quality import (
    LEAD,
    AlignmentQuality,
    bootstrap_spread_um,
    judge,
    outline_residual_um,
    overlap,
)
from histoscribe.align.rigid import rival_placements, spacing_um, turn_between
from histoscribe.align.transform import Rigid

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["PairAlignment", "align_pair", "pitch_of"]

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
    motion: Rigid
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
    moving: Section, fixed: Section, *, genes: Literal["auto", "never"] = "auto", seed: int = 0
) -> PairAlignment:
    """Find the rigid motion that takes one section onto another, without their images.

    All angles are searched for placements where one footprint covers the other; the best are refined by the
    correlation of the footprints, smoothed over one step (see `refine`). Where several angles fit the outline (within
    0.03 of its similarity), the agreement of genes chooses, if it differs by 0.05 or more; genes are not used for the
    fine position: between sister sections of her2st they move it by a step at the same agreement.

    Parameters
    ----------
    moving, fixed
        Sections; `moving` is to be moved. Coordinates are made um with each section's own um/px.
    genes
        ``"auto"`` asks genes where both sections are measured; ``"never"`` uses outlines alone.
    seed
        Of the resampling that measures stability.

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
    quality = _measure(search, best, rivals, seed=seed, pitch_um=pitch)
    verdict, reasons = judge(quality)
    motion = replace(best.motion, overlap=quality.overlap)
    return PairAlignment(
        moving.name, fixed.name, motion, replace(quality, verdict=verdict, reasons=reasons), pitch_um=pitch
    )


@dataclass(frozen=True, eq=False)
class _Search:
    """Footprints and genes of two sections, ready for trying placements."""

    moving: Footprint
    fixed: Footprint
    field: Field
    norm: float
    shared: SharedExpression | None

    @classmethod
    def of(cls, moving: Section, fixed: Section, *, pitch_um: float, genes: str) -> _Search:
        shared = SharedExpression.of(moving, fixed, pitch_um=pitch_um) if genes == "auto" else None
        step = pitch_um
        prints = [Footprint.of(s.xy_um, pitch_um=step) for s in (moving, fixed)]
        sigma = max(p.step_um for p in prints)
        fields = [Field([p], sigma_um=sigma) for p in prints]
        own = [p.weight @ f.at(p.xy_um) for p, f in zip(prints, fields, strict=True)]
        return cls(prints[0], prints[1], fields[1], float(np.sqrt(own[0] * own[1])), shared)

    @property
    def sigma_um(self) -> float:
        return max(self.moving.step_um, self.fixed.step_um)

    def placements(self, *, asked: int = _ASKED) -> list[_Placement]:
        """Refine the best placements; those apart from each other, the most similar first, with their agreement."""
        starts = rival_placements(self.moving.xy_um, self.fixed.xy_um, pitch_um=self.sigma_um)
        found = []
        for start in starts[:_REFINED]:
            motion = refine(self.moving, self.field, start)
            similarity = float(self.moving.weight @ self.field.at(motion(self.moving.xy_um))) / self.norm
            found.append(_Placement(motion, similarity))
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
        moving = replace(self.moving, xy_um=self.moving.xy_um * flip)
        shared = None if self.shared is None else replace(self.shared, moving_um=self.shared.moving_um * flip)
        return replace(self, moving=moving, shared=shared)


def _choose(found: list[_Placement]) -> _Placement:
    best = found[0]
    for other in found[1:]:
        if other.agreement is None or best.agreement is None or other.similarity < found[0].similarity - _TIE:
            continue
        if other.agreement > best.agreement + LEAD:
            best = other
    return best


def _measure(
    search: _Search, best: _Placement, rivals: list[_Placement], *, seed: int, pitch_um: float
) -> AlignmentQuality:
    moved = search.moving.moved(best.motion)
    residual = outline_residual_um(moved, search.fixed)
    spread = bootstrap_spread_um(search.moving, search.fixed, best.motion, sigma_um=search.sigma_um, seed=seed)
    over = _choose(search.turned_over().placements(asked=3))
    rival = None
    if rivals:
        rival = max(rivals, key=lambda p: p.similarity if p.agreement is None else p.agreement)
    lead = None if rival is None or rival.agreement is None else best.agreement - rival.agreement
    return AlignmentQuality(
        overlap=overlap(moved, search.fixed),
        residual_um=residual,
        residual_pitch=residual / search.sigma_um,
        spread_um=spread,
        spread_pitch=spread / search.sigma_um,
        rival_deg=float("nan") if rival is None else turn_between(rival.motion, best.motion),
        rival_gap=float("nan") if not rivals else best.similarity - max(p.similarity for p in rivals),
        mirror_gap=best.similarity - over.similarity,
        agreement=best.agreement,
        agreement_gap=lead,
        mirror_agreement=over.agreement,
    )
