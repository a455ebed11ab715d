"""Micrometres and pixels: the one place where a scale is judged."""

from __future__ import annotations

import math

from histoscribe.core.errors import ScaleError

__all__ = ["MPP_RANGE", "check_mpp"]

#: um per level-0 pixel that a histology image can plausibly have: oil immersion to a slide overview.
MPP_RANGE = (0.05, 40.0)


def check_mpp(mpp: float | None, *, where: str, remedy: str = "Pass mpp=<um per pixel>.") -> float:
    """Return `mpp` as a float, or say why it cannot be a scale.

    Parameters
    ----------
    mpp
        um per level-0 px, or None where it is unknown.
    where
        What the scale belongs to, for the message (a section, a file).
    remedy
        What the user can do; closes the message.

    Raises
    ------
    ScaleError
        If `mpp` is None, not finite, or outside 0.05-40 um/px.
    """
    if mpp is None:
        msg = f"{where} has no um/px (resolution), and guessing one would misplace every tile. {remedy}"
        raise ScaleError(msg)
    value = float(mpp)
    low, high = MPP_RANGE
    if not math.isfinite(value) or not low <= value <= high:
        msg = f"{where} states {value:g} um/px, outside the {low:g}-{high:g} um/px of histology images. {remedy}"
        raise ScaleError(msg)
    return value
