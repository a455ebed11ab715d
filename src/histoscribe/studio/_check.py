"""Check what must be known before a prediction: whether places, scale, species and encoder fit the bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from PIL import Image, ImageDraw

from histoscribe.core.errors import HistoScribeError
from histoscribe.core.files import atomic_path
from histoscribe.io import read_spec
from histoscribe.methods.apply import _check_encoder, _check_scale, _check_species
from histoscribe.studio._error import parts_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from histoscribe.core.section import Section
    from histoscribe.methods.bundle import Bundle

__all__ = ["Checked", "Finding", "run_check"]

Level = Literal["ok", "warn", "wrong"]
_OVERLAY_PX = 1000


@dataclass(frozen=True)
class Finding:
    """One finding: what, where, what to do, how bad."""

    what: str
    where: str
    todo: str
    level: Level


@dataclass(frozen=True)
class Checked:
    """All findings, the worst of their levels, and whether an overlay was drawn."""

    ok: Level
    findings: list[Finding]
    drawn: bool


def run_check(spec: str, bundle: Bundle, overlay: Path) -> Checked:
    """Check an item against a bundle and draw where would be predicted.

    Parameters
    ----------
    spec
        Section or slide.
    bundle
        What would predict.
    overlay
        PNG to write.
    """
    try:
        section = read_spec(spec)
    except HistoScribeError as err:
        parts = parts_of(err, where="the slide")
        return Checked("wrong", [Finding(parts.what, parts.where, parts.todo, "wrong")], drawn=False)
    findings = [f for f in (_species(bundle, section), _scale(bundle, section), _encoder(bundle)) if f]
    drawn = False
    if section.slide is not None:
        found, drawn = _places(section, bundle, overlay)
        findings += found
        section.slide.close()
    levels = [f.level for f in findings]
    worst: Level = "wrong" if "wrong" in levels else "warn" if "warn" in levels else "ok"
    return Checked(worst, findings, drawn)


def _species(bundle: Bundle, section: Section) -> Finding | None:
    wrong = _tried(lambda: _check_species(bundle, section.species, section.name), section.name)
    trained = bundle.provenance.get("species")
    if wrong is None and trained and section.species is None:
        what = f"the species of the slide is not stated; the bundle was trained on {trained}."
        return Finding(what, section.name, "Make sure that it is the same.", "warn")
    return wrong


def _scale(bundle: Bundle, section: Section) -> Finding | None:
    trained = bundle.predictor.read_mpp
    if trained is None:
        return None
    said = []
    wrong = _tried(lambda: said.append(_check_scale(trained, section, rescale=False)), section.name)
    return wrong or Finding(f"the resolution {said[0]}.", section.name, "", "ok")


def _encoder(bundle: Bundle) -> Finding | None:
    if bundle.predictor.spec_ is None:
        return None
    return _tried(lambda: _check_encoder(bundle), "bundle")


def _tried(work: Callable[[], object], where: str) -> Finding | None:
    try:
        work()
    except HistoScribeError as err:
        parts = parts_of(err, where=where)
        return Finding(parts.what, parts.where, parts.todo, "wrong")
    return None


def _places(section: Section, bundle: Bundle, overlay: Path) -> tuple[list[Finding], bool]:
    if section.n_obs:
        return _observations(section, overlay)
    from histoscribe.tiles import tile

    spec = bundle.predictor.spec_
    side = 100.0 if spec is None else float(min(spec.geometry["sides_um"]))
    try:
        grid = tile(section, side)
    except HistoScribeError as err:
        parts = parts_of(err, where=section.name)
        return [Finding(parts.what, parts.where, parts.todo, "wrong")], False
    _draw_grid(grid, side, overlay)
    return [
        Finding(f"{grid.n_obs} places on tissue, {side:g} um apart, would be predicted.", section.name, "", "ok")
    ], True


def _observations(section: Section, overlay: Path) -> tuple[list[Finding], bool]:
    from histoscribe.tiles.check import check

    report = check(section)
    level: Level = {"ok": "ok", "cannot tell": "warn", "wrong": "wrong"}[report.verdict]  # type: ignore[assignment]
    todo = "" if report.ok else "Look at the picture: do the places lie on the tissue they should lie on?"
    findings = [Finding(report.reason, section.name, todo, level)]
    for problem in report.problems:
        parts = parts_of(HistoScribeError(problem), where=section.name)
        findings.append(Finding(parts.what, parts.where, parts.todo, level))
    report.overlay(overlay)
    return findings, True


def _draw_grid(section: Section, side_um: float, overlay: Path) -> None:
    assert section.slide is not None
    pixels = section.slide.thumbnail(max_px=_OVERLAY_PX)
    image = Image.fromarray(np.array(pixels))
    scale = image.width / section.slide.size[0]
    half = side_um / section.mpp / 2 * scale
    draw = ImageDraw.Draw(image)
    for x, y in section.xy * scale:
        draw.rectangle((x - half, y - half, x + half, y + half), outline="#0072b2")
    with atomic_path(overlay) as temporary:
        image.save(temporary, format="PNG")
