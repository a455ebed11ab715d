"""Random tiles from a JPEG pyramid: tiles per CPU second, ours against OpenSlide, in turns of one process.

The slide is a generated TIFF as converters write it: 256 px JPEG tiles of quality 85, levels as pages. Each turn opens
the slide anew and reads the same random 224 px squares of level 0 with `histoscribe.tiles.read_tiles` (which also lays
the channels first), with `region` alone, and with OpenSlide's `read_region`; the order changes from turn to turn.
CPU time, because other work on the machine slows the clock. Pixels must be the same, on level 0 and on level 1; the
script ends with status 1 where they are not, or where the goal is missed.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import imagecodecs
import numpy as np
import openslide
import tifffile
from scipy import ndimage

from histoscribe.core.grid import TileGrid
from histoscribe.slide import open_slide
from histoscribe.tiles import read_tiles

TILE, SIDE, MPP = 256, 224, 0.5
GOAL = 1.5


def main() -> None:
    """Measure, print, and exit with status 1 where pixels differ or the goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=20_000, help="side of the slide, px")
    parser.add_argument("--tiles", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = write_pyramid(Path(folder) / "slide.tif", args.size)
        corners = np.random.default_rng(0).integers(0, args.size - SIDE, (args.tiles, 2))
        same = [compare(path, corners, level) for level in (0, 1)]
        figures = measure(path, corners, args.turns)
        megabytes = path.stat().st_size / 1e6
    rates = {name: float(np.median(found)) for name, found in figures.items()}
    ratio = float(np.median(np.divide(figures["read_tiles"], figures["openslide"])))
    print(
        f"{args.tiles} random {SIDE} px tiles of a {args.size} px JPEG pyramid ({megabytes:.0f} MB), {args.turns} turns"
    )
    for name, rate in rates.items():
        low, high = min(figures[name]), max(figures[name])
        print(f"  {name:12s} {rate:6.0f} tiles per CPU second ({low:.0f}-{high:.0f})")
    print(f"  read_tiles / openslide: {ratio:.2f} (goal {GOAL:g}); pixels equal on levels 0, 1: {same}")
    if args.json:
        args.json.write_text(json.dumps({"rates": figures, "ratio": ratio, "equal": same}, indent=2) + "\n")
    sys.exit(0 if all(same) and ratio >= GOAL else 1)


def write_pyramid(path, size):
    """Write a tiled JPEG pyramid of purple noise; 64 different tiles are repeated, which is faster to write."""
    rng = np.random.default_rng(0)
    texture = ndimage.gaussian_filter(rng.normal(size=(8 * TILE, 8 * TILE, 3)), (1.5, 1.5, 0), mode="wrap")
    pixels = np.clip(np.array([180, 120, 170]) + 30 * texture / texture.std(), 0, 255).astype(np.uint8)
    encoded = [
        imagecodecs.jpeg8_encode(pixels[y : y + TILE, x : x + TILE].copy(), level=85, subsampling="420")
        for y in range(0, 8 * TILE, TILE)
        for x in range(0, 8 * TILE, TILE)
    ]
    options = {"tile": (TILE, TILE), "photometric": "ycbcr", "compression": "jpeg", "subsampling": (2, 2)}
    with tifffile.TiffWriter(path, bigtiff=True) as tiff:
        for level in range(4):
            side = -(-size // 2**level)
            n = -(-side // TILE)
            order = rng.integers(0, len(encoded), n * n)
            shape = {"shape": (side, side, 3), "dtype": np.uint8, "subfiletype": int(level > 0)}
            tiff.write(iter([encoded[i] for i in order]), **shape, **options, metadata=None)
    return path


def compare(path, corners, level):
    """Tell whether the pixels of some tiles of a level are OpenSlide's."""
    ours = open_slide(path)
    with openslide.OpenSlide(str(path)) as theirs:
        assert theirs.level_count == len(ours.levels) == 4
        step = 2**level
        for x, y in corners[:200] // (4 * step) * step:
            expected = np.asarray(theirs.read_region((int(x), int(y)), level, (SIDE, SIDE)))[..., :3]
            found = ours.region(x, y, width=SIDE * step, height=SIDE * step, out=(SIDE, SIDE)).pixels
            if not np.array_equal(found, expected):
                return False
    return True


def measure(path, corners, turns):
    """Read all tiles in each way, in turns; tiles per CPU second."""
    centres = corners + SIDE / 2
    grid = TileGrid(centres, (SIDE * MPP,), SIDE, MPP, MPP)

    def with_read_tiles():
        slide = open_slide(path)
        for start in range(0, len(grid), 32):
            read_tiles(slide, grid, SIDE * MPP, slice(start, start + 32))

    def with_region():
        slide = open_slide(path)
        for x, y in corners:
            _ = slide.region(x, y, width=SIDE, height=SIDE, out=(SIDE, SIDE)).pixels

    def with_openslide():
        with openslide.OpenSlide(str(path)) as slide:
            for x, y in corners:
                _ = np.asarray(slide.read_region((int(x), int(y)), 0, (SIDE, SIDE)))[..., :3]

    ways = {"read_tiles": with_read_tiles, "region": with_region, "openslide": with_openslide}
    for way in ways.values():
        way()  # the file comes into memory, libraries are loaded
    found = {name: [] for name in ways}
    for turn in range(turns):
        for name in sorted(ways, reverse=turn % 2 == 0):
            start = time.process_time()
            ways[name]()
            found[name].append(len(corners) / (time.process_time() - start))
    return found


if __name__ == "__main__":
    main()
