"""Check: whether a section's observations lie where they should, and which transformation would put them there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, ScaleError, SlideError
from histoscribe.tiles.check_agreement import agreement
from histoscribe.tiles.check_search import Outline, rescaled, shifted
from histoscribe.tiles.check_transform import IDENTITY, Transformation, pitch_px, symmetries

if TYPE_CHECKING:
    from pathlib import Path

    from histoscribe.core.section import Section
    from histoscribe.tiles.check_agreement import Agreement

__all__ = ["Candidate", "CheckReport", "Verdict", "check"]

Verdict = Literal["ok", "wrong", "cannot tell"]

#: z above which the recorded coordinates count as confirmed. Over the real sections that this was measured on, 7 wrong
#: symmetries each never passed 3.2.
CONFIRMED = 5.0
#: z that another transformation needs to replace them; more, because many are tried.
REPLACED = 6.0
#: Without local agreement, another symmetry must put this much more of the observations on tissue to be believed, and
#: the recorded coordinates must be this much better than any other symmetry to be believed themselves.
SHARE_MARGIN = 0.1
#: Observations must cover this share of the tissue before the outline may speak for them: a placement that has
#: collapsed into a corner of the tissue would pass otherwise.
MIN_RECALL = 0.3
#: Pitch may differ from the platform's by this share.
PITCH_TOLERANCE = 0.05


@dataclass(frozen=True)
class Candidate:
    """One way of placing the observations.

    Attributes
    ----------
    transformation
        How the recorded coordinates are changed.
    share
        Share of the observations whose centre lies on tissue, 0-1; those outside the image count as off.
    inside
        Share inside the image, 0-1.
    z
        Local agreement with the image in standard deviations of wrong places, or None.
    """

    transformation: Transformation
    share: float
    inside: float
    z: float | None = None

    @property
    def name(self) -> str:
        """What is done to the coordinates."""
        return self.transformation.name

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        z = None if self.z is None or not np.isfinite(self.z) else round(self.z, 2)
        return {"name": self.name, "share_on_tissue": round(self.share, 4), "inside": round(self.inside, 4), "z": z}


@dataclass(frozen=True)
class CheckReport:
    """What `check` found.

    Attributes
    ----------
    verdict
        "ok": the coordinates are confirmed. "wrong": something is; see `problems`. "cannot tell": nothing contradicts
        the coordinates, but neither tissue outline nor local agreement tells them from a mirror image.
    reason
        The evidence for the verdict, one sentence.
    recorded
        The coordinates as they are.
    suggestion
        The transformation that fits better, or None.
    candidates
        All symmetries tried, the recorded coordinates first.
    pitch_um, expected_pitch_um
        Distance between neighbours as the coordinates have it, and as the platform has it, um.
    problems
        One line each: what is wrong and what to do.
    evidence
        Kind of local agreement used, or why there is none.
    outline
        The tissue that was compared with; draws the overlay.
    """

    section: Section = field(repr=False)
    verdict: Verdict
    reason: str
    recorded: Candidate
    suggestion: Candidate | None
    candidates: tuple[Candidate, ...]
    pitch_um: float | None
    expected_pitch_um: float | None
    problems: tuple[str, ...]
    evidence: str
    outline: Outline | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """True where the coordinates are confirmed (not merely uncontradicted)."""
        return self.verdict == "ok"

    @property
    def share_on_tissue(self) -> float:
        """Share of the observations whose centre lies on tissue, 0-1."""
        return self.recorded.share

    def apply(self, section: Section) -> Section:
        """Return `section` with the suggested transformation applied (itself where there is none); tiles are dropped.

        Where the scale changes and the platform's pitch is known, um/px follows from it.
        """
        if self.suggestion is None:
            return section
        assert section.slide is not None
        transformation = self.suggestion.transformation
        table = section.table.copy()
        table.obsm[keys.SPATIAL] = transformation(section.xy, section.slide.size)
        moved = section.replace(table=table, grid=None)
        pitch = pitch_px(moved)
        if transformation.scale != 1 and pitch is not None and self.expected_pitch_um is not None:
            moved = moved.replace(mpp=self.expected_pitch_um / pitch)
        return moved

    def on_tissue(self, candidate: Candidate) -> np.ndarray:
        """Return ``(n,)`` bool: which observations lie on tissue if they are placed as `candidate` says."""
        if self.outline is None or self.section.slide is None:
            return np.zeros(self.section.n_obs, dtype=bool)
        return self.outline.on(candidate.transformation(self.section.xy, self.section.slide.size))

    def raise_for_problems(self) -> CheckReport:
        """Return the report, or raise where something is wrong; "cannot tell" passes.

        Raises
        ------
        CoordinateError
            Naming every problem.
        """
        if self.problems:
            msg = f"section {self.section.name!r}: {' '.join(self.problems)}"
            raise CoordinateError(msg)
        return self

    def overlay(self, path: Path | str) -> Path:
        """Draw the observations on the slide as PNG; beside them the suggestion, where there is one."""
        from histoscribe.tiles.check_overlay import overlay

        return overlay(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "section": self.section.name,
            "verdict": self.verdict,
            "ok": self.ok,
            "reason": self.reason,
            "n_obs": self.section.n_obs,
            "mpp": self.section.mpp,
            "share_on_tissue": round(self.recorded.share, 4),
            "inside": round(self.recorded.inside, 4),
            "pitch_um": None if self.pitch_um is None else round(self.pitch_um, 3),
            "expected_pitch_um": self.expected_pitch_um,
            "evidence": self.evidence,
            "z": self.recorded.to_dict()["z"],
            "problems": list(self.problems),
            "suggestion": None if self.suggestion is None else self.suggestion.to_dict(),
            "candidates": [c.to_dict() for c in self.candidates],
        }


def check(section: Section) -> CheckReport:
    """Judge whether observations lie where they should on the slide.

    Two independent witnesses are heard for the recorded coordinates and the seven other symmetries of the image. Local
    agreement (see `histoscribe.tiles.check_agreement`) decides where it speaks; the share of observations on tissue
    decides elsewhere, where it differs clearly between the symmetries. Where the recorded coordinates fail, other
    scales and small shifts are searched. The pitch in um is compared with the platform's.

    Parameters
    ----------
    section
        A section with a slide. Read it with ``outside="keep"`` where observations may lie outside the image.

    Returns
    -------
    CheckReport
    """
    if section.slide is None or not section.n_obs:
        lacking = "no slide" if section.slide is None else "no observations"
        nothing = Candidate(IDENTITY, float("nan"), float("nan"))
        reason = f"the section has {lacking}, so there is nothing to compare"
        return CheckReport(section, "cannot tell", reason, nothing, None, (), None, None, (), "none")
    outline, lost = _outline(section)
    evidence = agreement(section)
    recorded = _place(section, IDENTITY, outline, evidence)
    rivals = tuple(_place(section, t, outline, None) for t in list(symmetries())[1:])
    confirmed = recorded.z is not None and recorded.z >= CONFIRMED
    pitch_wrong = bool(_pitch_problem(section, confirmed=confirmed))
    suggestion, reason = None, f"{_percent(recorded.share)} on tissue; {_z_text(recorded, evidence)}"
    if not confirmed:
        suggestion = _symmetry(section, recorded, rivals, outline, evidence) or _searched(
            section, recorded, outline, evidence, rescale=pitch_wrong
        )
    problems = [*_pitch_problem(section, confirmed=confirmed), *_place_problem(recorded, suggestion)]
    if lost is not None and not confirmed:
        problems.append(f"{lost} (Here the whole image is taken for tissue.)")
    by_share = not confirmed and _outline_decides(recorded, rivals, outline)
    verdict: Verdict = "wrong" if problems else "ok" if confirmed or by_share else "cannot tell"
    if verdict == "ok" and by_share:
        reason += "; every mirror image puts clearly fewer on tissue"
    elif verdict == "cannot tell":
        reason += (
            "; the outline of the tissue does not decide either"
            if recorded.share >= 0.9
            else "; look at the overlay (--overlay)"
        )
    pitch = pitch_px(section)
    return CheckReport(
        section=section,
        verdict=verdict,
        reason=reason,
        recorded=recorded,
        suggestion=suggestion,
        candidates=(recorded, *rivals),
        pitch_um=None if pitch is None else pitch * section.mpp,
        expected_pitch_um=section.pitch_um,
        problems=tuple(problems),
        evidence=evidence.kind if evidence is not None else "share on tissue only",
        outline=outline,
    )


def _outline(section: Section) -> tuple[Outline, str | None]:
    """Return the outline of the tissue; where none is found, of the whole image, and what was said.

    At a um/px that is wrong by a factor the mask takes tissue for specks, so its failure must not end the check.
    """
    from histoscribe.tiles import section_mask

    try:
        mask = section_mask(section)
    except (SlideError, ScaleError) as err:
        assert section.slide is not None
        width, height = section.slide.size
        area = width * height * section.mpp**2
        whole = Outline(section, lambda xy: np.ones(len(xy), dtype=bool), area, found=False)
        return whole, str(err)
    return Outline(section, mask.at, mask.area_um2), None


def _place(section: Section, t: Transformation, outline: Outline, evidence: Agreement | None) -> Candidate:
    assert section.slide is not None
    xy = t(section.xy, section.slide.size)
    z = None if evidence is None else evidence.z(xy, scale=t.scale)
    z = None if z is None or not np.isfinite(z) else z
    return Candidate(t, float(outline.on(xy).mean()), float(outline.inside(xy).mean()), z)


def _symmetry(
    section: Section,
    recorded: Candidate,
    rivals: tuple[Candidate, ...],
    outline: Outline,
    evidence: Agreement | None,
) -> Candidate | None:
    """Return the symmetry that fits clearly better than the recorded coordinates, or None."""
    assert section.slide is not None
    size = section.slide.size
    if evidence is not None:
        values = [evidence.statistic(r.transformation(section.xy, size)) for r in rivals]
        if np.isfinite(values).any():
            best = _place(section, rivals[int(np.nanargmax(values))].transformation, outline, evidence)
            # On glass nothing varies but dust, and a few correlations of dust can look strong.
            if best.z is not None and best.z >= REPLACED and best.share >= recorded.share - SHARE_MARGIN:
                return best
    best = max(rivals, key=lambda r: r.share)
    gained = outline.on(best.transformation(section.xy, size)).astype(int) - outline.on(section.xy)
    changed = int(np.abs(gained).sum())
    # McNemar's test; 4 standard errors because neighbouring observations are not independent.
    clear = changed > 0 and gained.sum() / np.sqrt(changed) >= 4 and best.share - recorded.share >= SHARE_MARGIN
    fits = best.share >= 0.7 and outline.recall(best.share) >= MIN_RECALL
    return _place(section, best.transformation, outline, evidence) if clear and fits else None


def _searched(
    section: Section, recorded: Candidate, outline: Outline, evidence: Agreement | None, *, rescale: bool
) -> Candidate | None:
    """Return another scale, or a shift, where the recorded coordinates cannot be right or cannot be confirmed."""
    found = None
    collapsed = outline.recall(recorded.share) < MIN_RECALL
    # A section that merely slipped keeps most of its observations on tissue.
    slipped = not rescale and recorded.share >= 0.5
    if slipped:
        found = shifted(section, evidence)
    if found is None and (rescale or recorded.inside < 1 or recorded.share < 0.5 or collapsed):
        found = rescaled(section, outline, evidence)
    if found is None and not slipped:
        found = shifted(section, evidence)
    if found is None:
        return None
    candidate = _place(section, found, outline, evidence)
    # Of 169 shifts one may agree by chance (1 in 200 simulated sections without signal); it then leaves the tissue.
    return candidate if candidate.share >= recorded.share - 0.02 else None


def _outline_decides(recorded: Candidate, rivals: tuple[Candidate, ...], outline: Outline) -> bool:
    """Tell whether the outline of the tissue alone speaks for the recorded coordinates."""
    best = max(r.share for r in rivals)
    covered = outline.recall(recorded.share) >= MIN_RECALL
    return (
        outline.found
        and recorded.inside == 1
        and recorded.share >= 0.9
        and covered
        and recorded.share - best >= SHARE_MARGIN
    )


def _pitch_problem(section: Section, *, confirmed: bool) -> list[str]:
    pitch, expected = pitch_px(section), section.pitch_um
    if pitch is None or expected is None or abs(pitch * section.mpp / expected - 1) <= PITCH_TOLERANCE:
        return []
    cure = f"um/px should be {expected / pitch:.4g}" if confirmed else "um/px or the coordinates' scale is wrong"
    return [
        f"neighbours are {pitch * section.mpp:.4g} um apart at {section.mpp:.4g} um/px, but {expected:.4g} um on this "
        f"array: {cure}."
    ]


def _place_problem(recorded: Candidate, suggestion: Candidate | None) -> list[str]:
    problems = []
    if recorded.inside < 1:
        problems.append(f"{_percent(1 - recorded.inside)} of the observations lie outside the image.")
    if suggestion is not None:
        problems.append(
            f"{_percent(recorded.share)} of the observations lie on tissue as recorded, {_percent(suggestion.share)} "
            f"after this change, which fits the image better: {suggestion.name}."
        )
    elif recorded.share < 0.5 and (recorded.z is None or recorded.z < CONFIRMED):
        problems.append(
            f"only {_percent(recorded.share)} of the observations lie on tissue, and no swap, flip, scale or shift "
            "that was tried fits. Check that image and coordinates belong together."
        )
    return problems


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _z_text(recorded: Candidate, evidence: Agreement | None) -> str:
    if evidence is None or recorded.z is None:
        return "local agreement with the image cannot be measured"
    strength = "confirms" if recorded.z >= CONFIRMED else "does not confirm"
    return f"{evidence.kind} {strength} the place (z = {recorded.z:.1f})"
