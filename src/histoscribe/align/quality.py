"""Judge an alignment by itself: how well outlines meet, how stable that is, and what else would fit."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from histoscribe.align.match import Match

if TYPE_CHECKING:
    from histoscribe.align.footprint import Footprint
    from histoscribe.align.transform import Rigid

__all__ = ["AlignmentQuality", "Verdict", "bootstrap_spread_um", "judge"]

Verdict = Literal["ok", "doubtful", "failed"]

#: Overlap (intersection over union) below which outlines are not those of one tissue, or hardly.
OVERLAP = {"failed": 0.60, "doubtful": 0.75}
#: Spread under resampling, in steps of the footprint: half a step moves an observation to its neighbour.
SPREAD = {"failed": 1.5, "doubtful": 0.5}
#: Expected error, in steps: what was seen of it is in docs/howto/align_a_stack.md.
PRECISION = {"failed": 1.5, "doubtful": 0.4}
#: Share of the outline that an array's edge may cut before too little is left of the tissue's own.
CUT = {"failed": 0.7, "doubtful": 0.4}
#: Loss of outline similarity at another angle that is too small to choose by.
RIVAL = 0.01
#: Gain of outline similarity by turning the section over that is more than chance.
MIRROR = 0.01
#: Agreement of genes below which sections show different tissue, and its lead over other angles that is chance.
AGREEMENT = 0.05
LEAD = 0.05

_REPLICATES = 20
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
    cut
        Share of the outline (of the section where it is larger) at the edge of the capture area, 0-1.
    precision_pitch, precision_deg
        Estimated standard error of the motion: root mean square movement of the observations, in their distances, and
        degrees (see `precision`).
    agreement, agreement_gap
        Mean correlation of genes between the sections, -1 to 1, and its lead over the best other placement; None
        where a section is unmeasured.
    mirror_agreement
        Agreement of the section turned over, or None.
    image_gain
        Gain of the images' correlation on tissue that was not registered on (0 where the motion found from the
        observations was kept); None where no image took part.
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
    cut: float = 0.0
    precision_pitch: float = float("nan")
    precision_deg: float = float("nan")
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
        (q.cut, CUT, f"{100 * q.cut:.0f} % of the outline is the edge of the capture area, not of the tissue"),
        (q.precision_pitch, PRECISION, f"the motion is precise to {q.precision_pitch:.2f} of their distance only"),
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
            replace(f, weight=f.weight * weight[b[:, 0], b[:, 1]]) for f, b in zip((moving, fixed), blocks, strict=True)
        )
        found = Match(one, two, sigma_um=sigma_um).refine(motion)
        squares.append(((found(moving.xy_um) - moved) ** 2).sum(1).mean())
    return float(np.sqrt(np.mean(squares)))
