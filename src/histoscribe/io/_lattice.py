"""Scale from an array's known geometry: um per px by regression, never by assumption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from histoscribe.core.errors import ScaleError
from histoscribe.core.units import check_mpp

__all__ = ["LAYOUTS", "Layout", "ScaleFit", "agree", "detect_layout", "fit_scale", "is_staggered"]

#: Scales of the two axes may differ by this share: printed arrays reach 1.1 %, a wrong layout 11 % or more.
AXIS_TOLERANCE = 0.03
#: A stated um/px may differ from the derived one by this share.
MPP_TOLERANCE = 0.05


@dataclass(frozen=True)
class Layout:
    """Geometry of a capture array.

    Attributes
    ----------
    name
        Name in messages.
    step_um
        um per unit of array column and of array row.
    pitch_um, spot_um
        Distance between nearest neighbours, and diameter of a spot, um.
    staggered
        True where only every second (column, row) pair exists.
    """

    name: str
    step_um: tuple[float, float]
    pitch_um: float
    spot_um: float
    staggered: bool


LAYOUTS = {
    # Stahl et al. 2016: 1,007 spots of 100 um, 200 um apart, on 6.2 x 6.6 mm.
    "st-1k": Layout("ST 1k array", (200.0, 200.0), 200.0, 100.0, staggered=False),
    # The same 6.2 x 6.6 mm, 66 staggered columns by 63 rows. No source states the steps; this one predicts the
    # ratio of the axes of four olfactory bulb sections (1.0647) to 0.02 %, two equal steps would miss it by 11 %.
    "st-2k": Layout("ST 2k array", (6200 / 65, 6600 / 62), 142.9, 100.0, staggered=True),
    # Rows are 87 um apart, not 100 * sin(60 deg) = 86.6: Space Ranger's own positions fit 87.000 exactly.
    "visium": Layout("Visium array", (50.0, 87.0), 100.0, 55.0, staggered=True),
}


@dataclass(frozen=True)
class ScaleFit:
    """A fitted affine from array positions to pixels.

    Attributes
    ----------
    mpp
        um per px, the geometric mean of both axes.
    axes
        um per px along the array's two principal directions.
    residual_um
        Root mean square distance of the observations from the fitted lattice, um.
    mirrored
        True where the array is mirrored against the image.
    """

    mpp: float
    axes: tuple[float, float]
    residual_um: float
    mirrored: bool


def fit_scale(array: np.ndarray, xy: np.ndarray, layout: Layout, *, where: str) -> ScaleFit:
    """Fit pixels on array coordinates and read the scale off the affine's singular values.

    Turned and mirrored arrays are fine; axes that disagree are not.

    Parameters
    ----------
    array
        ``(n, 2)`` array column and row.
    xy
        ``(n, 2)`` x, y of the same observations, px.
    layout
        The array's geometry.
    where
        Name for messages.

    Raises
    ------
    ScaleError
        If the observations do not span both axes, do not lie on the array, or the axes disagree by more than 3 %.
    """
    um = np.asarray(array, dtype=np.float64) * layout.step_um
    design = np.column_stack([um - um.mean(0), np.ones(len(um))])
    remedy = "Give the um per level-0 px yourself: mpp=<um per pixel>."
    if len(um) < 3 or np.linalg.matrix_rank(design) < 3:
        msg = f"{where}: {len(um)} observations on one line of the {layout.name} do not determine um/px. {remedy}"
        raise ScaleError(msg)
    xy = np.asarray(xy, dtype=np.float64)
    coefficients = np.linalg.lstsq(design, xy, rcond=None)[0]
    affine = coefficients[:2].T  # (px, um)
    long, short = np.linalg.svd(affine, compute_uv=False)
    if short <= 0 or not np.isfinite(long):
        msg = f"{where}: all observations have the same pixel position, so um/px cannot be derived. {remedy}"
        raise ScaleError(msg)
    axes = (float(1 / long), float(1 / short))
    if axes[1] / axes[0] - 1 > AXIS_TOLERANCE:
        msg = (
            f"{where}: the axes of the {layout.name} disagree, {axes[0]:.4g} and {axes[1]:.4g} um/px, so the pixel "
            f"coordinates or the array type are not what they seem. {remedy}"
        )
        raise ScaleError(msg)
    mpp = float(np.sqrt(axes[0] * axes[1]))
    residual = float(np.sqrt(((xy - design @ coefficients) ** 2).sum(1).mean()) * mpp)
    if residual > layout.pitch_um / 4:
        msg = (
            f"{where}: observations lie {residual:.0f} um (root mean square) off the {layout.name}, so array and pixel "
            "coordinates do not belong together. Check how they were joined."
        )
        raise ScaleError(msg)
    return ScaleFit(check_mpp(mpp, where=where), axes, residual, bool(np.linalg.det(affine) < 0))


def is_staggered(column: np.ndarray, row: np.ndarray) -> bool | None:
    """Tell a staggered array (column + row always even, or always odd) from a square one; None where unclear.

    A random half of a square array of 20 spots would look staggered once in 2 ** 19.
    """
    odd = (np.asarray(column) + np.asarray(row)) % 2
    if len(odd) < 20:
        return None
    share = float(np.mean(odd))
    if min(share, 1 - share) <= 0.01:
        return True
    return False if 0.3 <= share <= 0.7 else None


def detect_layout(array: np.ndarray, xy: np.ndarray) -> Layout | None:
    """Name the array type from parity and from the ratio of its two steps in px, or None.

    Visium's row step is 1.74 column steps, the 2k array's 1.11 and the 1k array's 1.00.
    """
    staggered = is_staggered(array[:, 0], array[:, 1])
    design = np.column_stack([array, np.ones(len(array))]).astype(np.float64)
    if staggered is None or np.linalg.matrix_rank(design) < 3:
        return None
    affine = np.linalg.lstsq(design, np.asarray(xy, dtype=np.float64), rcond=None)[0][:2]
    column, row = np.linalg.norm(affine, axis=1)
    for layout in LAYOUTS.values():
        expected = layout.step_um[1] / layout.step_um[0]
        if layout.staggered == staggered and column > 0 and abs(row / column / expected - 1) <= AXIS_TOLERANCE:
            return layout
    return None


def agree(derived: float, stated: float | None, *, where: str, how: str) -> float:
    """Return the um/px that the user stated, if it agrees with the derived one; without one, the derived.

    Raises
    ------
    ScaleError
        If the two differ by more than 5 %.
    """
    if stated is None:
        return derived
    stated = check_mpp(stated, where=f"{where}: the stated scale")
    if abs(stated / derived - 1) > MPP_TOLERANCE:
        msg = (
            f"{where}: mpp={stated:.4g} was given, but {how} says {derived:.4g} um/px. Leave mpp out to use the "
            "derived one, or check that image and coordinates belong together."
        )
        raise ScaleError(msg)
    return stated
