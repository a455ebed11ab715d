"""Edge and nuclei maps of a slide by classical filters: substitutes for PiDiNet and HoVer-Net, not those networks."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from histoscribe.core.errors import SlideError
from histoscribe.core.files import atomic_path, cache_dir, digest
from histoscribe.tiles._stain import DENSITY, HAEMATOXYLIN

if TYPE_CHECKING:
    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section

__all__ = ["BoundaryMaps", "boundary_maps", "edges_and_nuclei"]

#: Raised whenever the same pixels would give other maps.
_FORMAT = "maps-1"
#: Side of the squares that are computed and kept one by one, map px, and the rim read around each, um.
_BLOCK_PX, _RIM_UM = 1024, 60.0
#: Longer side of the thumbnail that tells a slide's white and its strongest stain, px.
_THUMBNAIL_PX = 1024
#: Blur before the gradient is taken, um: below a nucleus, above the grain of a scan.
_EDGE_SIGMA_UM = 1.0
#: Change of relative haematoxylin per um that counts as a full edge.
_FULL_EDGE = 0.4
#: Radius of the smallest nucleus and reach of the background that a nucleus is compared with, um.
_NUCLEUS_UM, _BACKGROUND_UM = 1.5, 15.0
#: Relative haematoxylin that a nucleus has at least above its background, and what is a nucleus whatever surrounds it.
_ABOVE_BACKGROUND, _SURELY = 0.10, 0.75


@dataclass(frozen=True, eq=False)
class BoundaryMaps:
    """Two maps of one slide, 0-255; computed where a section's tiles need them, 0 elsewhere.

    Attributes
    ----------
    edges, nuclei
        ``(h, w)`` uint8.
    mpp
        um per px of the maps.
    """

    edges: np.ndarray
    nuclei: np.ndarray
    mpp: float


def edges_and_nuclei(relative: np.ndarray, *, mpp: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute both maps from haematoxylin relative to the slide's strongest.

    Edges: magnitude of the Gaussian derivative (sigma 1 um), 255 at a change of 0.4 per um. Nuclei: pixels that stand
    0.10 out of the mean within about 15 um, or reach 0.75 by themselves, after an opening by the smallest nucleus.

    Parameters
    ----------
    relative
        ``(h, w)`` float32, about 0-1.
    mpp
        um per px.
    """
    sigma = max(_EDGE_SIGMA_UM / mpp, 0.5)
    slope = ndimage.gaussian_gradient_magnitude(relative, sigma) / mpp
    edges = np.clip(slope * (255.0 / _FULL_EDGE), 0, 255).astype(np.uint8)
    smooth = ndimage.gaussian_filter(relative, sigma)
    background = ndimage.uniform_filter(smooth, round(2 * _BACKGROUND_UM / mpp) | 1)
    nuclei = (smooth > background + _ABOVE_BACKGROUND) & (smooth > _ABOVE_BACKGROUND) | (smooth > _SURELY)
    radius = _NUCLEUS_UM / mpp
    reach = int(radius)
    if reach:
        y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        nuclei = ndimage.binary_opening(nuclei, x**2 + y**2 <= radius**2)
    return edges, nuclei.astype(np.uint8) * np.uint8(255)


def boundary_maps(section: Section, *, reach_um: float, mpp: float) -> BoundaryMaps:
    """Return the maps of a section's slide around its observations; squares that were computed come from the cache.

    Parameters
    ----------
    section
        A section with a slide.
    reach_um
        How far from an observation, along x and y, the maps must reach.
    mpp
        um per px of the maps.

    Raises
    ------
    SlideError
        If the section has no slide.
    """
    slide = section.slide
    if slide is None:
        msg = f"section {section.name!r} has no slide, so it has no edges. Read it with its image."
        raise SlideError(msg)
    width, height = (max(1, int(side * section.mpp / mpp)) for side in slide.size)
    out = np.zeros((2, height, width), dtype=np.uint8)
    folder = cache_dir() / "maps" / _key(slide, section.mpp, mpp)
    stain = None
    for row, column in _needed(section.xy_um / mpp, reach_um / mpp, (height, width)):
        path = folder / f"{row}-{column}.npy"
        if not path.is_file():
            stain = _Stain.of(slide) if stain is None else stain
            block = _block(slide, stain, row, column, scale=mpp / section.mpp, mpp=mpp, shape=(height, width))
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, block)
        y, x = row * _BLOCK_PX, column * _BLOCK_PX
        out[:, y : y + _BLOCK_PX, x : x + _BLOCK_PX] = np.load(path)
    return BoundaryMaps(out[0], out[1], mpp)


@dataclass(frozen=True, eq=False)
class _Stain:
    """A slide's white level per channel, as density, and the haematoxylin of its darkest percent."""

    white: np.ndarray
    strongest: float

    @classmethod
    def of(cls, slide: PixelSource) -> _Stain:
        pixels = slide.thumbnail(max_px=_THUMBNAIL_PX)
        white = DENSITY[np.percentile(pixels.reshape(-1, 3), 99, axis=0).astype(np.uint8)]
        amount = (DENSITY[pixels] - white) @ HAEMATOXYLIN
        return cls(white, max(float(np.percentile(amount, 99)), 0.05))

    def relative(self, pixels: np.ndarray) -> np.ndarray:
        """``(h, w, 3)`` uint8 -> ``(h, w)`` float32, 0 at white and 1 at the slide's darkest percent."""
        tables = ((DENSITY[:, None] - self.white) * HAEMATOXYLIN / self.strongest).astype(np.float32)  # (256, 3)
        return tables[pixels[..., 0], 0] + tables[pixels[..., 1], 1] + tables[pixels[..., 2], 2]


def _key(slide: PixelSource, slide_mpp: float, mpp: float) -> str:
    reader = f"{type(slide).__module__}.{type(slide).__qualname__}"
    constants = repr((_EDGE_SIGMA_UM, _FULL_EDGE, _NUCLEUS_UM, _BACKGROUND_UM, _ABOVE_BACKGROUND, _SURELY))
    versions = [version(name) for name in ("scipy", "imagecodecs", "openslide-bin", "pillow")]
    return digest(_FORMAT, slide.digest(), reader, repr((float(slide_mpp), float(mpp))), constants, *versions)


def _needed(xy: np.ndarray, reach: float, shape: tuple[int, int]) -> list[tuple[int, int]]:
    """Return row and column of each block that a square of half-side `reach` around a point touches; all in map px."""
    last = (np.array(shape)[::-1] - 1) // _BLOCK_PX
    low = np.clip((xy - reach - 1) // _BLOCK_PX, 0, last).astype(int)
    high = np.clip((xy + reach + 1) // _BLOCK_PX, 0, last).astype(int)
    spans = np.unique(np.concatenate([low, high], axis=1), axis=0)
    found = {(r, c) for x0, y0, x1, y1 in spans for r in range(y0, y1 + 1) for c in range(x0, x1 + 1)}
    return sorted(found)


def _block(
    slide: PixelSource, stain: _Stain, row: int, column: int, *, scale: float, mpp: float, shape: tuple[int, int]
) -> np.ndarray:
    """Compute one block, ``(2, h, w)`` uint8; `scale` is level-0 px per map px."""
    rim = round(_RIM_UM / mpp)
    y, x = row * _BLOCK_PX, column * _BLOCK_PX
    h, w = min(_BLOCK_PX, shape[0] - y), min(_BLOCK_PX, shape[1] - x)
    out = (w + 2 * rim, h + 2 * rim)
    region = slide.region((x - rim) * scale, (y - rim) * scale, width=out[0] * scale, height=out[1] * scale, out=out)
    both = edges_and_nuclei(stain.relative(region.pixels), mpp=mpp)
    return np.stack([found[rim : rim + h, rim : rim + w] for found in both])
