"""Shapes that synthetic tissue is made of: labels, noise, closed curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

__all__ = ["EPITHELIUM", "FAT", "GLASS", "LUMEN", "STROMA", "VESSEL", "Curves", "at", "smooth_noise"]

#: Values of the label map.
GLASS, STROMA, EPITHELIUM, LUMEN, FAT, VESSEL = range(6)


@dataclass(frozen=True, eq=False)
class Curves:
    """Glands or vessels as closed curves ``radius * (1 + sum_k a_k cos(k t + p_k))`` around their centres, um."""

    xy: np.ndarray  # (n, 2)
    radius: np.ndarray  # (n,)
    waves: np.ndarray  # (n, k)
    phases: np.ndarray  # (n, k)
    wall: np.ndarray  # (n,) thickness of the wall, um; inf for a solid nest

    def edge(self, i: int | np.ndarray, t: np.ndarray) -> np.ndarray:
        """Radius of gland `i` in direction `t`, um."""
        k = np.arange(2, 2 + self.waves.shape[1])
        shape = (self.waves[i] * np.cos(k * np.asarray(t)[..., None] + self.phases[i])).sum(-1)
        return self.radius[i] * (1.0 + shape)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Return ``(h, w)`` float32 noise of zero mean, unit sd and a grain of `cell` px."""
    h, w = shape
    coarse = rng.standard_normal((int(h / cell) + 4, int(w / cell) + 4)).astype(np.float32)
    box = (1.5, 1.5, 1.5 + w / cell, 1.5 + h / cell)
    noise = np.asarray(Image.fromarray(coarse).resize((w, h), Image.Resampling.BICUBIC, box=box))
    return (noise - noise.mean()) / max(float(noise.std()), 1e-6)


def at(field: np.ndarray, xy: np.ndarray, mpp: float) -> np.ndarray:
    """Return the field's values at points in um; points outside take the nearest pixel's."""
    column = np.clip((xy[:, 0] / mpp).astype(int), 0, field.shape[1] - 1)
    row = np.clip((xy[:, 1] / mpp).astype(int), 0, field.shape[0] - 1)
    return field[row, column]
