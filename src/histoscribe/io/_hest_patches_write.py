"""Write patch files as HEST's current patcher lays them out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from histoscribe.core.files import atomic_path
from histoscribe.core.progress import progress

if TYPE_CHECKING:
    from pathlib import Path

    from histoscribe.core.section import Section

__all__ = ["write_patches"]

#: 224 px at 0.5 um/px, 112 um.
_TILE_PX, _TARGET_MPP = 224, 0.5
#: A patch is kept if at least this share of it is tissue; the share is taken at so many points along a side.
_MIN_TISSUE, _POINTS = 0.15, 16


def write_patches(section: Section, path: Path, *, mask: Any | None) -> int:
    """Write ``img``, ``coords`` and ``barcode`` with their attributes; return the number of patches.

    `coords` is the top-left corner (x, y) in whole level-0 px: centre minus half the side, both rounded down.

    Parameters
    ----------
    section
        A section with a slide.
    path
        The ``.h5``.
    mask
        `TissueMask` of the slide; patches with less than 15 % tissue are left out. None keeps all that touch the slide.
    """
    assert section.slide is not None
    side = round(_TILE_PX * _TARGET_MPP / section.mpp)
    corners = np.floor(section.xy - side // 2).astype(np.int64)
    size = np.asarray(section.slide.size)
    keep = ((corners + side > 0) & (corners < size)).all(1)
    if mask is not None:
        keep &= _tissue_share(corners, side, mask) >= _MIN_TISSUE
    rows = np.flatnonzero(keep)
    attributes = {
        "patch_size_src": side,
        "patch_size_target": _TILE_PX,
        "downsample": _TARGET_MPP / section.mpp,
        "pixel_size": section.mpp,
    }
    shape = (len(rows), _TILE_PX, _TILE_PX, 3)
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        images = (
            file.create_dataset("img", shape, np.uint8, chunks=(1, *shape[1:]), compression="gzip", compression_opts=1)
            if len(rows)
            else file.create_dataset("img", shape, np.uint8)
        )
        names = section.table.obs_names[rows].to_numpy().astype("S")
        file.create_dataset("barcode", data=names.reshape(-1, 1) if len(rows) else np.zeros((0, 1), "S1"))
        file.create_dataset("coords", data=corners[rows])
        for key, value in attributes.items():
            images.attrs[key] = file["coords"].attrs[key] = value
        images.attrs["name"] = section.name
        with progress("patches", len(rows)) as advance:
            for i, row in enumerate(rows):
                x, y = map(int, corners[row])
                out = (_TILE_PX, _TILE_PX)
                images[i] = section.slide.region(x, y, width=side, height=side, out=out).pixels
                advance(1)
    return len(rows)


def _tissue_share(corners: np.ndarray, side: int, mask: Any) -> np.ndarray:
    """Return the share of each square that is tissue, ``(n,)``."""
    steps = (np.arange(_POINTS) + 0.5) * side / _POINTS
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    # In batches: 256 points for each of a million bins would take gigabytes.
    parts = [mask.at(corners[i : i + 4096, None] + grid).mean(1) for i in range(0, len(corners), 4096)]
    return np.concatenate(parts) if parts else np.zeros(0)
