"""Pictures of sections at a scale fit for registration, and moving pictures and masks by a transform."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import affine_transform

from histoscribe.core.errors import SlideError
from histoscribe.tiles._section_mask import section_mask

if TYPE_CHECKING:
    from histoscribe.align.transform import Transform
    from histoscribe.core.section import Section

__all__ = ["Picture", "section_picture", "warp_picture"]


@dataclass(frozen=True, eq=False)
class Picture:
    """A whole slide, small enough to hold in memory.

    Attributes
    ----------
    pixels
        RGB, ``(h, w, 3)`` uint8.
    tissue
        ``(h, w)`` bool, True on tissue.
    mpp
        um per px of the picture.
    origin_um
        ``(2,)`` x, y of the picture's top-left corner in its frame, um.
    """

    pixels: np.ndarray
    tissue: np.ndarray
    mpp: float
    origin_um: np.ndarray

    @property
    def size_um(self) -> np.ndarray:
        """Width and height, um."""
        return np.array(self.tissue.shape[::-1]) * self.mpp

    def darkness(self) -> np.ndarray:
        """``(h, w)`` float32, 0 on white to 1 on black."""
        return 1.0 - self.pixels.astype(np.float32).mean(2) / 255.0


def section_picture(section: Section, *, mpp: float) -> Picture:
    """Read a section's slide at a scale, with its tissue; in um from the slide's top-left corner.

    Parameters
    ----------
    section
        A section with a slide.
    mpp
        um per px wanted; never finer than the slide.

    Raises
    ------
    SlideError
        If there is no slide, or no tissue on it.
    """
    if section.slide is None:
        msg = f"section {section.name!r} has no slide to take a picture of. Read it with its image."
        raise SlideError(msg)
    mpp = max(mpp, section.mpp)
    width, height = section.slide.size
    w, h = (max(1, int(side * section.mpp / mpp)) for side in (width, height))
    # What is left of a px at the right and at the bottom is cut, so that the scale is exact.
    step = mpp / section.mpp
    pixels = section.slide.region(0.0, 0.0, width=w * step, height=h * step, out=(w, h)).pixels
    ys, xs = np.mgrid[:h, :w]
    tissue = section_mask(section).at((np.stack([xs, ys], axis=-1) + 0.5) * step)
    return Picture(pixels, tissue, mpp, np.zeros(2))


def warp_picture(picture: Picture, motion: Transform, *, like: Picture) -> Picture:
    """Move a picture and its tissue by the transform that moves its points.

    Parameters
    ----------
    picture
        To be moved.
    motion
        From the picture's frame to that of `like`.
    like
        Picture whose frame, scale and size the result has.

    Returns
    -------
    The moved picture; white, and no tissue, where the slide does not reach.
    """
    back = motion.inverse().matrix
    linear, shift = back[:2, :2], back[:2, 2]
    # px (column, row) of the result -> um there -> um here -> px here; a px's centre lies half a px into it.
    to_px = linear * (like.mpp / picture.mpp)
    half = np.full(2, 0.5)
    offset = (linear @ (like.origin_um + half * like.mpp) + shift - picture.origin_um) / picture.mpp - half
    # Rows are y and come first.
    matrix, offset = to_px[::-1, ::-1], offset[::-1]
    shape = like.tissue.shape
    channels = [
        affine_transform(channel, matrix, offset, output_shape=shape, order=1, cval=255)
        for channel in np.moveaxis(picture.pixels, 2, 0)
    ]
    tissue = affine_transform(picture.tissue.astype(np.float32), matrix, offset, output_shape=shape, order=1) >= 0.5
    return Picture(np.stack(channels, axis=2), tissue, like.mpp, like.origin_um)
