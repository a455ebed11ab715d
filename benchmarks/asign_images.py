"""What images add on the one donor that has them here: C2 labelled, C3, C4 and C5 imputed.

Data: her2st donor C (Andersson et al. 2021), full-resolution H&E of C2-C5; one donor, three test sections: small n.
Every method learns from C2 alone; panel of the 250 genes of highest mean in C2; ln(1 + CP10k), full library.
Encoder: efficientnet-lite0+colour. Run: `python benchmarks/asign_images.py [--out FILE]`; minutes on a CPU.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from histoscribe.align import align_stack
from histoscribe.bench.suite import data_root
from histoscribe.core.stack import Stack
from histoscribe.core.target import Target, choose_panel, common_genes
from histoscribe.io import read
from histoscribe.methods import volume
from histoscribe.metrics import METRICS

NAMES = ("C2", "C3", "C4", "C5")
ROWS = {
    "section mean": ("section-mean", {}),
    "kernel, 2 pitches": ("kernel-transfer", {}),
    "stack-scribe, own section": ("stack-scribe", {"others": False}),
    "stack-scribe, own section, images": ("stack-scribe", {"others": False, "images": True}),
    "asign, places and labels": ("asign", {"others": False}),
    "asign, images": ("asign", {"others": False, "images": True}),
    "asign as released, images": ("asign", {"others": False, "images": True, "variant": "released"}),
}


def main() -> None:
    """Run every row and print its scores."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sections = [read("st-array", data_root() / "her2st", section=name, species="human") for name in NAMES]
    aligned, _ = align_stack([s.blind() for s in sections], genes="never")
    stack, target = Stack(tuple(sections), aligned.xy_um, aligned.z_um), Target()
    listed = set(common_genes(sections))
    panel = [g for g in choose_panel(sections[:1], 500) if g in listed][:250]
    found = {"data": "her2st C2 -> C3, C4, C5; n = 1 donor, 3 sections", "seed": options.seed, "rows": {}}
    for label, (method, params) in ROWS.items():
        start = time.perf_counter()
        model = volume(method, **params).fit((), panel, target=target, seed=options.seed)
        tables = model.impute(stack, labelled=NAMES[:1])
        row = {"regime": model.regime, "seconds": round(time.perf_counter() - start, 1)}
        for metric in ("pcc_gene", "pcc_spot", "mse"):
            scores = [
                METRICS.get(metric)(target(s, panel), np.asarray(t.X)).mean
                for s, t in zip(sections[1:], tables, strict=True)
            ]
            row[metric] = {"mean": round(float(np.mean(scores)), 4), "sections": [round(float(v), 4) for v in scores]}
        found["rows"][label] = row
        print(label, json.dumps(row), flush=True)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
