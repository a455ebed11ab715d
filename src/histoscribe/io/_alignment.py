"""Where an H&E image lies on an imaging platform's section: an affine, or key points marked by a person.

A platform measures in um and draws in pixels of its own fluorescence images; an H&E image of the same section has other
pixels. Xenium Explorer exports the relation as a 3 x 3 matrix (H&E px to morphology px), or as the key points it was
made from.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from histoscribe.core.errors import CoordinateError, DataError, ScaleError, SlideError
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import open_image
from histoscribe.io._files import existing, open_text
from histoscribe.io._lattice import MPP_TOLERANCE, agree

if TYPE_CHECKING:
    from histoscribe.core.pixels import PixelSource

__all__ = ["Frame", "Placement", "place", "read_alignment"]

#: Key points further from their affine than this (root mean square) were not marked on the same places, um: half of a
#: 112 um tile. What people mark by hand fits to some um.
_MAX_RESIDUAL_UM = 50.0
#: The two axes of an affine may differ by this share: sections stretch between stainings, but not more.
_MAX_ANISOTROPY = 0.1
_KEYPOINTS = ("fixedX", "fixedY", "alignmentX", "alignmentY")


@dataclass(frozen=True, eq=False)
class Frame:
    """A platform's own pixels.

    Attributes
    ----------
    from_um
        ``(2, 3)`` affine: px from um.
    name
        What its pixels are, for messages, e.g. "Xenium morphology px".
    images
        Starts of the names of its fluorescence images, lower case.
    notes
        Where its scale comes from.
    """

    from_um: np.ndarray
    name: str
    images: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def scaled(cls, mpp: float, name: str, images: tuple[str, ...], *notes: str) -> Frame:
        """Make a frame whose origin is that of the um coordinates."""
        return cls(np.array([[1 / mpp, 0, 0], [0, 1 / mpp, 0]]), name, images, notes)


@dataclass(frozen=True, eq=False)
class Placement:
    """Where um coordinates lie in px of `slide` (or of the platform's frame, where there is none).

    Attributes
    ----------
    affine
        ``(2, 3)`` px from um.
    mpp
        um per px.
    slide
        H&E image, or None.
    notes
        How the image was placed.
    """

    affine: np.ndarray
    mpp: float
    slide: PixelSource | None
    notes: list[str]

    def __call__(self, um: np.ndarray) -> np.ndarray:
        """Return ``(n, 2)`` px of ``(n, 2)`` um."""
        return um @ self.affine[:, :2].T + self.affine[:, 2]


def place(
    frame: Frame, folder: Path, *, image: str | None, alignment: str | None, mpp: float | None, where: str
) -> Placement:
    """Place a section on its H&E image, or in the platform's own px where none is given.

    Raises
    ------
    SlideError
        If the image is the platform's fluorescence, or no alignment says how it lies.
    ScaleError
        If the affine is not one of a section, or `mpp` contradicts it.
    """
    if image is None or image == "none":
        if alignment is not None:
            msg = f"{where}: alignment={alignment} places an H&E image, but none is given. Give image=<H&E image>, too."
            raise SlideError(msg)
        used = agree(_mpp(frame.from_um), mpp, where=where, how=frame.name)
        return Placement(frame.from_um, used, None, [*frame.notes, f"no H&E image; positions are in {frame.name}"])
    _refuse_fluorescence(Path(image), frame, where)
    notes = list(frame.notes)
    if alignment == "identity":
        to_image = np.eye(3)[:2]
        notes.append(f"the image is taken to be in {frame.name}")
    else:
        path = _alignment_path(folder, Path(image), alignment, frame, where)
        scale = _mpp(frame.from_um)
        to_image, note = read_alignment(path, frame_mpp=scale, where=where)
        notes.append(f"{note} ({path.name})")
    total = to_image @ np.vstack([frame.from_um, [0, 0, 1]])
    derived = check_mpp(_mpp(total), where=f"{where}: alignment {alignment}", remedy="Check the alignment file.")
    slide = open_image(image, where=where)
    if slide.mpp is not None and abs(slide.mpp / derived - 1) > MPP_TOLERANCE:
        notes.append(f"the image states {slide.mpp:.4g} um/px, the alignment says {derived:.4g}, which is used")
    return Placement(total, agree(derived, mpp, where=where, how="the alignment"), slide, notes)


def read_alignment(path: Path, *, frame_mpp: float, where: str) -> tuple[np.ndarray, str]:
    """Read a 3 x 3 matrix (image px to frame px) or a table of key points.

    Parameters
    ----------
    path
        Text file. Key points have the columns fixedX, fixedY (frame px) and alignmentX, alignmentY (image px).
    frame_mpp
        um per px of the frame.
    where
        Name for messages.

    Returns
    -------
    ``(2, 3)`` affine from frame px to image px, and a sentence that says what it is based on.
    """
    path = existing(path, what=f"{where}: alignment", remedy="Give alignment=<file>.")
    with open_text(path, what="alignment") as handle:
        text = handle.read()
    header = [c.strip().strip('"') for c in text.partition("\n")[0].split(",")]
    if set(_KEYPOINTS) <= set(header):
        return _from_keypoints(path, text, frame_mpp, where)
    rows = [line.replace(",", " ").split() for line in text.splitlines() if line.strip()]
    try:
        matrix = np.array([[float(v) for v in row] for row in rows])
        sound = matrix.shape == (3, 3) and np.isfinite(matrix).all() and np.allclose(matrix[2], (0, 0, 1))
    except ValueError:
        sound = False
    if not sound:
        msg = (
            f"{where}: alignment {path} is neither a 3 x 3 affine (last row 0, 0, 1) nor a table with the columns "
            f"{', '.join(_KEYPOINTS)}. Export it from Xenium Explorer again."
        )
        raise DataError(msg)
    _check_affine(matrix[:2], path, where)
    return np.linalg.inv(matrix)[:2], "H&E placed by a 3 x 3 affine"


def _from_keypoints(path: Path, text: str, frame_mpp: float, where: str) -> tuple[np.ndarray, str]:
    from io import StringIO

    table = pd.read_csv(StringIO(text))[list(_KEYPOINTS)].apply(pd.to_numeric, errors="coerce")
    points = table.to_numpy(dtype=np.float64)
    fixed, moved = points[:, :2], points[:, 2:]
    design = np.column_stack([fixed, np.ones(len(fixed))])
    centred = fixed - fixed.mean(0) if len(fixed) else fixed
    spread = np.linalg.svd(centred, compute_uv=False) if len(fixed) > 2 else np.zeros(2)
    if not np.isfinite(points).all() or len(points) < 3 or spread[1] < 1e-3 * spread[0]:
        msg = (
            f"{where}: alignment {path} has {len(points)} key points; an affine needs three or more, with numbers in "
            "all columns and not on one line. Mark more points."
        )
        raise CoordinateError(msg)
    solution = np.linalg.lstsq(design, moved, rcond=None)[0]
    affine = solution.T  # (2, 3): image px from frame px
    _check_affine(affine, path, where)
    residual = float(np.sqrt(((design @ solution - moved) ** 2).sum(1).mean()))
    residual_um = residual * frame_mpp * _mpp(affine)
    if residual_um > _MAX_RESIDUAL_UM:
        msg = (
            f"{where}: the {len(points)} key points of {path} lie {residual_um:.0f} um (root mean square) off the "
            "affine that fits them best, so some were not marked on the same place. Remove or mark them again."
        )
        raise CoordinateError(msg)
    kept = "exactly, as three points always do" if len(points) == 3 else f"to {residual_um:.1f} um (root mean square)"
    return affine, f"H&E placed by the affine of {len(points)} key points, which it fits {kept}"


def _check_affine(affine: np.ndarray, path: Path, where: str) -> None:
    long, short = np.linalg.svd(affine[:, :2], compute_uv=False)
    if short <= 0 or long / short - 1 > _MAX_ANISOTROPY:
        msg = (
            f"{where}: the affine of {path} stretches one axis {long / max(short, 1e-12):.3g} times as much as the "
            "other, which a section of the same tissue cannot. Check the file, or mark the key points again."
        )
        raise ScaleError(msg)


def _alignment_path(folder: Path, image: Path, alignment: str | None, frame: Frame, where: str) -> Path:
    if alignment is not None:
        return Path(alignment)
    patterns = ("*imagealignment*.csv", "*keypoints*.csv")
    places = dict.fromkeys((folder, image.parent))
    found = sorted({p.resolve() for place in places for pattern in patterns for p in place.glob(pattern)})
    own = [p for p in found if p.name.startswith(image.name.split(".")[0])]
    if len(own) == 1 or len(found) == 1:
        return own[0] if len(own) == 1 else found[0]
    have = f"{len(found)} files could say it ({', '.join(p.name for p in found)})" if found else "no file says how"
    msg = (
        f"{where}: {have} {image.name} lies on the section. Give alignment=<3 x 3 affine or key points>, or "
        f"alignment=identity if the image is in {frame.name}."
    )
    raise SlideError(msg)


def _refuse_fluorescence(image: Path, frame: Frame, where: str) -> None:
    if image.name.lower().startswith(frame.images):
        msg = (
            f"{where}: {image.name} is fluorescence (DAPI or a marker), not H&E: tissue masks, stain and encoders do "
            "not hold for it. Give image=<H&E image> with its alignment, or image=none for expression alone."
        )
        raise SlideError(msg)


def _mpp(affine: np.ndarray) -> float:
    """Return the scale that an affine divides by: um per px of an affine from um to px."""
    (a, b), (c, d) = affine[:, :2]
    return float(1 / np.sqrt(abs(a * d - b * c)))
