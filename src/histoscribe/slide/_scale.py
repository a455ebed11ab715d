"""What a file says about its scale, believed only where it can be true."""

from __future__ import annotations

import math
from typing import Any

from histoscribe.core.units import MPP_RANGE

__all__ = ["square_mpp"]

#: Pixels are square; a file whose two scales differ more than this is wrong in at least one.
_SQUARE = 0.02


def square_mpp(x: Any, y: Any) -> float | None:
    """Return the mean of two scales in um per px, or None where they are no numbers, implausible, or disagree.

    Examples
    --------
    >>> square_mpp("0.499", "0.499")
    0.499
    >>> square_mpp(352.8, 352.8) is None  # 72 dpi: what a program writes that does not know
    True
    """
    try:
        x, y = float(x), float(y)
    except (TypeError, ValueError):
        return None
    low, high = MPP_RANGE
    if not all(math.isfinite(v) and low <= v <= high for v in (x, y)) or abs(x / y - 1) > _SQUARE:
        return None
    return (x + y) / 2
