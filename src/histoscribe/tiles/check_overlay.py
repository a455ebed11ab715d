"""Overlay: observations at true size on the slide, so that a person can judge what `check` found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.errors import SlideError
from histoscribe.core.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from histoscribe.tiles.check import Candidate, CheckReport

__all__ = ["overlay", "overlay_figure"]

#: Okabe and Ito: told apart with every common colour blindness, and on pink tissue.
ON, OFF = "#0072B2", "#E69F00"
_MAX_PX, _MAX_DRAWN = 1200, 20_000


def overlay(report: CheckReport, path: Path | str) -> Path:
    """Write the figure of `overlay_figure` as PNG, atomically, and return its path."""
    figure, path = overlay_figure(report), Path(path)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
    return path


def overlay_figure(report: CheckReport) -> Figure:
    """Draw the observations as recorded and, where another transformation fits better, as suggested.

    Raises
    ------
    SlideError
        If the section has no slide.
    """
    from matplotlib.figure import Figure

    section = report.section
    if section.slide is None:
        msg = f"section {section.name!r} has no slide to draw on. Read it with an image."
        raise SlideError(msg)
    thumbnail = section.slide.thumbnail(max_px=_MAX_PX)
    shown = [report.recorded, *([report.suggestion] if report.suggestion else [])]
    height, width = thumbnail.shape[:2]
    figure = Figure(figsize=(6.4 * len(shown), 6.4 * height / width + 1.0), layout="constrained")
    for axes, candidate in zip(np.atleast_1d(figure.subplots(1, len(shown))), shown, strict=True):
        title = "as recorded" if candidate is report.recorded else candidate.name
        z = "" if candidate.z is None else f", local agreement z = {candidate.z:.1f}"
        axes.set_title(f"{title}\n{candidate.share:.1%} of {section.n_obs} on tissue{z}", fontsize=10)
        _draw(axes, report, candidate, thumbnail)
    figure.suptitle(f"{section.name}: {report.verdict}", fontsize=13, fontweight="bold")
    return figure


def _draw(axes: Axes, report: CheckReport, candidate: Candidate, thumbnail: Any) -> None:
    from matplotlib.collections import EllipseCollection
    from matplotlib.patches import Patch

    section = report.section
    assert section.slide is not None
    width, height = section.slide.size
    axes.imshow(thumbnail, extent=(0, width, height, 0), interpolation="bilinear")
    xy = candidate.transformation(section.xy, section.slide.size)
    on = report.on_tissue(candidate)
    few = np.random.default_rng(0).permutation(len(xy))[:_MAX_DRAWN]
    # Cells have no size of their own; 10 um is that of a nucleus.
    diameter = (section.spot_um or 10.0) / section.mpp
    for mask, colour in ((on[few], ON), (~on[few], OFF)):
        size = np.full(int(mask.sum()), max(diameter, width / 200))
        circles = EllipseCollection(
            size, size, np.zeros_like(size), units="x", offsets=xy[few][mask], transOffset=axes.transData
        )
        circles.set(facecolor=(*_rgb(colour), 0.25), edgecolor=colour, linewidth=0.9)
        axes.add_collection(circles)
    # What lies outside the image stays visible, within reason.
    low = np.maximum(np.minimum(xy.min(0), 0), (-width, -height))
    high = np.minimum(np.maximum(xy.max(0), (width, height)), (2 * width, 2 * height))
    axes.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]), xticks=[], yticks=[])
    _scale_bar(axes, section.mpp)
    handles = [Patch(color=ON, label="on tissue"), Patch(color=OFF, label="off tissue or outside")]
    axes.legend(handles=handles, loc="upper right", fontsize=8, framealpha=0.85)


def _rgb(colour: str) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    return to_rgb(colour)


def _scale_bar(axes: Axes, mpp: float) -> None:
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    # A round length of about a fifth of the picture.
    target = (right - left) * mpp / 5
    length = max(step for step in (1, 2, 5) if step * 10 ** np.floor(np.log10(target)) <= target)
    length *= 10 ** np.floor(np.log10(target))
    x, y = left + 0.04 * (right - left), bottom - 0.05 * (bottom - top)
    # White below black, to be seen on glass, tissue and black masks alike.
    for colour, width in (("white", 6), ("black", 3)):
        axes.plot([x, x + length / mpp], [y, y], color=colour, linewidth=width, solid_capstyle="butt")
    text = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
    box = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1}
    axes.text(
        x + length / mpp / 2,
        y - 0.015 * (bottom - top),
        text,
        ha="center",
        va="bottom",
        fontsize=9,
        bbox=box,
        color="black",
    )
