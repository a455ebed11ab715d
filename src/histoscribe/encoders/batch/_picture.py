"""A picture of each slide with its tiles: what was taken for tissue, seen at a glance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.files import atomic_path

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from histoscribe.core.section import Section

__all__ = ["write_picture"]

_MAX_PX = 1000
#: Okabe and Ito's blue: told from pink and purple by colour-blind eyes.
_COLOUR = (0, 114, 178)
#: More outlines than this are a surface: their share of it is shaded instead.
_MAX_OUTLINES = 20_000


def write_picture(section: Section, path: Path) -> None:
    """Draw the smallest tiles of a section on a thumbnail of its slide (PNG, longer side 1000 px)."""
    from PIL import Image, ImageDraw

    assert section.slide is not None
    assert section.grid is not None
    pixels = section.slide.thumbnail(max_px=_MAX_PX)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    scale = picture.width / section.slide.size[0]
    half = section.grid.side_px(min(section.grid.sides_um)) / 2
    low, high = (section.grid.centres - half) * scale, (section.grid.centres + half) * scale
    draw = ImageDraw.Draw(picture)
    if len(low) <= _MAX_OUTLINES:
        for (x0, y0), (x1, y1) in zip(low.tolist(), high.tolist(), strict=True):
            draw.rectangle((x0, y0, x1, y1), outline=_COLOUR)
    else:
        picture = _shaded(picture, low, high)
    with atomic_path(path) as temporary:
        picture.save(temporary, format="png")


def _shaded(picture: Image.Image, low: np.ndarray, high: np.ndarray) -> Image.Image:
    from PIL import Image

    covered = np.zeros((picture.height, picture.width), dtype=bool)
    for (x0, y0), (x1, y1) in zip(np.floor(low).astype(int), np.ceil(high).astype(int), strict=True):
        covered[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)] = True
    mixed = np.asarray(picture).copy()
    mixed[covered] = (mixed[covered] * 0.6 + np.asarray(_COLOUR) * 0.4).astype(np.uint8)
    return Image.fromarray(mixed)
