"""One slide of a million tiles: memory and cost of a tile from the first 10,000 tiles to the last.

The slide is a generated TIFF pyramid of purple noise with a white rim, in which 64 different JPEG tiles are pointed to
again and again: 37 MB for 51,000 megapixels. It is encoded as `histoscribe encode FOLDER` does it (tissue mask, grid,
features, output file, picture), in a process of its own. Every 10,000 tiles that process notes the clock, its CPU time
and its resident memory; what is mapped from files and can be dropped at any time is told apart from what it holds.
`--kill-at` kills it there once and lets another one go on.

The script ends with status 1 where memory grows by more than the goal after the first 10,000 tiles (writing the output
included), where a tile of the last quarter costs more CPU time than the goal allows against the second 10,000, or where
features in the output are not those of their tiles.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

TILE, SIDE, MPP, RIM = 256, 224, 0.5, 1024
EVERY = 10_000
GOAL_GROWTH_MB, GOAL_COST = 64, 1.15


def main() -> None:
    """Encode, print, and exit with status 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiles", type=int, default=1_000_000)
    parser.add_argument("--encoder", default="colour")
    parser.add_argument("--kill-at", type=int, help="kill the process after so many tiles, and go on")
    parser.add_argument("--folder", type=Path, help="where everything is written (default: a temporary folder)")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        slide = write_slide(folder / "slides" / "slide.tif", args.tiles)
        print(f"slide: {slide['px']} px square, {slide['mb']:.0f} MB on disk", flush=True)
        if args.kill_at:
            run(folder, args.encoder, args.kill_at)
            print("killed; another process goes on", flush=True)
        notes = run(folder, args.encoder, None)
        figures = judge(notes) | {"slide": slide, "encoder": args.encoder, "notes": notes}
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(0 if figures["good"] else 1)


def run(folder, encoder, kill_at):
    """Encode in a process of its own, and print and return what it notes on the way."""
    call = [sys.executable, __file__, "--child", str(folder), encoder, str(kill_at or 0)]
    process = subprocess.Popen(call, stdout=subprocess.PIPE, text=True)
    notes, before = [], None
    for line in process.stdout:
        note = json.loads(line)
        notes.append(note)
        spent = "" if before is None else f"{note['s'] - before['s']:7.1f} s ({note['cpu'] - before['cpu']:.1f} CPU)"
        print(
            f"{note['what']:>9} {note['held_mb']:5.0f} MB held, {note['mapped_mb']:4.0f} MB mapped {spent}", flush=True
        )
        before = note
    status = process.wait()
    if status and not kill_at:
        sys.exit(f"encoding ended with status {status}")
    return notes


def judge(notes):
    """Compare memory and cost of the later tiles with those of the first."""
    points = [note for note in notes if note["what"].isdigit()]
    end = next(note for note in notes if note["what"] == "written")
    if len(points) < 4:
        sys.exit(f"only {len(points)} notes: give at least {5 * EVERY} tiles")
    growth = max(note["held_mb"] for note in [*points, end]) - points[0]["held_mb"]
    costs = np.diff([note["cpu"] for note in points]) / EVERY * 1e3
    late = costs[-max(1, len(costs) // 4) :]
    cost = float(np.median(late) / np.median(costs[: len(late)]))
    checked = next(note for note in notes if note["what"] == "checked")
    print(
        f"{end['tiles']} tiles: {np.median(costs):.2f} ms of CPU a tile, the last quarter {cost:.2f} x the first (goal "
        f"{GOAL_COST}); memory after the first {EVERY} tiles +{growth:.0f} MB (goal {GOAL_GROWTH_MB}), peak "
        f"{end['peak_mb']:.0f} MB mapped pages included; features checked: {checked['equal']}"
    )
    good = growth <= GOAL_GROWTH_MB and cost <= GOAL_COST and checked["equal"]
    return {"growth_mb": growth, "cost": cost, "good": bool(good)}


def child(folder, encoder, kill_at):
    """Encode the folder's slide as the command does, and print a note every 10,000 tiles."""
    from histoscribe.encoders._store import FeatureStore
    from histoscribe.encoders.batch import Settings, find_slides, jobs_of, perform

    os.environ["HISTOSCRIBE_CACHE"] = str(folder / "cache")
    settings = Settings(encoder=encoder, sides_um=(SIDE * MPP,), threads=1)
    (job,) = jobs_of(find_slides(folder / "slides"), settings, folder / "out")
    real, done = FeatureStore.save_batch, {"tiles": 0}

    def save_batch(store, batch, features):
        real(store, batch, features)
        if store.shape[1] != features.shape[1] or batch < done.get("batch", -1):
            return  # the second part of a concatenation
        done["batch"] = batch
        done["tiles"] += len(features)
        if done["tiles"] // EVERY > done.get("noted", 0):
            done["noted"] = done["tiles"] // EVERY
            note(str(done["noted"] * EVERY))
        if kill_at and done["tiles"] >= kill_at:
            os.kill(os.getpid(), 9)

    FeatureStore.save_batch = save_batch
    note("start")
    outcome = perform(job)
    if outcome.state != "done":
        sys.exit(f"{outcome.state}: {outcome.error}")
    note("written", tiles=outcome.n_tiles)
    note("checked", equal=check(Path(job.out), Path(job.path), encoder))


def check(out, slide, name):
    """Tell whether features in the output, first, last and some between, are those of their tiles."""
    import anndata as ad

    from histoscribe.core.grid import TileGrid
    from histoscribe.encoders import make_encoder
    from histoscribe.slide import open_slide
    from histoscribe.tiles import read_tiles

    table = ad.read_h5ad(out, backed="r")
    rows = np.unique(np.r_[0, np.random.default_rng(0).integers(0, table.n_obs, 30), table.n_obs - 1])
    centres = np.asarray(table.obsm["spatial"])[rows]
    grid = TileGrid(centres, (SIDE * MPP,), SIDE, MPP, MPP)
    pixels, _ = read_tiles(open_slide(slide), grid, SIDE * MPP, slice(None))
    found = np.asarray(table.obsm[f"X_{name}"])[rows]
    return bool(np.array_equal(make_encoder(name, threads=1).encode(pixels), found))


def note(what, **more):
    """Print the clock, CPU time and memory of this process."""
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    held, mapped = (int(lines[key].split()[0]) / 1000 for key in ("RssAnon", "RssFile"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    value = {"what": what, "s": time.perf_counter(), "cpu": time.process_time(), "peak_mb": peak}
    print(json.dumps(value | {"held_mb": held, "mapped_mb": mapped} | more), flush=True)


def write_slide(path, n_tiles):
    """Write a pyramid whose tissue has room for about `n_tiles` tiles of 224 px; equal tiles are stored once."""
    tissue = int(np.ceil(np.sqrt(n_tiles))) * SIDE
    px = tissue + 2 * RIM
    sides = [px]
    while sides[-1] > 1024:
        sides.append(-(-sides[-1] // 2))
    rng = np.random.default_rng(0)
    noise = np.clip(rng.normal([180, 120, 170], 30, (64, TILE, TILE, 3)), 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        file.write(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
        link = 8  # where the offset of the next directory is written
        for level, side in enumerate(sides):
            places = level_tiles(file, noise, side, rng, (RIM / 2**level, (px - RIM) / 2**level))
            link = directory(file, side, level, places, link)
    return {"px": px, "mb": path.stat().st_size / 1e6}


def level_tiles(file, noise, side, rng, edges):
    """Write the different JPEG tiles of one level; (offset, bytes) of each tile in order, (n, 2)."""
    import imagecodecs

    n = -(-side // TILE)
    starts = np.arange(n) * TILE
    low, high = (np.clip(np.round(edge - starts), 0, TILE).astype(int) for edge in edges)  # tissue of a row or column
    kinds = np.unique(np.stack([low, high], 1), axis=0, return_inverse=True)
    spans, kind = kinds[0], kinds[1].ravel()
    stored = np.zeros((len(spans), len(spans), len(noise), 2), dtype="<u8")
    for y, (top, bottom) in enumerate(spans):
        for x, (left, right) in enumerate(spans):
            for t, texture in enumerate(noise):
                if t and (top, bottom, left, right) != (0, TILE, 0, TILE):
                    stored[y, x, t] = stored[y, x, 0]  # of the rim, one of each kind is enough
                    continue
                tile = np.full((TILE, TILE, 3), 244, dtype=np.uint8)
                tile[top:bottom, left:right] = texture[top:bottom, left:right]
                data = imagecodecs.jpeg8_encode(tile, level=85, subsampling="420")
                stored[y, x, t] = file.tell(), len(data)
                file.write(data)
    which = rng.integers(0, len(noise), (n, n))
    return stored[kind[:, None], kind[None, :], which].reshape(-1, 2)


def directory(file, side, level, places, link):
    """Write one BigTIFF directory and put its offset at `link`; where the next one's offset goes."""
    n = len(places)
    at = []
    for column in places.T:
        # One value stands in the directory itself, more in front of it.
        at.append(int(column[0]) if n == 1 else file.tell())
        file.write(np.ascontiguousarray(column).tobytes())
    per_cm = round(1e4 / (MPP * 2**level) * 1000) | 1000 << 32  # a fraction: two 32-bit numbers
    short, long, fraction, long8 = 3, 4, 5, 16
    tags = [
        *[(254, long, 1, int(level > 0)), (256, long, 1, side), (257, long, 1, side)],
        *[(258, short, 3, 8 | 8 << 16 | 8 << 32), (259, short, 1, 7), (262, short, 1, 6), (277, short, 1, 3)],
        *[(282, fraction, 1, per_cm), (283, fraction, 1, per_cm), (284, short, 1, 1), (296, short, 1, 3)],
        *[(322, long, 1, TILE), (323, long, 1, TILE), (324, long8, n, at[0]), (325, long8, n, at[1])],
        (530, short, 2, 2 | 2 << 16),
    ]
    start = file.tell()
    file.write(struct.pack("<Q", len(tags)) + b"".join(struct.pack("<HHQQ", *tag) for tag in tags))
    next_link = file.tell()
    file.write(struct.pack("<Q", 0))
    end = file.tell()
    file.seek(link)
    file.write(struct.pack("<Q", start))
    file.seek(end)
    return next_link


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main()
