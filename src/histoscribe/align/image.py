"""Register the H&E images of two sections, starting from their observations; kept only where it helps."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.ndimage import gaussian_filter

from histoscribe.align.picture import Picture, section_picture, warp_picture
from histoscribe.align.transform import Affine, Rigid
from histoscribe.core.errors import HistoScribeError

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["ImageRegistration", "Images", "need", "register_images"]

Images = Literal["never", "intensity", "keypoints", "auto"]

#: Longer side of the pictures, px: 6 um/px for a section of her2st, where glands and vessels are sharp.
_MAX_PX = 1000
_MIN_MPP = 2.0
#: Side of the blocks of which every second is held out, um: wider than what is alike by smoothing.
_BLOCK_UM = 500.0
#: Smoothing of pictures before they are compared, um: sister sections share glands, not nuclei.
_SMOOTH_UM = 20.0
#: Gain of similarity on held-out blocks below which a registration has shown nothing.
_GAIN = 0.005
#: Farther from where the observations put it, in their distances, or stretched more, a section is lost.
_MAX_SHIFT = 4.0
_STRETCH = (0.9, 1.1)


@dataclass(frozen=True, eq=False)
class ImageRegistration:
    """What registering images came to.

    Attributes
    ----------
    motion
        From the moving section's frame to the fixed one's; the start, where no image registration was better.
    source
        ``"intensity"``, ``"keypoints"``, or ``"observations"`` where the start was kept.
    before, after
        Correlation of the two images' darkness on held-out blocks of tissue, before and after; -1 to 1.
    """

    motion: Rigid | Affine
    source: str
    before: float
    after: float


def register_images(
    moving: Section, fixed: Section, start: Rigid, *, images: Images = "auto", pitch_um: float, seed: int = 0
) -> ImageRegistration:
    """Improve a motion by the images of two sections.

    Both pictures have at most 1,000 px on the longer side. Half of the tissue (a checkerboard of 500 um blocks) is
    registered on; the other half tells whether that helped: a result is kept if the correlation of the pictures there
    rises by 0.005 or more, and the observations move by less than 4 of their distances.

    Parameters
    ----------
    moving, fixed
        Sections with slides.
    start
        Motion found from the observations.
    images
        ``"intensity"``: mutual information, rigid, then affine (SimpleITK). ``"keypoints"``: SIFT and RANSAC, rigid
        (scikit-image). ``"auto"``: both; the better one on held-out blocks is kept.
    pitch_um
        Distance of neighbouring observations, um.
    seed
        Of RANSAC.

    Raises
    ------
    HistoScribeError
        If the package that is needed is not installed.
    SlideError
        If a section has no slide, or no tissue on it.
    """
    extent = max(np.ptp(np.concatenate([s.xy_um, s.xy_um]), axis=0).max() for s in (moving, fixed))
    mpp = max(_MIN_MPP, 1.2 * float(extent) / _MAX_PX, moving.mpp, fixed.mpp)
    pictures = (section_picture(moving, mpp=mpp), section_picture(fixed, mpp=mpp))
    blocks = checkerboard(pictures[1])
    before = best_score = held_out_similarity(*pictures, start, held_out=~blocks)
    best, source = start, "observations"
    for name in ("intensity", "keypoints") if images == "auto" else (images,):
        register = import_module(f"histoscribe.align.by_{name}").register
        for motion in register(*pictures, start, blocks=blocks, reach_um=_MAX_SHIFT * pitch_um, seed=seed):
            if not _plausible(motion, start, moving.xy_um, limit_um=_MAX_SHIFT * pitch_um):
                continue
            score = held_out_similarity(*pictures, motion, held_out=~blocks)
            if score >= max(best_score, before + _GAIN):
                best, best_score, source = motion, score, name
    return ImageRegistration(best, source, before, best_score)


def checkerboard(picture: Picture) -> np.ndarray:
    """Return ``(h, w)`` bool, True on every second block."""
    side = max(1, round(_BLOCK_UM / picture.mpp))
    ys, xs = np.indices(picture.tissue.shape)
    return (xs // side + ys // side) % 2 == 0


def held_out_similarity(moving: Picture, fixed: Picture, motion: Rigid | Affine, *, held_out: np.ndarray) -> float:
    """Correlate the darkness of two pictures, smoothed by 20 um, over tissue in held-out blocks; -1 to 1."""
    moved = warp_picture(moving, motion, like=fixed)
    where = moved.tissue & fixed.tissue & held_out
    if where.sum() < 100:
        return -1.0
    one, two = (gaussian_filter(p.darkness(), _SMOOTH_UM / p.mpp)[where] for p in (moved, fixed))
    if not (one.std() and two.std()):
        return -1.0
    return float(np.corrcoef(one, two)[0, 1])


def need(package: str) -> object:
    """Import an optional package, or say which extra brings it.

    Raises
    ------
    HistoScribeError
        If the package is not installed.
    """
    try:
        return import_module(package)
    except ImportError as err:
        msg = (
            f"registering images needs {package.partition('.')[0]}, which is not installed ({err}). "
            "Install it with: pip install 'histoscribe[registration]' - or align by observations alone: images='never'."
        )
        raise HistoScribeError(msg) from err


def _plausible(motion: Rigid | Affine, start: Rigid, xy_um: np.ndarray, *, limit_um: float) -> bool:
    if isinstance(motion, Affine):
        low, high = motion.stretch()
        if low < _STRETCH[0] or high > _STRETCH[1] or np.linalg.det(motion.linear) < 0:
            return False
    return bool(np.median(np.linalg.norm(motion(xy_um) - start(xy_um), axis=1)) <= limit_um)
