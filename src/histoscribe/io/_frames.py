"""Where the elements of a SpatialData object lie: in the pixels of an image, and how large a pixel is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.errors import CoordinateError, ScaleError
from histoscribe.io._lattice import AXIS_TOLERANCE

if TYPE_CHECKING:
    from spatialdata import SpatialData

__all__ = ["centres", "mpp_from_frames", "radii", "to_pixels"]

#: Names, in any case, by which tools call a coordinate system in um.
_UM = {"um", "µm", "μm", "micrometer", "micrometers", "micrometre", "micrometres", "micron", "microns"}


def to_pixels(data: SpatialData, element: Any, image: Any, frame: str | None, where: str) -> np.ndarray:
    """Return the ``(3, 3)`` affine from an element's own coordinates to px.

    Parameters
    ----------
    data, element, where
        The object, one of its elements, and the section's name for messages.
    image
        The image element whose px are meant, or None for those of `frame`.
    frame
        A coordinate system that both share; None for the one there is, ``"global"`` before others.

    Raises
    ------
    CoordinateError
        If the two share no coordinate system, or the named one does not exist.
    """
    from spatialdata.transformations import get_transformation

    known = get_transformation(element, get_all=True)
    both = known if image is None else {k: v for k, v in known.items() if k in get_transformation(image, get_all=True)}
    if frame is None and both:
        frame = "global" if "global" in both else sorted(both, key=lambda k: (k.casefold() in _UM, k))[0]
    if frame not in both:
        what = "its observations and its image share no coordinate system"
        what = what if frame is None else f"there is no coordinate system {frame!r}"
        have = ", ".join(sorted(data.coordinate_systems)) or "none"
        msg = f"{where}: {what} (it has {have}). Align them, or give image=none."
        raise CoordinateError(msg)
    affine = _matrix(both[frame])
    if image is not None:
        affine = np.linalg.inv(_matrix(get_transformation(image, frame))) @ affine
    return affine


def mpp_from_frames(element: Any, to_px: np.ndarray, where: str) -> float | None:
    """Return um per px where the element has a coordinate system in um, else None.

    Parameters
    ----------
    element
        An element with transformations.
    to_px
        ``(3, 3)`` affine from the element's own coordinates to px.

    Raises
    ------
    ScaleError
        If px are not square in um.
    """
    from spatialdata.transformations import get_transformation

    frames = [name for name in get_transformation(element, get_all=True) if name.casefold() in _UM]
    if not frames:
        return None
    return _scale(_matrix(get_transformation(element, frames[0])) @ np.linalg.inv(to_px), f"{where}, {frames[0]}")


def centres(element: Any, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(n, 2)`` centres in the element's own coordinates, and the ``(n,)`` names of its instances."""
    from spatialdata import get_centroids
    from spatialdata.models import get_model
    from spatialdata.transformations import Identity, remove_transformation, set_transformation

    if get_model(element).__name__ == "ShapesModel":
        points = element.geometry.centroid
        return np.column_stack([points.x, points.y]).astype(np.float64), element.index.to_numpy()
    if get_model(element).__name__ not in ("Labels2DModel", "PointsModel"):
        msg = f"{where}: observations lie in an element of kind {get_model(element).__name__}. Use shapes or labels."
        raise CoordinateError(msg)
    # Centroids are asked for in the element's own frame, which has no name: it gets one for a moment.
    set_transformation(element, Identity(), "histoscribe-own")
    try:
        found = get_centroids(element, coordinate_system="histoscribe-own").compute()
    finally:
        remove_transformation(element, "histoscribe-own")
    return found[["x", "y"]].to_numpy(dtype=np.float64), found.index.to_numpy()


def radii(element: Any, to_px: np.ndarray, where: str) -> float | None:
    """Return the median radius of circles, px, or None for other shapes."""
    if "radius" not in getattr(element, "columns", ()):
        return None
    return float(np.median(element["radius"])) * _scale(to_px, where)


def _matrix(transformation: Any) -> np.ndarray:
    return transformation.to_affine_matrix(("x", "y"), ("x", "y"))


def _scale(affine: np.ndarray, where: str) -> float:
    long, short = np.linalg.svd(affine[:2, :2], compute_uv=False)
    if not np.isfinite(long) or short <= 0 or long / short - 1 > AXIS_TOLERANCE:
        msg = f"{where}: a transformation stretches its axes by {long:.4g} and {short:.4g}. Use a similarity."
        raise ScaleError(msg)
    return float(np.sqrt(long * short)) if long != short else float(long)
