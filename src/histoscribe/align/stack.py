"""Align the sections of one donor into a stack: pairs of neighbours, chained to a reference, then made consistent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.align.expression import Maps, shared_maps, smooth_genes
from histoscribe.align.footprint import Footprint
from histoscribe.align.match import Match
from histoscribe.align.pair import Genes, PairAlignment, align_pair, pitch_of
from histoscribe.align.transform import Affine, Rigid
from histoscribe.core.errors import DataError
from histoscribe.core.progress import progress
from histoscribe.core.stack import Stack

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.align.image import Images
    from histoscribe.core.section import Section

__all__ = ["align_stack", "chain"]

#: Distance of sections whose depth is not given, um: thickness of a cryosection.
SECTION_UM = 10.0
#: Rounds over the stack, at most; and the movement (share of the observations' distance) that ends them.
_ROUNDS = 10
_SETTLED = 0.01


def align_stack(
    sections: Sequence[Section],
    *,
    z_um: Sequence[float] | None = None,
    reference: int | Literal["middle"] = 0,
    genes: Genes = "auto",
    images: Images = "never",
    consistent: bool = True,
    seed: int = 0,
) -> tuple[Stack, list[PairAlignment]]:
    """Align the sections of one donor into one frame.

    Each section is aligned to its neighbour on the side of the reference (`align_pair`), and the motions are chained.
    Then, as errors add up along a chain, every section but the reference is refined against all others at once, round
    by round, until none moves by more than a hundredth of the observations' distance.

    Parameters
    ----------
    sections
        Two or more, in order of depth, of one donor.
    z_um
        Depth of each, increasing, um; by default 10 um apart (a guess: give them where they are known).
    reference
        Index of the section that stays where it is, or ``"middle"``.
    genes
        ``"auto"`` lets genes choose among angles that fit the outline; ``"place"`` lets them move the fine position,
        too; ``"never"`` uses outlines alone.
    images
        ``"intensity"``, ``"keypoints"`` or ``"auto"`` register the images of neighbours that have slides, from the
        motion found without (`register_images`; needs ``histoscribe[registration]``); ``"never"`` does not.
    consistent
        False leaves the chained motions as they are. Where an image registration was kept they always stay: outlines
        are coarser than images.
    seed
        Of the resampling that measures stability.

    Returns
    -------
    The stack, in the frame of the reference (um from its slide's top-left corner), and one report for each pair of
    neighbours, in order of depth. Failed pairs do not stop the work: look at ``report.quality.verdict``.

    Raises
    ------
    DataError
        If there are fewer than 2 sections, two share a name, or `reference` is none of them.
    CoordinateError
        If donors differ or depths do not increase.
    """
    sections = list(sections)
    n = len(sections)
    if n < 2:
        msg = f"{n} sections make no stack. Give at least 2 sections of one donor."
        raise DataError(msg)
    names = [s.name for s in sections]
    if len(set(names)) < n:
        msg = f"sections {', '.join(names)} do not all have their own name. Give each its own: ?name=<name>."
        raise DataError(msg)
    middle = n // 2 if reference == "middle" else reference
    if not (isinstance(middle, int) and -n <= middle < n):
        msg = f"reference {reference!r} is none of the {n} sections. Give 0 to {n - 1}, or 'middle'."
        raise DataError(msg)
    middle %= n
    depths = np.arange(n) * SECTION_UM if z_um is None else np.asarray(z_um, dtype=np.float64)
    # Before the work: a stack of two donors is refused at once.
    Stack(tuple(sections), tuple(s.xy_um for s in sections), depths)
    reports = []
    with progress("align", n - 1, unit="pairs") as advance:
        for i in range(n - 1):
            # Each section moves towards the reference.
            moving, fixed = (i, i + 1) if i < middle else (i + 1, i)
            reports.append(align_pair(sections[moving], sections[fixed], genes=genes, images=images, seed=seed))
            advance(1)
    motions = chain([r.motion for r in reports], reference=middle, centre=sections[middle].xy_um.mean(0))
    if consistent and n > 2 and all(r.source == "observations" for r in reports):
        motions = _agree(sections, motions, reference=middle, genes=genes)
    return Stack(tuple(sections), tuple(m(s.xy_um) for m, s in zip(motions, sections, strict=True)), depths), reports


def chain(pairs: Sequence[Rigid | Affine], *, reference: int, centre: np.ndarray) -> list[Rigid | Affine]:
    """Compose motions between neighbours into motions to the reference.

    Parameters
    ----------
    pairs
        Motion `i` belongs to sections `i` and `i + 1` and points towards the reference.
    reference
        Index of the reference.
    centre
        ``(2,)`` centre of the reference, um.

    Returns
    -------
    One motion for each section; the reference's does nothing.
    """
    motions: list[Rigid | Affine] = [Rigid(0.0, centre, np.zeros(2), 1.0)] * (len(pairs) + 1)
    for i in range(reference + 1, len(motions)):
        motions[i] = pairs[i - 1].then(motions[i - 1])
    for i in range(reference - 1, -1, -1):
        motions[i] = pairs[i].then(motions[i + 1])
    return motions


def _agree(sections: Sequence[Section], motions: list[Rigid], *, reference: int, genes: str) -> list[Rigid]:
    """Refine each section against all others, in turn, until they settle."""
    pitch = pitch_of(*sections)
    prints = [Footprint.of(s, pitch_um=pitch) for s in sections]
    sigma = max(p.step_um for p in prints)
    chosen = smooth_genes(*sections) if genes == "place" else None
    maps = None if chosen is None else shared_maps(chosen)
    motions = list(motions)
    for _ in range(_ROUNDS):
        furthest = 0.0
        for i in (i for i in range(len(sections)) if i != reference):
            others = [k for k in range(len(sections)) if k != i]
            fixed = Footprint.joined([prints[k].moved(motions[k]) for k in others])
            both = None if maps is None else (maps[i], Maps.joined([maps[k].moved(motions[k]) for k in others]))
            found = Match(prints[i], fixed, maps=both, sigma_um=sigma).refine(motions[i])
            path = np.linalg.norm(found(prints[i].xy_um) - motions[i](prints[i].xy_um), axis=1)
            furthest = max(furthest, float(path.max()))
            motions[i] = found
        if furthest < _SETTLED * sigma:
            break
    return motions
