"""A section whose tiles say which row they are, and an encoder that notes each batch that it computes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core.card import Card
from histoscribe.core.grid import TileGrid
from histoscribe.core.section import Section
from histoscribe.encoders import Encoder

TILE_PX = 8


class FakeSlide:
    """Pixels are made by `read_tiles`, which must be put in the place of `histoscribe.tiles.read_tiles`."""

    path = Path("fake.png")
    size = (1000, 1000)
    mpp = 0.5

    def __init__(self, content: str = "a") -> None:
        self.content = content

    def digest(self) -> str:
        return self.content


def read_tiles(slide, grid, side_um, rows):
    """Each tile is random, but its first pixels hold its row and side."""
    tiles = []
    for row in np.arange(len(grid))[rows]:
        tile = np.random.default_rng([int(row), int(side_um)]).integers(0, 256, (3, TILE_PX, TILE_PX), dtype=np.uint8)
        tile[0, 0, :2] = row, side_um // 8
        tiles.append(tile)
    return np.stack(tiles), np.zeros(len(tiles), dtype=np.float32)


def fake_section(n=50, *, sides=(112.0,), name="fake", slide=None):
    xy = np.random.default_rng(5).uniform(100, 900, (n, 2))
    table = AnnData(np.zeros((n, 2), dtype=np.float32), obs=pd.DataFrame(index=[f"s{i}" for i in range(n)]))
    table.obsm["spatial"] = xy
    grid = TileGrid(xy, tuple(sides), TILE_PX, 0.5, 0.5)
    return Section(table, slide or FakeSlide(), 0.5, name, "donor", grid=grid)


class NotingEncoder(Encoder):
    """Three features of a tile; each batch it computes adds a line ``name side first-row`` to a file."""

    tile_px = TILE_PX
    dim = 3

    def __init__(self, notes: Path, *, name: str = "noting") -> None:
        super().__init__(threads=1, device="cpu")
        self.card = Card(name=name, summary="A fake.", paper="none")
        self._notes = notes

    def encode(self, tiles):
        with self._notes.open("a") as file:
            file.write(f"{self.card.name} {tiles[0, 0, 0, 1] * 8} {tiles[0, 0, 0, 0]}\n")
        flat = tiles.reshape(len(tiles), -1).astype(np.float32)
        return np.stack([flat.mean(1), flat.std(1), np.sqrt(flat[:, 1:].max(1))], axis=1)

    def fingerprint(self) -> str:
        return "v1"

    def notes(self) -> list[str]:
        return self._notes.read_text().splitlines() if self._notes.exists() else []
