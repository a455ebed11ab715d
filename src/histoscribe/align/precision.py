"""How precise a motion is: how far it would lie elsewhere had other tissue been cut."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from histoscribe.align.footprint import Field

if TYPE_CHECKING:
    from histoscribe.align.match import Layer, Match
    from histoscribe.align.transform import Rigid

__all__ = ["precision"]

#: Side of a block whose differences may be of one cause, in steps; and of a cell that they are summed over.
_BLOCK = 4.0
_CELL = 0.5
#: Differences reach further than a block: on sections generated from her2st (72 pairs) errors were twice the estimate.
_CALIBRATION = 2.0


def precision(match: Match, motion: Rigid) -> tuple[float, float]:
    """Estimate the standard error of a motion from where two sections differ after it.

    Where the sections differ after the motion, they pull it somewhere. The pulls of blocks of 4 x 4 steps are taken for
    independent, and the motion for linear in them: the sandwich of Huber 1967, which needs no resampling. The
    result is doubled: see ``benchmarks/alignment_precision.py``.

    Parameters
    ----------
    match
        What the motion was refined with.
    motion
        Where it ended.

    Returns
    -------
    Root mean square movement of the observations, um, and the standard error of the angle, degrees.
    """
    sigma, radius = match.sigma_um, match.radius_um
    low, high = (f(match.moving.xy_um, axis=0) + s * 3 * sigma for f, s in ((np.min, -1), (np.max, 1)))
    axes = [np.arange(a, b, _CELL * sigma) for a, b in zip(low, high, strict=True)]
    cells = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    pull, stiffness = np.zeros((3, len(cells))), np.zeros((3, 3))
    for layer in match.layers:
        difference, slopes, left = _on_cells(layer, motion, cells, sigma_um=sigma)
        arms = (cells - match.centre) / radius
        # What moves by turning and by shifting, each counted in steps of a typical point.
        ways = sigma * np.stack([arms[:, 0] * slopes[:, 1] - arms[:, 1] * slopes[:, 0], *slopes.T])
        pull += ways * difference / left
        stiffness += ways @ ways.T / left
    place = np.floor((cells - low) / (_BLOCK * sigma)).astype(np.int64)
    _, block = np.unique(place, axis=0, return_inverse=True)
    blocks = np.stack([np.bincount(block.ravel(), p) for p in pull])
    inverse = np.linalg.pinv(stiffness)
    covariance = inverse @ (blocks @ blocks.T) @ inverse
    error = _CALIBRATION * sigma * np.sqrt(np.array([np.trace(covariance), covariance[0, 0]]))
    return float(error[0]), float(np.rad2deg(error[1] / radius))


def _on_cells(
    layer: Layer, motion: Rigid, cells: np.ndarray, *, sigma_um: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the layer's difference, ``(n,)``, the moving one's slope, ``(n, 2)``, and the variance left, 0-2."""
    # A field carries the smoothing of both that meet in it; here each is looked at by itself.
    moving, fixed = (Field(f, sigma_um=sigma_um / np.sqrt(2)) for f in (layer.moving, layer.fixed))
    one, two = moving.at(cells), fixed.at(motion(cells))
    size, other = (max(float(np.linalg.norm(v)), 1e-12) for v in (one, two))
    difference = two / other - one / size
    return difference, moving.slope(cells) / size, max(0.5 * float(difference @ difference), 1e-3)
