"""Register the H&E images of two sections, starting from their observations; kept only where it helps."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from histoscribe.align.picture import Picture, section_picture, warp
from histoscribe.align.transform import Affine, Rigid
from histoscribe.core.errors import HistoScribeError

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["ImageRegistration", "Images", "need", "register_images"]

Images = Literal["never", "intensity", "keypoints", "auto"]

#: Longer side of the pictures, px: 6 um/px for a section of her2st, where glands and vessels are sharp.
_MAX_PX = 1000
_MIN_MPP = 4.0
#: Side of the blocks of which every second is held out, um: wider than what is alike by smoothing.
_BLOCK_UM = 500.0
#: Gain of similarity on tissue not registered on below which a registration has shown nothing.
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
        Correlation of the two images' darkness on tissue that was not registered on, before and after; -1 to 1.
    """

    motion: Rigid | Affine
    source: str
    before: float
    after: float


def register_images(
    moving: Section, fixed: Section, start: Rigid, *, images: Images = "auto", pitch_um: float, seed: int = 0
) -> ImageRegistration:
    """Improve a motion by the images of two sections.

    Both pictures have at most about 1,000 px on the longer side. Whether a registration helps is told by tissue that
    it did not see: it is run on each half of a checkerboard of 500 um blocks and judged on the other half. Where the
    pictures' correlation there rises by 0.005 or more, and the observations move by less than 4 of their distances,
    the registration on all tissue is kept.

    Parameters
    ----------
    moving, fixed
        Sections with slides.
    start
        Motion found from the observations.
    images
        ``"intensity"``: mutual information, rigid, then affine (SimpleITK). ``"keypoints"``: SIFT and RANSAC, rigid
        (scikit-image). ``"auto"``: both; the better one on tissue not registered on is kept.
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
    sides = [max(s.slide.size) * s.mpp for s in (moving, fixed) if s.slide is not None]
    mpp = max(_MIN_MPP, *(side / _MAX_PX for side in sides), moving.mpp, fixed.mpp)
    pictures = (section_picture(moving, mpp=mpp), section_picture(fixed, mpp=mpp))
    blocks = checkerboard(pictures[1])
    halves = (blocks, ~blocks)
    before = best_score = float(np.mean([picture_similarity(*pictures, start, where=half) for half in halves]))
    best, source = start, "observations"
    for name in ("intensity", "keypoints") if images == "auto" else (images,):
        module = import_module(f"histoscribe.align.by_{name}")

        def register(where: np.ndarray, run: Any = module.register) -> list[Rigid | Affine]:
            return run(*pictures, start, blocks=where, reach_um=_MAX_SHIFT * pitch_um, seed=seed)

        seen = [register(half) for half in halves]
        # The k-th motion is of one kind: rigid, then affine.
        for k, motion in enumerate(register(np.ones_like(blocks))):
            pair = [found[k] for found in seen if len(found) > k]
            if len(pair) < 2 or not all(_plausible(m, start, moving.xy_um, pitch_um) for m in (motion, *pair)):
                continue
            scores = [picture_similarity(*pictures, m, where=w) for m, w in zip(pair, reversed(halves), strict=True)]
            if np.mean(scores) >= max(best_score, before + _GAIN):
                best, best_score, source = motion, float(np.mean(scores)), name
    return ImageRegistration(best, source, before, best_score)


def checkerboard(picture: Picture) -> np.ndarray:
    """Return ``(h, w)`` bool, True on every second block."""
    side = max(1, round(_BLOCK_UM / picture.mpp))
    ys, xs = np.indices(picture.tissue.shape)
    return (xs // side + ys // side) % 2 == 0


def picture_similarity(moving: Picture, fixed: Picture, motion: Rigid | Affine, *, where: np.ndarray) -> float:
    """Correlate the darkness of two pictures, in a band of 40 to 300 um, over the tissue in `where`; -1 to 1."""
    tissue = warp(moving.tissue.astype(np.float32), moving, motion, like=fixed) >= 0.5
    both = tissue & fixed.tissue & where
    if both.sum() < 100:
        return -1.0
    one, two = warp(moving.band, moving, motion, like=fixed)[both], fixed.band[both]
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


def _plausible(motion: Rigid | Affine, start: Rigid, xy_um: np.ndarray, pitch_um: float) -> bool:
    if isinstance(motion, Affine):
        low, high = motion.stretch()
        if low < _STRETCH[0] or high > _STRETCH[1] or np.linalg.det(motion.linear) < 0:
            return False
    return bool(np.median(np.linalg.norm(motion(xy_um) - start(xy_um), axis=1)) <= _MAX_SHIFT * pitch_um)
