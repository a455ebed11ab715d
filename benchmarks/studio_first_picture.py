"""The studio's first picture: seconds from navigation until slide and observations are drawn, and from the command.

    .venv/bin/python benchmarks/studio_first_picture.py [--repeats 3] [--limit 2]

Four inputs: her2st C5 with a prediction of it (ridge on colour statistics, fitted here on C2 and C3), a Visium section
(squidpy's test data), a real `.svs`, and no argument (generated sections). Data: the development folder
(HISTOSCRIBE_DATA, default ../shared/data). Each has a server of its own, with an empty cache of pixels:

- `address_s`: from the command to the address, which is when the page can be loaded;
- `first_s`: the first visit, made at once: items may still be opening. Without an argument it is the start page's,
  until the thumbnail of the first generated section, which is being made; `made_s`, from the command, until all is;
- `again_s`: later visits, each in a new profile of Chromium, so nothing is in its cache;
- `home_s`: the start page's first thumbnail.

Drawn is what `drawImage` or WebGL has put into the stage: a tile of the slide, and the gene that the page then names.
`browser_cpu_s` is the CPU time of all of Chromium's processes in the later visits, which other work on the machine does
not change much; the load of the machine stands beside. WebGL is drawn by SwiftShader, on the CPU. The script ends with
status 1 where the best visit takes longer than `--limit`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from studio_points import FLAGS, cpu_seconds, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(os.environ.get("HISTOSCRIBE_DATA", ROOT.parent / "shared" / "data"))
#: Notes when a tile was first drawn on the stage, and when the stage first named a gene; ms since navigation.
WATCH = """
window.__first = {};
const note = (what) => { window.__first[what] ??= performance.now(); };
const inStage = (canvas) => canvas instanceof HTMLCanvasElement && canvas.closest('.stage') !== null;
const draw = CanvasRenderingContext2D.prototype.drawImage;
CanvasRenderingContext2D.prototype.drawImage = function (image, ...rest) {
  if (inStage(this.canvas) && image.width > 1) note('tile');
  return draw.call(this, image, ...rest); };
for (const kind of [WebGLRenderingContext, WebGL2RenderingContext]) {
  const real = kind.prototype.drawArrays;
  kind.prototype.drawArrays = function (...a) {
    if (inStage(this.canvas) && this.canvas.closest('.openseadragon-canvas')) note('tile');
    return real.apply(this, a); };
}
(function look() {
  if (document.querySelector('.stage')?.dataset.gene) note('gene');
  if ([...document.querySelectorAll('.item-card img')].some((i) => i.complete && i.naturalWidth)) note('thumbnail');
  requestAnimationFrame(look);
})();
"""


def main() -> None:
    """Measure, print, and exit with status 1 where a picture comes late."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=float, default=2.0, help="seconds that the best visit may take")
    parser.add_argument("--only", help="one of the inputs")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    from playwright.sync_api import sync_playwright

    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        visit(browser, "about:blank")  # Chromium's own start is not ours
        for key, given in inputs(folder).items():
            if args.only in {None, key}:
                os.environ["HISTOSCRIBE_CACHE"] = str(folder / f"cache-{key}")
                figures[key] = measured(browser, given, folder, args.repeats)
                print(key, json.dumps(figures[key]), file=sys.stderr, flush=True)
        browser.close()
    print(json.dumps(figures, indent=2))
    if args.json:
        args.json.write_text(json.dumps(figures, indent=2) + "\n")
    late = [key for key, found in figures.items() if min(found["again_s"]) > args.limit]
    sys.exit(f"later than {args.limit:g} s: {', '.join(late)}" if late else 0)


def inputs(folder: Path) -> dict[str, list[str]]:
    """Return the arguments of `histoscribe studio` by input; the prediction is made first."""
    sections = {i: f"st-array:{DATA}/her2st?section=C{i}&species=human&donor=C" for i in (2, 3, 5)}
    return {
        "her2st-c5": [sections[5], str(predicted(sections, folder))],
        "visium": [
            f"visium:{DATA}/readers/squidpy_test?image={DATA}/readers/squidpy_test/spatial/"
            "tissue_hires_image.png&species=mouse&donor=d"
        ],
        "svs": [str(DATA / "readers" / "wsi" / "CMU-1-Small-Region.svs")],
        "none": [],
    }


def predicted(sections: dict[int, str], folder: Path) -> Path:
    """Predict C5 from C2 and C3."""
    from histoscribe.io import read_specs
    from histoscribe.methods.apply import predict
    from histoscribe.methods.train import fit

    path = folder / "c5.h5ad"
    bundle = fit(read_specs([sections[2], sections[3]]), encoder="colour", genes=50, show=False)
    predict(read_specs([sections[5]])[0].blind(), bundle, show=False).write_h5ad(path)
    return path


def measured(browser: Browser, given: list[str], folder: Path, repeats: int) -> dict[str, Any]:
    """Start a server; visit its first item and its start page."""
    command = [sys.executable, "-m", "histoscribe", "studio", *given, "--no-browser", "--port", "0"]
    start, load = time.perf_counter(), round(os.getloadavg()[0], 1)
    with serving(command, r"http://[\w.:]+/", folder) as url:
        address = time.perf_counter() - start
        listed = json.load(urlopen(f"{url}/api/items"))
        made = {}
        if listed["making"]:
            first = visit(browser, url, "thumbnail")
            while (listed := json.load(urlopen(f"{url}/api/items")))["making"]:
                time.sleep(0.1)
            made = {"made_s": round(time.perf_counter() - start, 2)}
        item = listed["items"][0]
        page, genes = f"{url}/slide/{item['id']}", item["kind"] != "slide"
        wanted = ["tile", "gene"] if genes else ["tile"]
        first = first if made else visit(browser, page, *wanted)
        again, used = [], []
        for _ in range(repeats):
            cpu = cpu_seconds()
            again.append(visit(browser, page, *wanted))
            used.append(round(cpu_seconds() - cpu, 2))
        home = visit(browser, url, "thumbnail")
    seconds = {"address_s": round(address, 2), "first_s": first, **made, "again_s": again, "home_s": home}
    return seconds | {"browser_cpu_s": used, "load": [load, round(os.getloadavg()[0], 1)]}


def visit(browser: Browser, url: str, *wanted: str) -> float:
    """Load a page in a new profile; return the seconds until all that is wanted was drawn."""
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.add_init_script(WATCH)
    page.goto(url, wait_until="commit")
    end, seen = time.monotonic() + 60, {}
    while not set(wanted) <= set(seen):
        if time.monotonic() > end:
            message = f"{url} has not drawn {set(wanted) - set(seen)} within 60 s."
            raise TimeoutError(message)
        page.wait_for_timeout(20)
        seen = page.evaluate("window.__first ?? {}")
    context.close()
    return round(max((seen[what] for what in wanted), default=0.0) / 1000, 2)


if __name__ == "__main__":
    main()
