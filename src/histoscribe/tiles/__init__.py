"""Tiles: where they are, what tissue they show, and their pixels."""

from __future__ import annotations

from histoscribe.tiles._grid import padded_share, tile
from histoscribe.tiles._read import read_tiles

__all__ = ["padded_share", "read_tiles", "tile"]
