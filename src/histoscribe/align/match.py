"""How well two sections lie on top of each other, and the rigid motion that makes them do so best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from histoscribe.align.footprint import Field, Footprint
from histoscribe.align.transform import Rigid

if TYPE_CHECKING:
    from histoscribe.align.expression import Maps
    from histoscribe.align.transform import Transform

__all__ = ["Layer", "Match"]

#: What even equal outlines are held to differ by: keeps the logarithm finite.
_LEAST = 1e-3
_QUARTER = np.array([[0.0, -1.0], [1.0, 0.0]])


@dataclass(frozen=True, eq=False)
class Layer:
    """One quantity in both sections: the tissue itself, or a map of genes (mean 0; nothing is 0).

    Attributes
    ----------
    moving, fixed
        Points that carry the quantity as their weight, in their own frames.
    field
        Of `fixed`.
    norm
        Makes the correlation of a quantity with itself 1.
    """

    moving: Footprint
    fixed: Footprint
    field: Field
    norm: float

    @classmethod
    def of(cls, moving: Footprint, fixed: Footprint, *, sigma_um: float) -> Layer:
        """Smooth a quantity over `sigma_um`."""
        field = Field(fixed, sigma_um=sigma_um)
        own = moving.weight @ Field(moving, sigma_um=sigma_um).at(moving.xy_um)
        return cls(moving, fixed, field, float(np.sqrt(max(own * (fixed.weight @ field.at(fixed.xy_um)), 1e-12))))

    def correlation(self, motion: Transform) -> float:
        """Correlation of the smoothed quantity after a motion of the first section, -1 to 1."""
        return float(self.moving.weight @ self.field.at(motion(self.moving.xy_um))) / self.norm


class Match:
    """Two sections, ready for trying motions of the first.

    The measure is, for each layer, the correlation of what two sections have of it, smoothed over `sigma_um`: the sum
    of the fixed one's field over the moved points. Under a rigid motion its maximum is the least squared difference of
    the smoothed quantities. It is symmetric in the sections, has no corners (unlike sums over nearest neighbours), and,
    smoothed over a step, does not see the arrays' lattices, which are unrelated to the tissue. Source: Tsin and Kanade
    2004 (kernel correlation), here on a grid.

    Layers are weighted by themselves: the sum of ``log(1 - correlation)`` is the likelihood of normal differences whose
    variance in each layer is whatever is left there, so that what two sections share least counts least.

    Parameters
    ----------
    moving, fixed
        Footprints in their own frames: the first layer.
    maps
        Maps of genes of both: further layers. None places by outlines alone.
    sigma_um
        Smoothing; default one step of the coarser footprint.
    """

    def __init__(
        self,
        moving: Footprint,
        fixed: Footprint,
        *,
        maps: tuple[Maps, Maps] | None = None,
        sigma_um: float | None = None,
    ) -> None:
        self.moving, self.fixed = moving, fixed
        self.sigma_um = sigma_um or max(moving.step_um, fixed.step_um)
        self.layers = [Layer.of(moving, fixed, sigma_um=self.sigma_um)]
        if maps is not None:
            for values in zip(*(m.values.T for m in maps), strict=True):
                both = (Footprint(m.xy_um, v, self.sigma_um) for m, v in zip(maps, values, strict=True))
                self.layers.append(Layer.of(*both, sigma_um=self.sigma_um))

    @property
    def centre(self) -> np.ndarray:
        """``(2,)`` centre of the moving footprint, um."""
        return self.moving.weight @ self.moving.xy_um / self.moving.weight.sum()

    @property
    def radius_um(self) -> float:
        """Root mean square distance of the moving footprint from its centre: the path per radian of a typical point."""
        weight = self.moving.weight / self.moving.weight.sum()
        return float(np.sqrt(weight @ ((self.moving.xy_um - self.centre) ** 2).sum(1)))

    def similarity(self, motion: Transform) -> float:
        """Correlation of the footprints after a motion of the first: 1 where they are the same, 0 where apart."""
        return self.layers[0].correlation(motion)

    def refine(self, start: Rigid) -> Rigid:
        """Climb from `start` to the nearest motion at which the layers correlate best.

        Returns
        -------
        A rotation about the centre of the moving footprint, then a shift.
        """
        centre, sigma = self.centre, self.sigma_um
        # The angle is counted as the path of a typical point, and all in steps: all three unknowns are then alike.
        radius = self.radius_um / sigma
        aim = start(centre[None])[0]
        arms = [layer.moving.xy_um - centre for layer in self.layers]

        def loss(p: np.ndarray) -> tuple[float, np.ndarray]:
            angle = np.deg2rad(start.angle_deg) + p[0] / radius
            rotation = np.cos(angle) * np.eye(2) + np.sin(angle) * _QUARTER
            value, slope = 0.0, np.zeros(3)
            for layer, arm in zip(self.layers, arms, strict=True):
                turned = arm @ rotation.T
                moved = turned + aim + p[1:] * sigma
                weight = layer.moving.weight / layer.norm
                # Interpolated, equal footprints may correlate a little above 1.
                left = max(1 + _LEAST - float(weight @ layer.field.at(moved)), _LEAST)
                pull = layer.field.slope(moved) * weight[:, None]
                value += np.log(left)
                slope -= np.array([(pull * (turned @ _QUARTER.T)).sum() / radius, *pull.sum(0) * sigma]) / left
            return value, slope

        found = minimize(loss, np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-3}).x
        angle = start.angle_deg + np.rad2deg(found[0] / radius)
        return Rigid((float(angle) + 180.0) % 360.0 - 180.0, centre, aim + found[1:] * sigma - centre)
