"""Tissue mask: which pixels of a thumbnail are stained tissue, whatever the glass looks like."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy import ndimage

from histoscribe.core.errors import SlideError
from histoscribe.core.units import check_mpp
from histoscribe.tiles._filters import dropped
from histoscribe.tiles._glass import blank_area, glass_density
from histoscribe.tiles._morphology import closed, dilated, eroded, fill_holes, hysteresis, opened, without_small

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["tissue_mask", "work_px"]

#: Masks are made at this scale, um/px: outlines need no more. The longer side has at most so many px, which bounds the
#: time, and at least so many where the image has them, so that an image whose scale is wrong still gets a mask.
_WORK_UM, _MOST_PX, _LEAST_PX = 8.0, 1600, 400
#: Beyond 51 mm so many px would be coarser than a mask can be made at: then so many um/px, up to 128 mm.
_COARSEST_UM, _UTMOST_PX = 32.0, 4000
#: Stain above glass, in optical density: what is surely tissue, what is tissue beside it, and what is where it has
#: texture as well.
_STRONG, _WEAK, _FAINT = 0.12, 0.05, 0.025
_TEXTURE, _TEXTURE_PX = 0.03, 2
#: ... and at least this share of what tissue of the slide usually has (half of it beside, a quarter with texture).
_DEEP = 0.2
#: Shapes, um and um2: gaps that are closed (fat cells, clefts), threads that are dropped, holes that are filled.
_GAP_UM, _THREAD_UM, _HOLE_UM2 = 40.0, 15.0, 100_000.0


def tissue_mask(
    image: np.ndarray, *, mpp: float, min_area_um2: float = 40_000.0, filters: Sequence[str] = ()
) -> np.ndarray:
    """Separate stained tissue from glass, ink, dust, frames and black surroundings.

    Optical density above the local glass (`glass_density`) is judged by colour: haematoxylin and eosin absorb green
    more than blue or more than red, grey things (dust, air bubbles, printed frames, shadows) all three alike, and pens
    red, or green and blue. Where stain is faint, texture decides. The same image gives the same mask.

    Known limits: a purple pen looks like haematoxylin; tissue under a pen may count as tissue or not; a crop of pale,
    even tissue without any glass beside it looks like glass; so does fat at the rim of a section.

    Parameters
    ----------
    image
        RGB thumbnail, ``(h, w, 3)`` uint8.
    mpp
        Resolution of `image`, um per px; 2-16 is best.
    min_area_um2
        Smallest piece kept; the default is a 200 um square, the distance of two spots of the coarsest arrays. Of a
        small image, pieces above 1 % are kept.
    filters
        Names in `FILTERS` that further drop, e.g. ``("pen", "grey")``. None by default: they were tuned to other
        scanners, and some take pale tissue for glass.

    Returns
    -------
    ``(h, w)`` bool, True on tissue; all False where there is none.

    Raises
    ------
    ScaleError
        If `mpp` cannot be a scale.
    SlideError
        If `image` is no RGB image.
    RegistryError
        If there is no such filter.
    """
    mpp = check_mpp(mpp, where="the image given to tissue_mask")
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        msg = f"tissue_mask was given {image.dtype} of shape {image.shape}; it needs uint8 (h, w, 3). Convert it."
        raise SlideError(msg)
    h, w = image.shape[:2]
    wanted = work_px(max(h, w), mpp)
    if wanted < max(h, w):
        size = tuple(max(1, round(n * wanted / max(h, w))) for n in (w, h))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
        mpp *= w / size[0]
    min_px = min(min_area_um2 / mpp**2, 0.01 * image.shape[0] * image.shape[1])
    mask = _mask(image, mpp, min_px)
    if filters:
        mask = without_small(mask & ~dropped(image, filters, mpp), min_px)
    if mask.shape == (h, w):
        return mask
    return np.asarray(Image.fromarray(mask).resize((w, h), Image.Resampling.NEAREST))


def work_px(longest_px: int, mpp: float) -> int:
    """Px of the longer side at which the mask of an image of `longest_px` at `mpp` um/px is made."""
    most = min(max(_MOST_PX, math.ceil(longest_px * mpp / _COARSEST_UM)), _UTMOST_PX)
    return min(longest_px, most, max(_LEAST_PX, round(longest_px * mpp / _WORK_UM)))


def _mask(image: np.ndarray, mpp: float, min_px: float) -> np.ndarray:
    blank = blank_area(image, mpp)
    if blank.all():
        return ~blank
    density = _density(image, mpp)
    over = density - glass_density(density, blank, mpp)
    barred = blank | _ink(over, blank, mpp)
    stain = _stain(over)
    strong = (stain > _STRONG) & ~barred
    if not strong.any():
        return strong
    # Around deeply stained tissue stain runs into the glass: the deeper it is, the more is needed.
    usual = float(np.median(stain[strong]))
    strong &= stain > _DEEP * usual
    weak = (stain > max(_WEAK, _DEEP / 2 * usual)) | ((stain > max(_FAINT, _DEEP / 4 * usual)) & _textured(over))
    weak &= ~barred
    tissue = hysteresis(weak, strong, 0.1 * min_px)
    tissue = opened(closed(tissue, _GAP_UM / mpp), _THREAD_UM / mpp) & ~barred
    return without_small(fill_holes(tissue, _HOLE_UM2 / mpp**2) & ~barred, min_px)


def _density(image: np.ndarray, mpp: float) -> np.ndarray:
    """Optical density, ``(h, w, 3)`` float32, blurred by 6 um."""
    table = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)
    return ndimage.gaussian_filter(table[image], (6.0 / mpp, 6.0 / mpp, 0))


def _stain(over: np.ndarray) -> np.ndarray:
    """Haematoxylin or eosin, ``(h, w)`` in units of density: 0 for grey, negative for blue and green inks."""
    red, green, blue = np.moveaxis(over, 2, 0)
    # Haematoxylin absorbs green about as much as red; an ink that absorbs much more red is none of ours.
    return np.maximum(green - blue, green - red) - 2 * np.maximum(0, red - 1.25 * green - 0.05)


def _textured(over: np.ndarray) -> np.ndarray:
    """Tell where green density varies from px to px, ``(h, w)`` bool; beside an edge does not count."""
    green = over[..., 1]
    mean, square = (ndimage.gaussian_filter(v, _TEXTURE_PX) for v in (green, green * green))
    # The filter sees an edge from as far as it is wide; the glass beside tissue would be textured for that.
    return eroded(square - mean * mean > _TEXTURE**2, 2 * _TEXTURE_PX)


def _ink(over: np.ndarray, blank: np.ndarray, mpp: float) -> np.ndarray:
    """Find pen marks: areas of an ink's colour, wider than 0.1 mm and longer than 1 mm, with their rims."""
    red, green, blue = np.moveaxis(over, 2, 0)
    high, low = over.max(2), over.min(2)
    cold = (high > 0.4) & (red > 1.3 * green + 0.1)  # blue, green, turquoise
    warm = (green > 0.9) & (blue > 0.8 * green) & (green > red + 0.5)  # red, orange
    black = (high > 0.8) & (high - low < 0.15 * high)
    found = np.zeros(over.shape[:2], dtype=bool)
    for ink in (cold & ~blank, warm & ~blank, black & ~blank):
        if ink.sum() * mpp**2 < 1e5:  # less than 0.1 x 1 mm in all
            continue
        labels, _ = ndimage.label(opened(closed(ink, 20.0 / mpp), 50.0 / mpp))
        for index, box in enumerate(ndimage.find_objects(labels), start=1):
            if max(s.stop - s.start for s in box) * mpp > 1000:
                found[box] |= labels[box] == index
    return dilated(found, 80.0 / mpp) if found.any() else found
