"""Judge an alignment by itself: how well outlines meet, how stable that is, and what else would fit."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.align.footprint import Field, Footprint, refine

if TYPE_CHECKING:
    from histoscribe.align.transform import Rigid, Transform

__all__ = ["AlignmentQuality", "Verdict", "bootstrap_spread_um", "judge", "outline_residual_um", "overlap"]

Verdict = Literal["ok", "doubtful", "failed"]

#: Overlap (intersection over union) below which outlines are not those of one tissue, or hardly.
OVERLAP = {"failed": 0.60, "doubtful": 0.75}
#: Spread under resampling, in steps of the footprint: half a step moves an observation to its neighbour.
SPREAD = {"failed": 1.5, "doubtful": 0.5}
#: Loss of outline similarity at another angle that is too small to choose by.
RIVAL = 0.01
#: Gain of outline similarity by turning the section over that is more than chance.
MIRROR = 0.01
#: Agreement of genes below which sections show different tissue, and its lead over other angles that is chance.
AGREEMENT = 0.05
LEAD = 0.05

_REPLICATES = 12
#: Side of a block that is weighted as one, in steps.
_BLOCK = 4.0


@dataclass(frozen=True)
class AlignmentQuality:
    """What tells a good alignment from a failed one, without knowing the truth.

    Attributes
    ----------
    overlap
        Intersection over union of the two footprints, 0-1.
    residual_um, residual_pitch
        Mean over both outlines of the distance to the other outline; um, and in observations' distances.
    spread_um, spread_pitch
        Root mean square over resampled blocks of tissue of how far the observations move; um, and in distances.
    rival_deg
        Angle of the best other placement (20 degrees away or more), relative to the one taken; NaN without one.
    rival_gap
        Outline similarity lost there (similarity is 1 for equal footprints); negative where the outline alone would
        have chosen it.
    mirror_gap
        Outline similarity lost by turning the section over; negative where a mirror image fits better.
    agreement, agreement_gap
        Mean correlation of genes between the sections, -1 to 1, and its lead over the best other placement; None
        where a section is unmeasured.
    mirror_agreement
        Agreement of the section turned over, or None.
    image_gain
        Gain of the images' similarity on blocks that were not registered on; None where no image took part.
    verdict, reasons
        ``"ok"``, ``"doubtful"`` or ``"failed"``, and why.
    """

    overlap: float
    residual_um: float
    residual_pitch: float
    spread_um: float
    spread_pitch: float
    rival_deg: float
    rival_gap: float
    mirror_gap: float
    agreement: float | None = None
    agreement_gap: float | None = None
    mirror_agreement: float | None = None
    image_gain: float | None = None
    verdict: Verdict = "ok"
    reasons: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values; what is not a number becomes None."""
        values = asdict(self)
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()} | {
            "reasons": list(self.reasons)
        }


def judge(measured: AlignmentQuality) -> tuple[Verdict, tuple[str, ...]]:
    """Turn the figures into a verdict and its reasons; `measured.verdict` is not looked at."""
    q = measured
    failed, doubtful = [], []
    for value, limits, text in (
        (-q.overlap, {k: -v for k, v in OVERLAP.items()}, f"outlines overlap by {100 * q.overlap:.0f} % only"),
        (q.spread_pitch, SPREAD, f"resampling moves observations by {q.spread_pitch:.2f} of their distance"),
    ):
        if value > limits["doubtful"] or math.isnan(value):
            (failed if value > limits["failed"] or math.isnan(value) else doubtful).append(text)
    if q.agreement is None:
        if q.rival_gap < RIVAL:
            doubtful.append(f"the outline fits as well when turned by {q.rival_deg:.0f} degrees, and no gene can tell")
        if q.mirror_gap < -MIRROR:
            failed.append("the outline fits better turned over: the section may be mirrored")
    else:
        lead = math.inf if q.agreement_gap is None else q.agreement_gap
        if q.agreement < AGREEMENT:
            failed.append(f"genes agree by {q.agreement:.2f} only: another tissue, or another placement")
        elif lead < LEAD:
            doubtful.append(f"genes agree as well when turned by {q.rival_deg:.0f} degrees (lead {lead:.2f})")
        if q.mirror_agreement is not None and q.mirror_agreement > q.agreement + LEAD:
            failed.append("genes agree better turned over: the section is mirrored")
        elif q.mirror_gap < -MIRROR and (q.mirror_agreement or 0.0) > q.agreement - LEAD:
            doubtful.append("the outline fits better turned over, and genes do not rule it out")
    verdict: Verdict = "failed" if failed else "doubtful" if doubtful else "ok"
    return verdict, (*failed, *doubtful)


def overlap(moved: Footprint, fixed: Footprint) -> float:
    """Intersection over union of two footprints in one frame: unions of discs of 0.75 steps around the points, 0-1."""
    step = max(moved.step_um, fixed.step_um)
    low = np.minimum(moved.xy_um.min(0), fixed.xy_um.min(0)) - step
    high = np.maximum(moved.xy_um.max(0), fixed.xy_um.max(0)) + step
    axes = [np.arange(a, b, step / 4) for a, b in zip(low, high, strict=True)]
    cells = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    first, second = (
        np.isfinite(cKDTree(f.xy_um[f.weight >= 0.5]).query(cells, distance_upper_bound=0.75 * step)[0])
        for f in (moved, fixed)
    )
    return float((first & second).sum() / max(1, (first | second).sum()))


def outline_residual_um(moved: Footprint, fixed: Footprint) -> float:
    """Mean distance between the outlines, both ways, um.

    The outline of a footprint is where its smoothed indicator is one half.
    """
    first, second = (_outline(f) for f in (moved, fixed))
    if not (len(first) and len(second)):
        return float("nan")
    return float((cKDTree(second).query(first)[0].mean() + cKDTree(first).query(second)[0].mean()) / 2)


def _outline(footprint: Footprint) -> np.ndarray:
    """Points on the outline: where the field crosses half of its inner value between two grid points."""
    smooth = Field([footprint], sigma_um=0.6 * footprint.step_um)
    values = smooth.values
    level = 0.5 * np.median(smooth.at(footprint.xy_um))
    inner = values > level
    points = []
    for axis in (0, 1):
        one, two = (np.moveaxis(values, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        a, b = (np.moveaxis(inner, axis, 0)[part] for part in (slice(None, -1), slice(1, None)))
        i, j = np.nonzero(a != b)
        share = (level - one[i, j]) / (two[i, j] - one[i, j])
        crossing = np.stack([i + share, j], axis=1)
        points.append(crossing[:, ::-1] if axis == 0 else crossing)
    return smooth.origin + np.concatenate(points) * smooth.step


def bootstrap_spread_um(moving: Footprint, fixed: Footprint, motion: Rigid, *, sigma_um: float, seed: int) -> float:
    """How far observations move when blocks of tissue are weighted anew, um: root mean square.

    Each block of 4 x 4 steps draws one exponential weight (the Bayesian bootstrap, Rubin 1981) for what both sections
    have there: a motion that rests on few blocks, or on blocks that contradict each other, moves.
    """
    rng = np.random.default_rng(seed)
    moved = motion(moving.xy_um)
    low = np.minimum(moved.min(0), fixed.xy_um.min(0))
    side = _BLOCK * max(moving.step_um, fixed.step_um)
    blocks = [np.floor((xy - low) / side).astype(np.int64) for xy in (moved, fixed.xy_um)]
    shape = np.max([b.max(0) for b in blocks], axis=0) + 1
    squares = []
    for _ in range(_REPLICATES):
        weight = rng.exponential(size=shape)
        one, two = (
            Footprint(f.xy_um, f.weight * weight[b[:, 0], b[:, 1]], f.step_um)
            for f, b in zip((moving, fixed), blocks, strict=True)
        )
        found: Transform = refine(one, Field([two], sigma_um=sigma_um), motion)
        squares.append(((found(moving.xy_um) - moved) ** 2).sum(1).mean())
    return float(np.sqrt(np.mean(squares)))
