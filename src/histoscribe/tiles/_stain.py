"""Colour deconvolution: how much haematoxylin a pixel holds."""

from __future__ import annotations

import numpy as np

__all__ = ["DENSITY", "HAEMATOXYLIN"]

#: Optical density of haematoxylin, eosin and the rest in R, G, B, rows of unit length; Ruifrok & Johnston 2001.
_STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
#: -log10((v + 1) / 256): optical density of each 8-bit value; white is 0.
DENSITY = -np.log10((np.arange(256) + 1) / 256).astype(np.float64)
#: Weights that give the haematoxylin of a pixel from its three densities.
HAEMATOXYLIN = np.linalg.inv(_STAINS / np.linalg.norm(_STAINS, axis=1, keepdims=True))[:, 0]
