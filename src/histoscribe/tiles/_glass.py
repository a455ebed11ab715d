"""Glass: the colour that a slide would have without tissue, at every place, and where there is no slide at all."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from histoscribe.tiles._morphology import dilated, opened, without_small

__all__ = ["blank_area", "glass_density"]

#: Glass is modelled at this scale, um/px, and on at most so many px per side: it changes slowly.
_STEP_UM, _STEP_PX = 32.0, 250
#: A px is smooth where its density changes less than this from one to the next (32 um); tissue has texture.
_SMOOTH = 0.02
#: Densities within this of the model are glass.
_NEAR = 0.05
#: Glass may be tinted: stain runs out of the tissue beside it. More than this (green over blue) is tissue, and so is
#: any haematoxylin (red): eosin is what runs.
_TINT, _RED = 0.12, 0.06
_ROUNDS = 25


def blank_area(image: np.ndarray, mpp: float) -> np.ndarray:
    """Find black surroundings that a program or a slide holder put around the picture: ``(h, w)`` bool.

    They reach the image's border; dark tissue inside the picture does not count. Insets are part of them: a second
    picture whose black surroundings leave it an upright rectangle is a preview, not tissue.
    """
    # Over 50 um no tissue is this dark in all channels, and the dots of a holder's surface are.
    dark = ndimage.gaussian_filter(image.max(2).astype(np.float32), 50.0 / mpp, mode="nearest") < 45
    labels, n = ndimage.label(dark)
    outer = np.zeros(n + 1, dtype=bool)
    outer[np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))] = True
    outer[0] = False
    black = without_small(outer[labels], 0.002 * dark.size)
    if not black.any():
        return black
    # The blur left a rim on either side.
    black = dilated(black, 2) | (dilated(black, 100.0 / mpp) & (image.max(2) < 45))
    return black | _insets(~black)


def _insets(picture: np.ndarray) -> np.ndarray:
    labels, n = ndimage.label(opened(picture, 2))
    found = np.zeros_like(picture)
    if n < 2:
        return found
    sizes = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    boxes = ndimage.find_objects(labels)
    for index in np.argsort(-sizes)[1:]:
        box = boxes[index]
        if (labels[box] == index + 1).mean() > 0.97:
            found[box] = True
    return dilated(found, 4) if found.any() else found


def glass_density(density: np.ndarray, blank: np.ndarray, mpp: float) -> np.ndarray:
    """Model the optical density of bare glass at every px.

    It starts from the most frequent colour of what is bright and smooth, and grows over what is smooth and near a
    surface through the glass found so far: this follows uneven light and stain that ran, and stops at the edge of
    tissue, where density jumps. A picture without glass gets one colour, that of its brightest px.

    Parameters
    ----------
    density
        Optical density, ``(h, w, 3)`` float32.
    blank
        ``(h, w)`` bool, not to be looked at.
    mpp
        um per px.

    Returns
    -------
    ``(h, w, 3)`` float32 density.
    """
    step = max(1, round(_STEP_UM / mpp), -(-max(blank.shape) // _STEP_PX))
    coarse, valid = _reduced(density, blank, step)
    glass = _first_glass(coarse, valid)
    if glass.sum() < max(4, 0.002 * valid.sum()):
        brightest = np.percentile(density[~blank], 1, axis=0) if (~blank).any() else np.zeros(3)
        return np.broadcast_to(brightest.astype(np.float32), density.shape)
    glass, slope = glass.copy(), _slope(coarse)
    um = step * mpp
    for _ in range(_ROUNDS):
        near, far = (_surface(coarse, glass, [s / um for s in sigmas]) for sigmas in ((150, 500, 2000), (1000, 4000)))
        over = coarse - far
        plain = (over[..., 0] < _RED) & (over[..., 1] - over[..., 2] < _TINT)
        grown = valid & plain & (np.abs(coarse - near).max(2) < _NEAR) & (slope < _SMOOTH)
        if not grown.any() or (grown == glass).all():
            break
        glass = grown
    model = _surface(coarse, glass, [s / um for s in (150, 500, 2000)])
    full = ndimage.zoom(model, (step, step, 1), order=1, grid_mode=True, mode="nearest") if step > 1 else model
    return full[: density.shape[0], : density.shape[1]]


def _reduced(density: np.ndarray, blank: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    h, w = density.shape[:2]
    rows, columns = -(-h // step), -(-w // step)
    pad = ((0, rows * step - h), (0, columns * step - w))
    cells = np.pad(density, (*pad, (0, 0)), mode="edge").reshape(rows, step, columns, step, 3)
    covered = np.pad(blank, pad, mode="edge").reshape(rows, step, columns, step)
    return cells.mean((1, 3)), ~covered.any((1, 3))


def _slope(coarse: np.ndarray) -> np.ndarray:
    green = coarse[..., 1]
    return np.hypot(ndimage.sobel(green, 0), ndimage.sobel(green, 1)) / 8


def _first_glass(coarse: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Find what has the most frequent of the bright smooth colours."""
    smooth = valid & (_slope(coarse) < _SMOOTH)
    # Tinted more than this it is no glass: stained tissue without any glass beside it.
    smooth &= coarse[..., 1] - coarse.min(2) < 0.2
    if not smooth.any():
        return smooth
    green = coarse[..., 1]
    bright = smooth & (green < np.percentile(green[smooth], 2) + 0.12)
    usual = np.median(coarse[bright], axis=0)
    return bright & (np.abs(coarse - usual).max(2) < 0.06)


def _surface(coarse: np.ndarray, glass: np.ndarray, sigmas_px: list[float]) -> np.ndarray:
    """Smooth the glass's density; where there is none near by, wider neighbourhoods speak."""
    weight = glass.astype(np.float32)
    planes = np.concatenate([coarse * weight[..., None], weight[..., None]], axis=2)
    total = np.append(coarse[glass].mean(0), 1.0) * 1e-9
    trust = 1.0
    summed = np.broadcast_to(total, planes.shape).astype(np.float64)
    for sigma in sigmas_px:
        summed += trust * _blurred(planes, sigma)
        trust *= 1e-2
    return (summed[..., :3] / summed[..., 3:]).astype(np.float32)


def _blurred(planes: np.ndarray, sigma: float) -> np.ndarray:
    """Blur like a Gaussian with three box filters, whose cost does not grow with `sigma`."""
    size = max(1, round(np.sqrt(4 * sigma**2 + 1)))
    for _ in range(3):
        planes = ndimage.uniform_filter(planes, (size, size, 0) if size > 1 else 1, mode="constant")
    return planes
