"""Pictures of sections at a scale fit for registration, and moving pictures and masks by a transform."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from histoscribe.core.errors import SlideError
from histoscribe.tiles._section_mask import section_mask

if TYPE_CHECKING:
    from histoscribe.align.transform import Transform
    from histoscribe.core.section import Section

#: Band of sizes that pictures are compared in, um: sister sections share glands and vessels; nuclei are not the same
#: ones, and the stain's slow gradients are not the tissue's.
_BAND_UM = (40.0, 300.0)

__all__ = ["Picture", "section_picture", "warp", "warp_picture"]


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

    @cached_property
    def band(self) -> np.ndarray:
        """``(h, w)`` float32 darkness of the tissue in a band of sizes, 40 to 300 um; the same however it is turned."""
        tissue = self.tissue.astype(np.float32)
        dark = self.darkness() * tissue

        def smooth(um: float) -> np.ndarray:
            # Over tissue alone: glass beside it would make every outline look alike.
            sigma = um / self.mpp
            return gaussian_filter(dark, sigma, truncate=3) / np.maximum(
                gaussian_filter(tissue, sigma, truncate=3), 1e-3
            )

        return smooth(_BAND_UM[0]) - smooth(_BAND_UM[1])


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
    channels = [warp(channel, picture, motion, like=like, outside=255) for channel in np.moveaxis(picture.pixels, 2, 0)]
    tissue = warp(picture.tissue.astype(np.float32), picture, motion, like=like) >= 0.5
    return Picture(np.stack(channels, axis=2), tissue, like.mpp, like.origin_um)


def warp(values: np.ndarray, picture: Picture, motion: Transform, *, like: Picture, outside: float = 0.0) -> np.ndarray:
    """Move ``(h, w)`` values that lie on the px of `picture` onto those of `like`, by linear interpolation."""
    back = motion.inverse().matrix
    linear, shift = back[:2, :2], back[:2, 2]
    # px (column, row) of the result -> um there -> um here -> px here; a px's centre lies half a px into it.
    half = np.full(2, 0.5)
    offset = (linear @ (like.origin_um + half * like.mpp) + shift - picture.origin_um) / picture.mpp - half
    matrix = linear * (like.mpp / picture.mpp)
    # Rows are y and come first.
    return affine_transform(
        values, matrix[::-1, ::-1], offset[::-1], output_shape=like.tissue.shape, order=1, cval=outside
    )
