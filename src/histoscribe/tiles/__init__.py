"""Tiles: where they are, what tissue they show, and their pixels."""

from __future__ import annotations

from histoscribe.tiles._filters import FILTERS
from histoscribe.tiles._grid import padded_share, tile
from histoscribe.tiles._mask import tissue_mask
from histoscribe.tiles._read import read_tiles
from histoscribe.tiles._section_mask import TissueMask, section_mask

__all__ = ["FILTERS", "TissueMask", "padded_share", "read_tiles", "section_mask", "tile", "tissue_mask"]
