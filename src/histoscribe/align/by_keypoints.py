"""Register two pictures by key points that look alike: SIFT and RANSAC (scikit-image)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.align.image import need
from histoscribe.align.transform import Affine, Rigid, fit_rigid

if TYPE_CHECKING:
    from histoscribe.align.picture import Picture

__all__ = ["register"]

#: Best match at most this share of the second best (Lowe 2004).
_RATIO = 0.85
#: Points that fit a motion lie this close to where it puts them, um; fewer such points than this tell nothing.
_NEAR_UM = 40.0
_FEW = 10
_TRIALS = 2000


def register(
    moving: Picture, fixed: Picture, start: Rigid, *, blocks: np.ndarray, reach_um: float, seed: int
) -> list[Rigid | Affine]:
    """Match SIFT key points on tissue, drop pairs that the start rules out, and fit a rigid motion by RANSAC.

    Source: Lowe 2004; Fischler and Bolles 1981.

    Parameters
    ----------
    moving, fixed
        Pictures.
    start
        First guess.
    blocks
        ``(h, w)`` bool, where the fixed picture takes part.
    reach_um
        A pair whose points lie further apart than this after `start` is no pair.
    seed
        Of RANSAC.

    Returns
    -------
    One motion from the moving frame to the fixed one; none where fewer than 10 pairs agree.
    """
    feature: Any = need("skimage.feature")
    measure: Any = need("skimage.measure")
    transform: Any = need("skimage.transform")
    first = _key_points(feature, moving, moving.tissue)
    second = _key_points(feature, fixed, fixed.tissue & blocks)
    if min(len(first[0]), len(second[0])) < _FEW:
        return []
    pairs = feature.match_descriptors(first[1], second[1], max_ratio=_RATIO, cross_check=True)
    source, target = first[0][pairs[:, 0]], second[0][pairs[:, 1]]
    near = np.linalg.norm(start(source) - target, axis=1) <= reach_um
    source, target = source[near], target[near]
    if len(source) < _FEW:
        return []
    _, agree = measure.ransac(
        (source, target),
        transform.EuclideanTransform,
        min_samples=2,
        residual_threshold=_NEAR_UM,
        max_trials=_TRIALS,
        rng=seed,
    )
    if agree is None or agree.sum() < _FEW:
        return []
    return [fit_rigid(source[agree], target[agree])]


def _key_points(feature: Any, picture: Picture, where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(k, 2)`` um and ``(k, 128)`` descriptors of the key points in `where`."""
    sift = feature.SIFT(upsampling=1)
    try:
        sift.detect_and_extract(picture.darkness())
    except RuntimeError:
        # scikit-image raises where there is no key point at all.
        return np.zeros((0, 2)), np.zeros((0, 128))
    rows, columns = sift.keypoints.T
    inside = where[rows, columns]
    xy = picture.origin_um + (np.stack([columns, rows], axis=1)[inside] + 0.5) * picture.mpp
    return xy, sift.descriptors[inside]
