"""A generated slide and the same tissue moved on another slide, with observations of its own and edges lost."""

from __future__ import annotations

import numpy as np

from histoscribe.align import Picture, Rigid, warp_picture
from histoscribe.testing import ArraySlide, make_section

MPP = 4.0
PLANTED = Rigid(12.0, np.array([700.0, 700.0]), np.array([90.0, -60.0]))


def pair_of_slides():
    """Return a section, and the same tissue moved by `PLANTED` whose observations miss one side."""
    fixed = make_section(0, size_um=1400.0, mpp=MPP)
    pixels = fixed.slide.pixels
    whole = Picture(pixels, np.ones(pixels.shape[:2], bool), MPP, np.zeros(2))
    moved = warp_picture(whole, PLANTED, like=whole).pixels
    table = fixed.table.copy()
    table.obsm["spatial"] = PLANTED(fixed.xy_um) / MPP
    inside = ((table.obsm["spatial"] > 0) & (table.obsm["spatial"] < 1400 / MPP)).all(1)
    # The last columns are not measured: outlines alone are then off by about one observation.
    inside &= fixed.xy_um[:, 0] < np.quantile(fixed.xy_um[:, 0], 0.9)
    moving = fixed.replace(table=table, slide=ArraySlide(moved, mpp=MPP, name="moved"), name="moved")
    return moving.subset(inside), fixed
