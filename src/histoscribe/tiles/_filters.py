"""Tissue filters by colour, density and texture: what each leaves of a thumbnail; none is on unless asked for.

After deep-histopath (Dusenberry and Hu 2018, Apache-2.0), whose numbers are for thumbnails of about 8 um/px. A black px
is never background here: dark nuclei and pigment are black, and the black around a scan is `tissue_mask`'s to drop.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from histoscribe.core.registry import Registry
from histoscribe.tiles._morphology import dilated, fill_holes, hysteresis, opened

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "FILTERS",
    "blue_pen",
    "density",
    "dropped",
    "entropy",
    "green",
    "green_pen",
    "grey",
    "hysteresis_threshold",
    "pen",
    "red_pen",
]

FILTERS = Registry(
    "filter",
    {
        "blue-pen": "histoscribe.tiles._filters:blue_pen",
        "density": "histoscribe.tiles._filters:density",
        "entropy": "histoscribe.tiles._filters:entropy",
        "green": "histoscribe.tiles._filters:green",
        "green-pen": "histoscribe.tiles._filters:green_pen",
        "grey": "histoscribe.tiles._filters:grey",
        "hysteresis": "histoscribe.tiles._filters:hysteresis_threshold",
        "pen": "histoscribe.tiles._filters:pen",
        "red-pen": "histoscribe.tiles._filters:red_pen",
    },
)

#: Darker than this in all channels is black: as `blank_area` has it.
_BLACK = 45
#: Red above, green and blue below; any of the triples.
_RED = (
    *((150, 80, 90), (110, 20, 30), (185, 65, 105), (195, 85, 125), (220, 115, 145)),
    *((125, 40, 70), (200, 120, 150), (100, 50, 65), (85, 25, 45)),
)
#: Red below, green and blue above.
_GREEN = (
    *((150, 160, 140), (70, 110, 110), (45, 115, 100), (30, 75, 60), (195, 220, 210), (225, 230, 225)),
    *((170, 210, 200), (20, 30, 20), (50, 60, 40), (30, 50, 35), (65, 70, 60), (100, 110, 105)),
    *((165, 180, 180), (140, 140, 150), (185, 195, 195)),
)
#: Red and green below, blue above.
_BLUE = (
    *((60, 120, 190), (120, 170, 200), (175, 210, 230), (145, 180, 210), (37, 95, 160), (30, 65, 130)),
    *((130, 155, 180), (40, 35, 85), (30, 20, 65), (90, 90, 140), (60, 60, 120), (110, 110, 175)),
)
#: What a filter drops counts where most px within some distance agree, um, and where that is wider than a thread, um:
#: single px of stained nuclei have an ink's colour, and nuclei are grey at times.
_AGREE_UM, _WIDTH_UM = 20.0, 40.0
#: Ink fades at its rim, um.
_RIM_UM = 40.0
_HOLE_UM2 = 100_000.0


def green(image: np.ndarray, mpp: float) -> np.ndarray:
    """Keep what absorbs green: a value below 200, raised halfway to 255 while 90 % or more would be dropped."""
    del mpp  # px by px
    threshold = 200
    keep = image[..., 1] < threshold
    while keep.mean() <= 0.1 and threshold < 255:
        threshold = math.ceil((255 - threshold) / 2 + threshold)
        keep = image[..., 1] < threshold
    return keep


def grey(image: np.ndarray, mpp: float) -> np.ndarray:
    """Drop what has no colour: all channels within 15 of each other, black apart."""
    del mpp  # px by px
    high = image.max(2)
    # uint8 differences are safe: the largest value is not below the smallest.
    return (high - image.min(2) > 15) | (high < _BLACK)


def red_pen(image: np.ndarray, mpp: float) -> np.ndarray:
    """Drop red ink: nine steps of red above one value, green and blue below others."""
    del mpp  # px by px
    r, g, b = np.moveaxis(image, 2, 0)
    return ~np.any([(r > x) & (g < y) & (b < z) for x, y, z in _RED], axis=0)


def green_pen(image: np.ndarray, mpp: float) -> np.ndarray:
    """Drop green ink: fifteen steps of red below one value, green and blue above others."""
    del mpp  # px by px
    r, g, b = np.moveaxis(image, 2, 0)
    return ~np.any([(r < x) & (g > y) & (b > z) for x, y, z in _GREEN], axis=0)


def blue_pen(image: np.ndarray, mpp: float) -> np.ndarray:
    """Drop blue ink: twelve steps of red and green below two values, blue above another."""
    del mpp  # px by px
    r, g, b = np.moveaxis(image, 2, 0)
    return ~np.any([(r < x) & (g < y) & (b > z) for x, y, z in _BLUE], axis=0)


def pen(image: np.ndarray, mpp: float) -> np.ndarray:
    """Drop red, green and blue ink."""
    return red_pen(image, mpp) & green_pen(image, mpp) & blue_pen(image, mpp)


def density(image: np.ndarray, mpp: float) -> np.ndarray:
    """Keep an optical density ``-ln((I + 1) / 240)`` of 0.15 or more in every channel, holes below 0.1 mm2 filled."""
    table = -np.log((np.arange(256) + 1) / 240)
    # The channel of least density is the brightest.
    return fill_holes(table[image.max(2)] >= 0.15, _HOLE_UM2 / mpp**2)


def hysteresis_threshold(image: np.ndarray, mpp: float) -> np.ndarray:
    """Keep pieces darker than 205 that hold a px darker than 155 (grey levels)."""
    del mpp  # px by px
    darkness = 255 - _luminance(image)
    return hysteresis(darkness > 50, darkness > 100, 1)


def entropy(image: np.ndarray, mpp: float) -> np.ndarray:
    """Keep what has texture: more than 5 bits of entropy of the grey levels in 9 x 9 px.

    The window is in px, since 5 bits are of 81 values; it fits 8 um/px.
    """
    del mpp  # see above
    size = 9
    levels = np.pad(np.round(_luminance(image)).astype(np.uint8), size // 2, mode="reflect")
    counts = np.arange(size**2 + 1)
    weight = counts * np.log2(np.maximum(counts, 1))  # n log2 n
    total = np.zeros(image.shape[:2])
    for level in np.unique(levels):
        total += weight[_box(levels == level, size)]
    return np.log2(size**2) - total / size**2 > 5


def dropped(image: np.ndarray, names: Sequence[str], mpp: float) -> np.ndarray:
    """Return what filters drop of an image, single px and threads left out: ``(h, w)`` bool.

    Raises
    ------
    RegistryError
        If there is no such filter.
    """
    out = np.zeros(image.shape[:2], dtype=bool)
    for name in names:
        share = ndimage.gaussian_filter(1 - FILTERS.get(name)(image, mpp).astype(np.float32), _AGREE_UM / mpp)
        wide = opened(share > 0.5, _WIDTH_UM / mpp)
        out |= dilated(wide, _RIM_UM / mpp) if name.endswith("pen") else wide
    return out


def _luminance(image: np.ndarray) -> np.ndarray:
    """Return grey levels, 0-255; weights of ITU-R BT.709."""
    return image @ np.array([0.2125, 0.7154, 0.0721])


def _box(mask: np.ndarray, size: int) -> np.ndarray:
    """Count True in each `size` x `size` window that lies inside."""
    total = np.pad(mask, ((1, 0), (1, 0))).cumsum(0, dtype=np.int32).cumsum(1, dtype=np.int32)
    return total[size:, size:] - total[:-size, size:] - total[size:, :-size] + total[:-size, :-size]
