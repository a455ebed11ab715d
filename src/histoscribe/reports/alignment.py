"""Pictures of an alignment: outlines before and after, and the two images over each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from scipy.ndimage import gaussian_filter

from histoscribe.align.footprint import Field, Footprint
from histoscribe.align.picture import section_picture, warp_picture
from histoscribe.reports._draw import legible
from histoscribe.reports._view import scale_bar_um

if TYPE_CHECKING:
    from histoscribe.align.pair import PairAlignment
    from histoscribe.align.transform import Transform
    from histoscribe.core.section import Section

__all__ = ["alignment_figure", "overlay"]

#: Green and magenta of equal lightness; both kinds of red-green blindness tell them apart (Okabe and Ito 2008).
_MOVING, _FIXED = "#009E73", "#B4378C"
_PICTURE_PX = 700
_CHECKS = 8


def alignment_figure(moving: Section, fixed: Section, report: PairAlignment) -> Figure:
    """Draw a pair before and after alignment.

    Outlines and observations of both sections in the frame of the fixed one: before (centres put together, not
    turned) and after. Where both have slides, also the images after alignment, darkness of one in green and of the
    other in magenta (grey where they agree), and as a checkerboard.

    Parameters
    ----------
    moving, fixed
        The sections of `report`.
    report
        What `align_pair` returned.

    Returns
    -------
    A `matplotlib.figure.Figure` that belongs to no pyplot state.
    """
    slides = moving.slide is not None and fixed.slide is not None
    figure = Figure(figsize=(4.2 * (4 if slides else 2), 4.9), dpi=130, layout="constrained")
    axes = figure.subplots(1, 4 if slides else 2)
    shift = fixed.xy_um.mean(0) - moving.xy_um.mean(0)
    frame = np.concatenate([fixed.xy_um, report.motion(moving.xy_um), moving.xy_um + shift])
    low, high = frame.min(0) - report.pitch_um, frame.max(0) + report.pitch_um
    _places(axes[0], moving, fixed, lambda xy: xy + shift, report.pitch_um)
    axes[0].set_title("before: centres put together", fontsize=9)
    _places(axes[1], moving, fixed, report.motion, report.pitch_um)
    axes[1].set_title("after", fontsize=9)
    if slides:
        _images(axes[2:], moving, fixed, report.motion)
    for ax in axes:
        ax.set_xlim(low[0], high[0])
        ax.set_ylim(high[1], low[1])
        ax.set_aspect("equal")
        ax.set_axis_off()
    _scale_bar(axes[1], low, high)
    figure.suptitle(_title(moving, fixed, report), fontsize=9, parse_math=False)
    return figure


def _title(moving: Section, fixed: Section, report: PairAlignment) -> str:
    q = report.quality
    genes = "" if q.agreement is None else f", genes agree by {q.agreement:.2f}"
    images = "" if q.image_gain is None else f", images gain {q.image_gain:+.3f}"
    stable = f"spread {q.spread_um:.0f} µm ({q.spread_pitch:.2f} pitch)"
    figures = f"overlap {100 * q.overlap:.0f} %, {stable}{genes}{images}"
    lines = [
        f"{legible(moving.name)} (green) to {legible(fixed.name)} (magenta), by {report.source}: {q.verdict.upper()}",
        figures,
        *q.reasons,
    ]
    return "\n".join(lines)


def _places(ax: Any, moving: Section, fixed: Section, motion: Any, pitch_um: float) -> None:
    for section, move, colour, size in ((fixed, None, _FIXED, 9.0), (moving, motion, _MOVING, 4.0)):
        xy = section.xy_um if move is None else move(section.xy_um)
        ax.scatter(*xy.T, s=size, c=colour, linewidths=0, alpha=0.5, rasterized=len(xy) > 3000)
        whole = Footprint.of(section, pitch_um=pitch_um)
        placed = Footprint(whole.xy_um if move is None else move(whole.xy_um), whole.weight, whole.step_um)
        smooth = Field(placed, sigma_um=0.6 * placed.step_um)
        level = 0.5 * float(np.median(smooth.at(placed.xy_um)))
        h, w = smooth.values.shape
        ax.contour(
            smooth.origin[0] + np.arange(w) * smooth.step,
            smooth.origin[1] + np.arange(h) * smooth.step,
            smooth.values,
            levels=[level],
            colors=[colour],
            linewidths=1.6,
        )


def _images(axes: Any, moving: Section, fixed: Section, motion: Transform) -> None:
    over, checks, extent = overlay(moving, fixed, motion)
    axes[0].imshow(over, extent=extent)
    axes[0].set_title("images over each other", fontsize=9)
    axes[1].imshow(checks, extent=extent)
    axes[1].set_title("checkerboard", fontsize=9)


def overlay(
    moving: Section, fixed: Section, motion: Transform
) -> tuple[np.ndarray, np.ndarray, tuple[float, float, float, float]]:
    """Lay one section's image over another's.

    Parameters
    ----------
    moving, fixed
        Sections with slides.
    motion
        From the moving section's frame to the fixed one's, um.

    Returns
    -------
    ``(h, w, 3)`` float64 0-1, darkness of the moving image in green and of the fixed one in magenta, grey where they
    agree; ``(h, w, 3)`` uint8 squares of one and of the other; and their extent (left, right, bottom, top), um.
    """
    mpp = max(max(s.slide.size) * s.mpp / _PICTURE_PX for s in (moving, fixed) if s.slide is not None)
    still = section_picture(fixed, mpp=mpp)
    moved = warp_picture(section_picture(moving, mpp=mpp), motion, like=still)
    dark = []
    for picture in (moved, still):
        smooth = gaussian_filter(picture.darkness(), 0.7)
        glass = float(np.median(smooth[~picture.tissue])) if (~picture.tissue).any() else 0.0
        top = float(np.percentile(smooth[picture.tissue], 98)) if picture.tissue.any() else 1.0
        dark.append(np.clip((smooth - glass) / max(top - glass, 1e-6), 0, 1))
    # The moving section takes red and blue out of white and stays green, the fixed one takes green out.
    over = np.stack([1 - dark[0], 1 - dark[1], 1 - dark[0]], axis=2)
    width, height = still.size_um
    rows, columns = np.nonzero(still.tissue)
    side = max(np.ptp(rows), np.ptp(columns), _CHECKS) / _CHECKS
    ys, xs = np.indices(still.tissue.shape)
    squares = ((xs / side).astype(int) + (ys / side).astype(int)) % 2 == 0
    checks = np.where(squares[..., None], moved.pixels, still.pixels)
    return over, checks, (0.0, float(width), float(height), 0.0)


def _scale_bar(ax: Any, low: np.ndarray, high: np.ndarray) -> None:
    length = scale_bar_um(float(high[0] - low[0]))
    x, y = low + 0.03 * (high - low) * [1.0, 0.0] + [0.0, 0.985 * (high - low)[1]]
    ax.plot([x, x + length], [y, y], color="black", linewidth=2.5, solid_capstyle="butt")
    text = f"{length:g} µm" if length < 1000 else f"{length / 1000:g} mm"
    ax.text(x, y - 0.012 * (high - low)[1], text, ha="left", va="bottom", fontsize=7)
