"""The studio's tiles: stored JPEG tiles passed through, against OpenSlide's DeepZoom; and the server's memory.

    .venv/bin/python benchmarks/studio_tiles.py [--slide SLIDE.svs]

Without --slide a JPEG pyramid of 4,096 x 4,096 px is generated. Three measurements, CPU time of the process that
works (load of the machine does not count):

1. making tiles of full resolution: `SlideTiles.tile` against `DeepZoomGenerator.get_tile` and Pillow's JPEG (quality
   75, its default), tiles of one size in one order; pixels of both must agree within the rounding of the decoders;
2. sending them over HTTP: the studio, and a bare Starlette server around DeepZoom, both under uvicorn, one client;
3. memory: resident size of the studio after 500 and after 10,000 requests, of all levels, in random order.

The script ends with status 1 where pass-through makes fewer than 20 times as many tiles per CPU second, or where the
server grew by more than 16 MB.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, WANTED, GROWTH_MB = 4096, 20.0, 16.0
TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure, print, and exit with status 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slide", type=Path, help="a slide with JPEG tiles; default generated")
    parser.add_argument("--tiles", type=int, default=400, help="tiles made by each side")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--serve", choices=["studio", "deepzoom"], help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.slide)
        return
    with tempfile.TemporaryDirectory() as name:
        os.environ["HISTOSCRIBE_CACHE"] = name
        slide = args.slide or generated(Path(name))
        figures = {"slide": slide.name} | made(slide, args.tiles)
        print(json.dumps(figures), file=sys.stderr, flush=True)
        figures |= sent(slide, args.tiles, args.requests)
    print(json.dumps(figures, indent=2))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    failed = figures["made_ratio"] < WANTED or figures["growth_mb"] > GROWTH_MB
    sys.exit(int(failed))


def generated(folder: Path) -> Path:
    """Write a pyramid of tissue-like texture."""
    from histoscribe.slide import open_slide, write_tiff

    rng = np.random.default_rng(0)
    coarse = rng.integers(90, 230, (SIDE // 16, SIDE // 16, 3), dtype=np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(np.int16)
    pixels += rng.integers(-12, 12, pixels.shape, dtype=np.int16)
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(folder / "flat.png", compress_level=1)
    return write_tiff(open_slide(folder / "flat.png"), folder / "pyramid.tif", mpp=0.5, compression="jpeg")


def made(slide: Path, n: int) -> dict[str, object]:
    """Make tiles in this process, both ways."""
    import openslide
    from openslide.deepzoom import DeepZoomGenerator

    from histoscribe.slide import open_slide
    from histoscribe.slide._cache import TileCache
    from histoscribe.studio.pixels._tiles import SlideTiles

    tiles = SlideTiles(open_slide(slide), TileCache())
    assert tiles.passthrough, f"{slide} has no JPEG tiles that can be passed through"
    level = tiles.levels[0]
    rng = np.random.default_rng(0)
    # Whole tiles only: at the edge one side pads and the other cuts.
    columns, rows = level.width // level.tile_width, level.height // level.tile_height
    places = [(int(rng.integers(columns)), int(rng.integers(rows))) for _ in range(n)]
    zoom = DeepZoomGenerator(openslide.OpenSlide(str(slide)), tile_size=level.tile_width, overlap=0)

    def theirs(place: tuple[int, int]) -> bytes:
        buffer = io.BytesIO()
        zoom.get_tile(zoom.level_count - 1, place).save(buffer, "jpeg", quality=75)
        return buffer.getvalue()

    worst = 0
    for place in places[:50]:
        ours = np.asarray(Image.open(io.BytesIO(tiles.tile(0, *place))).convert("RGB")).astype(int)
        want = np.asarray(zoom.get_tile(zoom.level_count - 1, place).convert("RGB")).astype(int)
        worst = max(worst, int(np.abs(ours - want).max()))
    assert worst <= 2, f"pixels differ by {worst}"
    own = rate(lambda place: tiles.tile(0, *place), places * 20)
    other = rate(theirs, places)
    return {
        "tile_px": level.tile_width,
        "largest_pixel_difference": worst,
        "made_passthrough_per_cpu_s": round(own),
        "made_deepzoom_per_cpu_s": round(other),
        "made_ratio": round(own / other, 1),
    }


def rate(work, places: list[tuple[int, int]]) -> float:
    """Return calls per second of CPU time."""
    start = time.process_time()
    for place in places:
        work(place)
    return len(places) / (time.process_time() - start)


def sent(slide: Path, n: int, requests: int) -> dict[str, object]:
    """Ask both servers for tiles."""
    ours, theirs = Server("studio", slide), Server("deepzoom", slide)
    rng = np.random.default_rng(1)
    try:
        levels = ours.levels
        full = levels[0]
        columns, rows = full["width_px"] // full["tile_width_px"], full["height_px"] // full["tile_height_px"]
        places = [(0, int(rng.integers(columns)), int(rng.integers(rows))) for _ in range(n)]
        rates = {}
        for name, server, times in (("studio", ours, 5), ("deepzoom", theirs, 1)):
            before = server.cpu_s()
            for place in places * times:
                server.tile(*place)
            rates[name] = n * times / (server.cpu_s() - before)
        everywhere = [
            (v["level"], c, r)
            for v in levels
            for c in range(-(-v["width_px"] // v["tile_width_px"]))
            for r in range(-(-v["height_px"] // v["tile_height_px"]))
        ]
        sizes = []
        for i in range(requests):
            ours.tile(*everywhere[rng.integers(len(everywhere))])
            if i + 1 in {500, requests}:
                sizes.append(ours.resident_mb())
    finally:
        ours.close()
        theirs.close()
    return {
        "sent_studio_per_cpu_s": round(rates["studio"]),
        "sent_deepzoom_per_cpu_s": round(rates["deepzoom"]),
        "sent_ratio": round(rates["studio"] / rates["deepzoom"], 1),
        "requests": requests,
        "resident_mb_after_500": round(sizes[0], 1),
        "resident_mb_at_the_end": round(sizes[-1], 1),
        "growth_mb": round(sizes[-1] - sizes[0], 1),
    }


class Server:
    """A server in a process of its own, and one connection to it."""

    def __init__(self, kind: str, slide: Path) -> None:
        command = [sys.executable, __file__, "--serve", kind, "--slide", str(slide)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        port = int(self.process.stdout.readline())
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.base = "/tile"
        if kind == "studio":
            item = json.loads(self.get("/api/items"))["items"][0]["id"]
            self.levels = json.loads(self.get(f"/api/items/{item}"))["slide"]["levels"]
            self.base = f"/api/items/{item}/tile"

    def get(self, path: str) -> bytes:
        """Return the body of an answer."""
        for _ in range(300):
            try:
                self.connection.request("GET", path)
                answer = self.connection.getresponse()
                data = answer.read()
            except ConnectionError:
                time.sleep(0.2)  # not listening yet
                self.connection.close()
                continue
            assert answer.status == 200, data[:200]
            return data
        raise TimeoutError(path)

    def tile(self, level: int, column: int, row: int) -> bytes:
        """Return one tile."""
        return self.get(f"{self.base}/{level}/{column}/{row}")

    def cpu_s(self) -> float:
        """Return CPU time of the process, s."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def resident_mb(self) -> float:
        """Return resident size, MB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def close(self) -> None:
        """End the process."""
        self.connection.close()
        self.process.terminate()
        self.process.wait(10)


def serve(kind: str, slide: Path) -> None:
    """Run one of the servers; print its port first."""
    import uvicorn

    from histoscribe.studio._serve import _listen

    listening = _listen("127.0.0.1", 0)
    print(listening.getsockname()[1], flush=True)
    app = studio_app(slide) if kind == "studio" else deepzoom_app(slide)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[listening])


def studio_app(slide: Path):
    """Return the studio as it is, but for the rate of requests: one client asks for all."""
    from histoscribe.studio import Studio, create_app
    from histoscribe.studio import _studio as module
    from histoscribe.studio._limits import Limits

    module._WARM_AFTER = 1e9  # boards are no part of what is measured
    studio = Studio.of([f"slide:{slide}"], work=Path(os.environ["HISTOSCRIBE_CACHE"]) / "work")
    studio.limits = Limits(per_second=1e9, burst=1e9)
    return create_app(studio)


def deepzoom_app(slide: Path):
    """Return a server of DeepZoom's tiles without anything else."""
    import openslide
    from openslide.deepzoom import DeepZoomGenerator
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    source = openslide.OpenSlide(str(slide))
    import tifffile

    with tifffile.TiffFile(slide) as tiff:
        side = tiff.pages[0].tilewidth
    zoom = DeepZoomGenerator(source, tile_size=side, overlap=0)

    async def tile(request):
        buffer = io.BytesIO()
        place = (request.path_params["column"], request.path_params["row"])
        zoom.get_tile(zoom.level_count - 1, place).save(buffer, "jpeg", quality=75)
        return Response(buffer.getvalue(), media_type="image/jpeg")

    return Starlette(routes=[Route("/tile/{level:int}/{column:int}/{row:int}", tile)])


if __name__ == "__main__":
    main()
