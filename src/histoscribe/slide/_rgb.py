"""Bring decoded pixels of any layout to 8-bit RGB, by rules that do not depend on the image's content."""

from __future__ import annotations

import numpy as np

from histoscribe.core.errors import SlideError

__all__ = ["to_rgb"]

_ROWS = 256


def to_rgb(pixels: np.ndarray, *, where: str) -> np.ndarray:
    """Return ``(h, w, 3)`` uint8; pixels that are that already are not copied.

    - Grey becomes three equal channels.
    - A fourth (or second) channel is transparency and is laid on white, the colour of glass.
    - 16-bit colour is divided by 257. 16-bit grey is refused: it is fluorescence or a raw camera image, and any
      stretch to 8 bits would be a guess.

    Parameters
    ----------
    pixels
        ``(h, w)`` or ``(h, w, 1-4)``, uint8 or uint16.
    where
        What the pixels belong to, for the message.

    Raises
    ------
    SlideError
        If the layout or the type is another one.
    """
    samples = 1 if pixels.ndim == 2 else pixels.shape[2]
    if pixels.dtype == np.uint8 and pixels.ndim == 3 and samples == 3:
        return pixels
    if pixels.ndim not in {2, 3} or samples not in {1, 2, 3, 4} or pixels.dtype not in (np.uint8, np.uint16):
        msg = f"{where} has pixels of {pixels.dtype} and shape {pixels.shape}, not colours. Save it as 8-bit RGB."
        raise SlideError(msg)
    if pixels.dtype == np.uint16 and samples < 3:
        msg = f"{where} is 16-bit grey, not a stained section in colour. Give the H&E image, as 8-bit RGB."
        raise SlideError(msg)
    full = pixels.reshape(*pixels.shape[:2], samples)
    result = np.empty((*full.shape[:2], 3), dtype=np.uint8)
    for row in range(0, len(full), _ROWS):
        # In bands: the intermediate values of a whole slide would take many times its size.
        result[row : row + _ROWS] = _band(full[row : row + _ROWS])
    return result


def _band(pixels: np.ndarray) -> np.ndarray:
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    samples = pixels.shape[2]
    if samples in {1, 3}:
        return pixels
    alpha = pixels[..., -1:].astype(np.uint32)
    if alpha.min() == 255:
        return pixels[..., :-1]
    return ((pixels[..., :-1] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
