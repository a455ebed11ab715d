"""Write a tissue mask as outlines in HEST's current form: one polygon with its holes per piece."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.files import write_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_tissue"]


def write_tissue(mask: Any, path: Path) -> int:
    """Write the pieces of a `TissueMask` as GeoJSON in level-0 px; return their number."""
    # Comes with matplotlib, which draws with it.
    import contourpy

    # A rim of glass closes the outlines of tissue that touches the image's border.
    padded = np.pad(mask.mask.astype(np.float32), 1)
    pieces, offsets = contourpy.contour_generator(z=padded, fill_type="OuterOffset").filled(0.5, np.inf)
    features = []
    for number, (points, rings) in enumerate(zip(pieces, offsets, strict=True)):
        # Index 1 of the padded mask is its first px, whose centre is at half a step.
        xy = ((points - 0.5) * mask.step_px).round(2)
        outline = [xy[a:b].tolist() for a, b in pairwise(rings)]
        features.append(
            {
                "type": "Feature",
                "properties": {"tissue_id": number},
                "geometry": {"type": "Polygon", "coordinates": outline},
            }
        )
    write_json(path, {"type": "FeatureCollection", "features": features})
    return len(features)
