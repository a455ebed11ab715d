"""A rectangle of a section, as users write it: ``x0,y0,x1,y1um`` or ``x0,y0,x1,y1px``."""

from __future__ import annotations

import re

import numpy as np

from histoscribe.core.errors import CoordinateError

__all__ = ["in_region"]

_NUMBER = r"\s*([-+]?\d+(?:\.\d+)?)\s*"
_REGION = re.compile(rf"{','.join([_NUMBER] * 4)}(um|px)\s*")


def in_region(xy: np.ndarray, region: str, *, mpp: float, where: str) -> np.ndarray:
    """Tell which of ``(n, 2)`` centres (px; NaN lies nowhere) lie in `region`.

    Raises
    ------
    CoordinateError
        If the text is not a rectangle with a unit, or nothing lies in it.
    """
    match = _REGION.fullmatch(region)
    corners = [float(v) for v in match.groups()[:4]] if match else []
    if not corners or corners[2] <= corners[0] or corners[3] <= corners[1]:
        msg = f"{where}: region={region!r} is not x0,y0,x1,y1 with a unit. Give e.g. region=1000,1000,3000,3000um."
        raise CoordinateError(msg)
    unit = 1 / mpp if match and match[5] == "um" else 1.0
    x0, y0, x1, y1 = (v * unit for v in corners)
    inside = (xy[:, 0] >= x0) & (xy[:, 0] < x1) & (xy[:, 1] >= y0) & (xy[:, 1] < y1)
    if not inside.any():
        there = xy[np.isfinite(xy[:, 0])] / unit
        low, high = there.min(0), there.max(0)
        unit_name = match[5] if match else "px"
        msg = (
            f"{where}: nothing lies in region={region!r}; the observations reach from {low[0]:.0f},{low[1]:.0f} to "
            f"{high[0]:.0f},{high[1]:.0f} {unit_name}. Give a part of that."
        )
        raise CoordinateError(msg)
    return inside
