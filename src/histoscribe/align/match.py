"""How well two footprints lie on top of each other, and the rigid motion that makes them do so best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from histoscribe.align.footprint import Field
from histoscribe.align.transform import Rigid

if TYPE_CHECKING:
    from histoscribe.align.footprint import Footprint
    from histoscribe.align.transform import Transform

__all__ = ["Match"]


class Match:
    """Two footprints, ready for trying motions of the first.

    The measure is the correlation of the two footprints, smoothed over `sigma_um`: the sum of the fixed one's field
    over the moved points. Under a rigid motion its maximum is the least squared difference of the smoothed footprints.
    It is symmetric in the sections, has no corners (unlike sums over nearest neighbours), and, smoothed over a step,
    does not see the arrays' lattices, which are unrelated to the tissue. Source: Tsin and Kanade 2004 (kernel
    correlation), here on a grid.

    Parameters
    ----------
    moving, fixed
        Footprints in their own frames.
    sigma_um
        Smoothing; default one step of the coarser footprint.
    """

    def __init__(self, moving: Footprint, fixed: Footprint, *, sigma_um: float | None = None) -> None:
        self.moving, self.fixed = moving, fixed
        self.sigma_um = sigma_um or max(moving.step_um, fixed.step_um)
        self._field = Field(fixed, sigma_um=self.sigma_um)
        self._weight = moving.weight / moving.weight.sum()
        own = self._weight @ Field(moving, sigma_um=self.sigma_um).at(moving.xy_um)
        other = fixed.weight @ self._field.at(fixed.xy_um) / moving.weight.sum()
        self._norm = float(np.sqrt(own * other))

    def similarity(self, motion: Transform) -> float:
        """Correlation of the footprints after a motion of the first: 1 where they are the same, 0 where apart."""
        return float(self._weight @ self._field.at(motion(self.moving.xy_um))) / self._norm

    def refine(self, start: Rigid) -> Rigid:
        """Climb from `start` to the nearest motion at which the footprints correlate best.

        Returns
        -------
        A rotation about the centre of the moving footprint, then a shift.
        """
        centre = self._weight @ self.moving.xy_um
        arms = self.moving.xy_um - centre
        # The angle is counted as the path of a typical point, and all in steps: all three unknowns are then alike.
        radius = float(np.sqrt(self._weight @ (arms**2).sum(1))) / self.sigma_um
        aim = start(centre[None])[0]
        turn = np.array([[0.0, -1.0], [1.0, 0.0]])
        scale = 10.0 / self._norm

        def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
            angle = np.deg2rad(start.angle_deg) + p[0] / radius
            rotation = np.cos(angle) * np.eye(2) + np.sin(angle) * turn
            turned = arms @ rotation.T
            moved = turned + aim + p[1:] * self.sigma_um
            pull = self._field.slope(moved) * self._weight[:, None]
            slope = np.array([(pull * (turned @ turn.T)).sum() / radius, *pull.sum(0) * self.sigma_um])
            return -scale * float(self._weight @ self._field.at(moved)), -scale * slope

        found = minimize(loss, np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-4}).x
        angle = start.angle_deg + np.rad2deg(found[0] / radius)
        return Rigid((float(angle) + 180.0) % 360.0 - 180.0, centre, aim + found[1:] * self.sigma_um - centre)
