"""Linear interpolation in depth between kernel-smoothed labelled sections."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._plane_kernel import kernel_weights
from histoscribe.methods._volume import Imputed, Imputer, Plane, Volume

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["ZInterpolation"]


class ZInterpolation(Imputer):
    """Smooths each labelled section, then mixes the nearest one above and below in proportion to depth.

    Beyond the first or last labelled section the nearest one stands alone. With one labelled section this is
    `kernel-transfer`.

    Parameters
    ----------
    sigma_pitch
        Standard deviation of the kernel within a section, in distances of neighbouring observations.
    """

    card: ClassVar[Card] = Card(
        name="z-interpolation",
        summary="Linear interpolation in depth between the smoothed labelled sections above and below.",
        paper="asign-2025",
        control=True,
        deviations=("A control of this project.",),
    )

    def __init__(self, *, sigma_pitch: float = 2.0) -> None:
        self.sigma_pitch = sigma_pitch

    def _impute(self, volume: Volume, rng: Generator) -> list[Imputed]:
        del rng  # nothing random
        sigma = self.sigma_pitch * volume.pitch_um
        return [Imputed(_between(plane, volume.labelled, sigma)) for plane in volume.unlabelled]


def _between(plane: Plane, labelled: list[Plane], sigma_um: float) -> np.ndarray:
    depths = np.array([p.z_um for p in labelled])
    # np.interp holds the end values: position 0.25 mixes 3 parts of the first with 1 of the second.
    position = float(np.interp(plane.z_um, depths, np.arange(len(depths))))
    first = min(int(position), len(labelled) - 1)
    mean = 0.0
    for index, share in ((first, 1 - (position - first)), (first + 1, position - first)):
        if share > 0:
            values = labelled[index].values
            assert values is not None
            mean = mean + share * (kernel_weights(plane.xy_um, labelled[index].xy_um, sigma_um) @ values)
    return np.asarray(mean)
