"""Motions of points in um: rigid and affine, with one small interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Affine", "Rigid", "Transform", "fit_rigid", "transform_from_dict"]


class Transform(Protocol):
    """A motion of points from one frame into another; x right, y down, um."""

    @property
    def matrix(self) -> np.ndarray:
        """``(3, 3)`` float64 homogeneous matrix that acts on column vectors ``(x, y, 1)``."""
        ...

    def __call__(self, xy_um: np.ndarray) -> np.ndarray:
        """Move ``(n, 2)`` points."""
        ...

    def inverse(self) -> Transform:
        """Return the motion back."""
        ...

    def then(self, other: Transform) -> Transform:
        """Return this motion followed by `other`."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values that `transform_from_dict` reads back."""
        ...


@dataclass(frozen=True, eq=False)
class Rigid:
    """A rotation about a centre, then a shift.

    Attributes
    ----------
    angle_deg
        Rotation from the x axis (right) towards the y axis (down): clockwise as one looks at the image, degrees.
    centre, shift
        ``(2,)`` um.
    overlap
        Intersection over union of the two footprints after alignment, 0-1; NaN where it was not measured.
    """

    angle_deg: float
    centre: np.ndarray
    shift: np.ndarray
    overlap: float = float("nan")

    def __call__(self, xy_um: np.ndarray) -> np.ndarray:
        """Move ``(n, 2)`` points, um."""
        return (np.asarray(xy_um, dtype=np.float64) - self.centre) @ _rotation(self.angle_deg).T + (
            self.centre + self.shift
        )

    @property
    def matrix(self) -> np.ndarray:
        """``(3, 3)`` float64 homogeneous matrix."""
        turn = _rotation(self.angle_deg)
        return _homogeneous(turn, self.centre + self.shift - turn @ self.centre)

    def inverse(self) -> Rigid:
        """Return the motion back."""
        return Rigid(-self.angle_deg, self.centre + self.shift, -np.asarray(self.shift), self.overlap)

    def then(self, other: Rigid | Affine) -> Rigid | Affine:
        """Return this motion followed by `other`: rigid if both are."""
        matrix = other.matrix @ self.matrix
        if not isinstance(other, Rigid):
            return Affine.from_matrix(matrix)
        centre = np.asarray(self.centre, dtype=np.float64)
        return Rigid(self.angle_deg + other.angle_deg, centre, other(self(centre[None]))[0] - centre)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "kind": "rigid",
            "angle_deg": float(self.angle_deg),
            "centre_um": np.asarray(self.centre, dtype=float).tolist(),
            "shift_um": np.asarray(self.shift, dtype=float).tolist(),
        }


@dataclass(frozen=True, eq=False)
class Affine:
    """A linear map, then a shift.

    Attributes
    ----------
    linear
        ``(2, 2)``; acts on column vectors (x, y).
    shift
        ``(2,)`` um.
    """

    linear: np.ndarray
    shift: np.ndarray

    def __post_init__(self) -> None:
        linear, shift = (np.asarray(v, dtype=np.float64) for v in (self.linear, self.shift))
        if linear.shape != (2, 2) or shift.shape != (2,) or not np.linalg.det(linear):
            msg = f"linear {linear.tolist()} and shift {shift.tolist()} are no invertible map of the plane. Give 2 x 2."
            raise DataError(msg)
        object.__setattr__(self, "linear", linear)
        object.__setattr__(self, "shift", shift)

    @classmethod
    def from_matrix(cls, matrix: np.ndarray) -> Affine:
        """Make the map of a ``(3, 3)`` homogeneous matrix."""
        return cls(matrix[:2, :2], matrix[:2, 2])

    def __call__(self, xy_um: np.ndarray) -> np.ndarray:
        """Move ``(n, 2)`` points, um."""
        return np.asarray(xy_um, dtype=np.float64) @ self.linear.T + self.shift

    @property
    def matrix(self) -> np.ndarray:
        """``(3, 3)`` float64 homogeneous matrix."""
        return _homogeneous(self.linear, self.shift)

    def inverse(self) -> Affine:
        """Return the map back."""
        return Affine.from_matrix(np.linalg.inv(self.matrix))

    def then(self, other: Transform) -> Affine:
        """Return this map followed by `other`."""
        return Affine.from_matrix(other.matrix @ self.matrix)

    def stretch(self) -> tuple[float, float]:
        """Return the smallest and the largest factor by which the map changes a length."""
        values = np.linalg.svd(self.linear, compute_uv=False)
        return float(values[-1]), float(values[0])

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"kind": "affine", "linear": self.linear.tolist(), "shift_um": self.shift.tolist()}


def transform_from_dict(values: Mapping[str, Any]) -> Rigid | Affine:
    """Read what `to_dict` of a transform returned.

    Raises
    ------
    DataError
        If the values describe no transform.
    """
    try:
        if values["kind"] == "rigid":
            return Rigid(float(values["angle_deg"]), np.array(values["centre_um"]), np.array(values["shift_um"]))
        if values["kind"] == "affine":
            return Affine(np.array(values["linear"]), np.array(values["shift_um"]))
    except (KeyError, TypeError, ValueError) as err:
        msg = f"{dict(values)} describes no transform ({err!r}). Give what a transform's to_dict() returned."
        raise DataError(msg) from err
    msg = f"transform kind {values['kind']!r} is not known. Give 'rigid' or 'affine'."
    raise DataError(msg)


def fit_rigid(source_um: np.ndarray, target_um: np.ndarray) -> Rigid:
    """Find the rigid motion that takes points to their partners with the least squared distance.

    Source: Arun et al. 1987 (closed form through the singular value decomposition). Mirror images are not allowed.

    Parameters
    ----------
    source_um, target_um
        ``(n, 2)`` positions, partner by partner.
    """
    centre, aim = source_um.mean(0), target_um.mean(0)
    cross = (source_um - centre).T @ (target_um - aim)
    # In the plane the best rotation has a closed form: the angle of the summed cross and dot products.
    angle = np.arctan2(cross[0, 1] - cross[1, 0], cross[0, 0] + cross[1, 1])
    return Rigid(float(np.rad2deg(angle)), centre, aim - centre)


def _rotation(angle_deg: float) -> np.ndarray:
    c, s = np.cos(np.deg2rad(angle_deg)), np.sin(np.deg2rad(angle_deg))
    return np.array([[c, -s], [s, c]])


def _homogeneous(linear: np.ndarray, shift: np.ndarray) -> np.ndarray:
    matrix = np.eye(3)
    matrix[:2, :2], matrix[:2, 2] = linear, shift
    return matrix
