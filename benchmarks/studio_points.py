"""The studio's observation layer in software rendering: 1,000,000 points panned and zoomed, and switching genes.

    .venv/bin/python benchmarks/studio_points.py [--tissuumaps VENV/bin/tissuumaps_server]

Needs Debian's chromium and playwright; WebGL is drawn by SwiftShader, on the CPU. Generated: a slide of 4,096 px, a
jittered lattice of N points (2 um squares at 0.5 um/px), 8 genes. Two measurements:

1. moving: with all points in view, then at 4 times that scale, the picture is dragged for 3 s (up to 30 s, until there
   are 4 frames). A frame counts where something was drawn with WebGL; its cost is the CPU time of all of Chromium's
   processes, over frames (load of the machine does not count in that, but does in frames/s). After the last movement,
   the time until nothing more is drawn.
   With --tissuumaps the same points, slide, window and movements there (points as CSV in a .tmap project);
2. switching genes at 100,000 observations: from the key, or the new address, to the frame after the new gene is
   drawn; medians. `new`: a gene that the page has not seen and did not expect, which comes from the server; `step`: the
   next one of the list for the first time, which the page fetches ahead; `known`: one that was shown before.

`pip install tissuumaps openslide-bin pyvips-binary "pillow<12"` in an environment of its own gives the peer.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

SIDE, MPP, SWITCHING, GENES, MORE_GENES = 4096, 0.5, 100_000, 8, 24
#: Frames that a drag shall have, and how many times its seconds it may take for them.
_LEAST, _LONGEST = 4, 10
TICK = os.sysconf("SC_CLK_TCK")
FLAGS = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-dev-shm-usage"),
    *("--disable-component-update", "--disable-sync", "--use-gl=angle", "--use-angle=swiftshader"),
    *("--enable-unsafe-swiftshader", "--disable-gpu-rasterization", "--disable-gpu-compositing"),
)
#: Notes the time of every animation frame in which something was drawn with WebGL.
COUNTER = """
window.__drawn = []; let dirty = false;
const watch = (object, name) => { const real = object[name]; if (real) object[name] = function (...a) {
  dirty = true; return real.apply(this, a); }; };
for (const kind of [WebGLRenderingContext, WebGL2RenderingContext]) {
  for (const name of ['drawArrays', 'drawElements', 'drawArraysInstanced']) watch(kind.prototype, name);
  const get = kind.prototype.getExtension;
  kind.prototype.getExtension = function (name) { const found = get.call(this, name);
    if (name === 'WEBGL_multi_draw' && found) watch(found, 'multiDrawArraysWEBGL'); return found; };
}
(function tick(now) { if (dirty) window.__drawn.push(now); dirty = false; requestAnimationFrame(tick); })(0);
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--tissuumaps", type=Path, help="tissuumaps_server of another environment")
    parser.add_argument("--rounds", type=int, default=2, help="of each side, in turn; the best counts")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        xy, values = generated(folder, args.points)
        figures: dict[str, Any] = {"points": args.points, "load": os.getloadavg()[0]}
        sides = {"studio": lambda: moved_in_studio(folder)}
        if args.tissuumaps:
            write_project(folder, xy, values)
            sides["tissuumaps"] = lambda: moved_in_tissuumaps(args.tissuumaps, folder, args.points)
        for _ in range(args.rounds):
            for side, measure in sides.items():
                found = measure()
                print(side, json.dumps(found), file=sys.stderr, flush=True)
                figures[side] = better(figures.get(side), found)
        figures["switch"] = switched(folder)
    print(json.dumps(figures, indent=2))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")


def better(known: dict[str, Any] | None, found: dict[str, Any]) -> dict[str, Any]:
    """Keep the round with the least CPU time per frame at full view."""
    return found if known is None or found["all"]["cpu_ms"] < known["all"]["cpu_ms"] else known


def generated(folder: Path, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Write the slide and both tables; return the places and the first gene's values of the large one."""
    from PIL import Image

    from histoscribe.slide import open_slide, write_tiff

    rng = np.random.default_rng(0)
    coarse = rng.integers(190, 240, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(folder / "flat.png", compress_level=1)
    write_tiff(open_slide(folder / "flat.png"), folder / "slide.tif", mpp=MPP, compression="jpeg")
    table = lattice(folder, n, rng)
    table.write_h5ad(folder / "points.h5ad")
    lattice(folder, SWITCHING, rng, MORE_GENES).write_h5ad(folder / "switch.h5ad")
    return table.obsm["spatial"], table.layers["counts"][:, 0].toarray().ravel()


def lattice(folder: Path, n: int, rng: np.random.Generator, genes: int = GENES) -> AnnData:
    """Return a section of `n` squares that fill the slide."""
    side = int(np.ceil(np.sqrt(n)))
    pitch = SIDE / side
    at = np.stack(np.meshgrid(np.arange(side), np.arange(side)), -1).reshape(-1, 2)[:n]
    xy = (at + 0.5) * pitch + rng.uniform(-0.1, 0.1, (n, 2)) * pitch
    waves = [np.sin(xy[:, 0] / (90 + 40 * k)) * np.cos(xy[:, 1] / (130 - 4 * k)) for k in range(genes)]
    counts = np.stack([rng.poisson(3 + 2.5 * wave) for wave in waves], 1)
    table = AnnData(
        obs=pd.DataFrame({"total_counts": counts.sum(1) + 1.0}, index=pd.RangeIndex(n).astype(str)),
        var=pd.DataFrame(index=pd.Index([f"GENE{k}" for k in range(genes)])),
        obsm={"spatial": xy},
    )
    table.layers["counts"] = sp.csr_matrix(counts)
    about = {"section": f"n{n}", "donor": "d", "mpp": MPP, "platform": "h5ad", "spot_um": 0.9 * pitch * MPP}
    table.uns["histoscribe"] = about | {"pitch_um": pitch * MPP, "slide": str(folder / "slide.tif")}
    return table


def write_project(folder: Path, xy: np.ndarray, values: np.ndarray) -> None:
    """Write the same points as a TissUUmaps project; its options are those that it makes itself of an .h5ad."""
    pd.DataFrame({"x": xy[:, 0], "y": xy[:, 1], "v": np.log1p(values)}).to_csv(
        folder / "points.csv", index=False, float_format="%.3f"
    )
    header = {"X": "x", "Y": "y", "cb_cmap": "interpolateViridis", "cb_col": "v", "scale_factor": 1, "coord_factor": 1}
    header |= {"shape_fixed": "square", "opacity": "1"}
    radios = {"cb_col": True, "cb_gr": False, "shape_fixed": True, "shape_gr": False, "shape_gr_rand": False}
    markers = {"title": "Points", "name": "Points", "path": "points.csv", "uid": "U1", "autoLoad": True}
    markers |= {"expectedHeader": header, "expectedRadios": radios, "hideSettings": True}
    layer = {"name": "slide.tif", "tileSource": "slide.tif.dzi"}
    project = {"filename": "points", "layers": [layer], "markerFiles": [markers], "plugins": [], "settings": []}
    (folder / "points.tmap").write_text(json.dumps(project))


@contextmanager
def browser_page() -> Iterator[Page]:
    """Open a page of Chromium that counts its WebGL frames."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(300_000)
        page.add_init_script(COUNTER)
        yield page
        browser.close()


@contextmanager
def serving(command: list[str], found: str, folder: Path) -> Iterator[str]:
    """Run a server until the block ends; gives what `found` matches in its output."""
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=folder)
    try:
        while (match := re.search(found, (folder / "server.log").read_text())) is None:
            assert server.poll() is None, (folder / "server.log").read_text()
            time.sleep(0.2)
        yield match[0].rstrip("/")
    finally:
        server.terminate()
        server.wait()


@contextmanager
def studio(folder: Path, file: str) -> Iterator[tuple[str, str]]:
    """Serve one table; gives the address and the item's id once it is open."""
    command = [sys.executable, "-m", "histoscribe", "studio", str(folder / file), "--no-browser", "--port", "0"]
    with serving(command, r"http://[\w.:]+/", folder) as url:
        while (item := json.load(urlopen(f"{url}/api/items"))["items"][0])["state"] != "ready":
            assert item["error"] is None, item["error"]
            time.sleep(0.2)
        yield url, item["id"]


def moved_in_studio(folder: Path) -> dict[str, Any]:
    """Drag the points in the studio."""
    with studio(folder, "points.h5ad") as (url, item), browser_page() as page:
        start = time.perf_counter()
        page.goto(f"{url}/slide/{item}?gene=GENE0&show=measured")
        page.locator(".stage[data-gene='GENE0']").wait_for(state="attached")
        return {"ready_s": round(time.perf_counter() - start, 2)} | dragged(page, ".stage")


def moved_in_tissuumaps(program: Path, folder: Path, n: int) -> dict[str, Any]:
    """Drag the points in TissUUmaps."""
    command = [str(program), str(folder), "-p", "5077"]
    with serving(command, r"http://127.0.0.1:5077", folder) as url, browser_page() as page:
        start = time.perf_counter()
        page.goto(f"{url}/points.tmap")
        page.wait_for_function(f"Object.values(glUtils._numPoints).some(n => n >= {n})")
        return {"ready_s": round(time.perf_counter() - start, 2)} | dragged(page, "#ISS_viewer")


def dragged(page: Page, selector: str) -> dict[str, Any]:
    """Drag with all points in view and at four times that scale."""
    box = page.locator(selector).bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    quiet(page)
    figures = {"all": drag(page, middle)}
    page.mouse.move(*middle)
    for _ in range(6):
        page.mouse.wheel(0, -100)
        page.wait_for_timeout(60)
    quiet(page)
    return figures | {"zoomed": drag(page, middle)}


def drag(page: Page, middle: tuple[float, float], seconds: float = 3.0) -> dict[str, float]:
    """Drag in circles; count frames and CPU time."""
    page.mouse.move(*middle)
    page.mouse.down()
    page.evaluate("window.__drawn.length = 0")
    cpu, start = cpu_seconds(), time.perf_counter()
    frames, passed = np.zeros(0), 0.0
    # Who draws a frame in seconds is watched for longer, so that there is a gap to measure.
    while len(frames) < _LEAST and passed < _LONGEST * seconds:
        until = passed + seconds
        while (passed := time.perf_counter() - start) < until:
            page.mouse.move(middle[0] + 120 * np.sin(4 * passed), middle[1] + 90 * np.sin(3 * passed))
            page.wait_for_timeout(8)
        frames = np.array(page.evaluate("window.__drawn"))
    cpu = cpu_seconds() - cpu
    page.mouse.up()
    gaps = np.diff(frames)
    return {
        "frames_per_s": round(len(frames) / passed, 1),
        "gap_ms_median": round(float(np.median(gaps)), 1) if len(gaps) else float("nan"),
        "gap_ms_p95": round(float(np.quantile(gaps, 0.95)), 1) if len(gaps) else float("nan"),
        "cpu_ms": round(1000 * cpu / max(1, len(frames)), 1),
        "rest_ms": round(quiet(page), 0),
    }


def quiet(page: Page) -> float:
    """Wait until nothing has been drawn for half a second; tell when that was, ms from now."""
    start = page.evaluate("performance.now()")
    last = -1
    while last != (last := page.evaluate("window.__drawn.length")):
        page.wait_for_timeout(500)
    return max(0.0, page.evaluate("window.__drawn.at(-1) ?? 0") - start)


def cpu_seconds() -> float:
    """CPU time so far of this process's Chromium, all of its processes."""
    children: dict[int, list[int]] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        pid = int(entry.parent.name)
        children.setdefault(int(fields[1]), []).append(pid)
        # Its own, and that of processes it has seen end.
        used[pid] = sum(map(int, fields[11:15]))
    waiting, total = list(children.get(os.getpid(), [])), 0
    while waiting:
        pid = waiting.pop()
        with suppress(OSError):  # ended meanwhile
            total += used[pid] if b"chromium" in Path(f"/proc/{pid}/cmdline").read_bytes() else 0
        waiting += children.get(pid, [])
    return total / TICK


def switched(folder: Path) -> dict[str, float]:
    """Time the switch of genes: every third, then all in the list's order, then all again."""
    watch = """act => new Promise(done => {
      const stage = document.querySelector('.stage'); const from = performance.now();
      const seen = new MutationObserver(() => { seen.disconnect();
        requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - from))); });
      seen.observe(stage, {attributes: true, attributeFilter: ['data-gene']});
      if (act === ']') dispatchEvent(new KeyboardEvent('keydown', {key: act, bubbles: true, cancelable: true}));
      else { history.pushState(null, '', act); dispatchEvent(new PopStateEvent('popstate')); } })"""
    with studio(folder, "switch.h5ad") as (url, item), browser_page() as page:
        listed = [gene["name"] for gene in json.load(urlopen(f"{url}/api/items/{item}/genes"))["genes"]]

        def opened(gene: str) -> None:
            page.goto(f"{url}/slide/{item}?gene={gene}&show=measured")
            page.locator(f".stage[data-gene='{gene}']").wait_for(state="attached")
            quiet(page)

        def timed(act: str) -> float:
            passed = page.evaluate(watch, act)
            page.wait_for_timeout(400)
            return passed

        opened(listed[0])
        # The neighbours of what is shown are fetched ahead: of these, none is one.
        times = {"new": [timed(f"?gene={gene}&show=measured") for gene in listed[3:-1:3]]}
        opened(listed[0])
        times["step"] = [timed("]") for _ in range(MORE_GENES - 2)]
        page.evaluate(watch, "]")
        times["known"] = [timed("]") for _ in range(MORE_GENES)]
    return {"n": SWITCHING, **{f"{name}_ms": round(statistics.median(ms), 1) for name, ms in times.items()}}


if __name__ == "__main__":
    main()
