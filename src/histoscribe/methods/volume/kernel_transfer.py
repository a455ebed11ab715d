"""The control to beat: a Gaussian kernel over the labelled observations in the aligned frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.core.card import Card
from histoscribe.methods._plane_kernel import kernel_weights
from histoscribe.methods._volume import Imputed, Imputer, Volume

if TYPE_CHECKING:
    from numpy.random import Generator

__all__ = ["KernelTransfer"]


class KernelTransfer(Imputer):
    """Averages the labelled observations around a place, all labelled sections laid on each other.

    Parameters
    ----------
    sigma_pitch
        Standard deviation of the kernel, in distances of neighbouring observations; 0 takes the nearest observation.
        2 is the best of 1, 2 and 4 under ASIGN's protocol on all eight donors of HER2+, and was chosen there.
    """

    card: ClassVar[Card] = Card(
        name="kernel-transfer",
        summary="Gaussian kernel over the labelled sections in the aligned frame; no image, no training.",
        paper="asign-2025",
        control=True,
        deviations=("A control of this project; the paper's Overlap row is near its nearest-observation form.",),
    )

    def __init__(self, *, sigma_pitch: float = 2.0) -> None:
        self.sigma_pitch = sigma_pitch

    def _impute(self, volume: Volume, rng: Generator) -> list[Imputed]:
        del rng  # nothing random
        places = np.concatenate([p.xy_um for p in volume.labelled])
        values = np.concatenate([p.values for p in volume.labelled if p.values is not None])
        sigma = self.sigma_pitch * volume.pitch_um
        return [Imputed(kernel_weights(p.xy_um, places, sigma) @ values) for p in volume.unlabelled]
