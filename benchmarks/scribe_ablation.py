"""What each part of `scribe` is worth on real sections: parts taken out one at a time, every fold of three data sets.

Data: the development folder (HISTOSCRIBE_DATA, default ../shared/data); nothing is downloaded. Tiles of 112, 224 and
448 um, encoder efficientnet-lite0+colour, seed 0.

- ``her2st``: donor C, sections C2 to C5, leave one section out (4 folds); 250 genes of highest mean in training.
- ``mob``: olfactory bulb, two animals, leave one out (2 folds, 2 sections each); 250 genes.
- ``kidney``: one Visium HD section at 64 um, two strips with 0.7 mm between them, each predicted from the other
  (2 folds); the file's genes without the mitochondrial ones.

A score is the mean over genes in a test section, then over the fold's sections, then over folds.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.target import Target, choose_panel
from histoscribe.io import read_spec
from histoscribe.methods import expression
from histoscribe.methods.train import prepare
from histoscribe.metrics import depth_partial_pcc_gene, pcc_gene

if TYPE_CHECKING:
    from histoscribe.core.section import Section

LITE, COLOUR, BOTH = "efficientnet-lite0", "colour", "efficientnet-lite0+colour"
SIDES = (112.0, 224.0, 448.0)

#: Name to (method, parameters, encoder, tile sides).
VARIANTS: dict[str, tuple[str, dict[str, Any], str, tuple[float, ...]]] = {
    "ridge on colour (control)": ("ridge", {}, COLOUR, SIDES),
    "ridge": ("ridge", {}, BOTH, SIDES),
    "scribe": ("scribe", {}, BOTH, SIDES),
    "- Gaussian kernels (linear)": ("scribe", {"kernel": "linear"}, BOTH, SIDES),
    "- component shrinkage": ("scribe", {"components": 0}, BOTH, SIDES),
    "- depth-aware noise": ("scribe", {"depth_noise": 0.0}, BOTH, SIDES),
    "- strengths per block (common)": ("scribe", {"per_block": 0.0}, BOTH, SIDES),
    "strengths per block, all the way": ("scribe", {"per_block": 1.0}, BOTH, SIDES),
    "- surroundings (300 um)": ("scribe", {"around_um": 0.0}, BOTH, SIDES),
    "- surroundings, context": ("scribe", {"around_um": 0.0}, BOTH, SIDES[:1]),
    "- colour": ("scribe", {}, LITE, SIDES),
    "- network (colour alone)": ("scribe", {}, COLOUR, SIDES),
}


def folds(data: Path) -> dict[str, tuple[list[str], list[tuple[list[int], list[int]]]]]:
    """Return each data set's sections, and its folds as indices of training and test sections."""
    kidney = (
        f"h5ad:{data}/visium_hd_kidney/derived/section_064um_700genes.h5ad?image={data}/visium_hd_kidney/upstream/"
        "Visium_HD_Human_Kidney_FFPE/pyramid_images/cells.dzi&mpp=2.0067&donor=kidney-1&depth=total_umi_all_genes"
        "&species=human&spot_um=64&pitch_um=64&name={name}&where=array_col{where}"
    )
    return {
        "her2st": (
            [f"st-array:{data}/her2st?section=C{i}&species=human" for i in (2, 3, 4, 5)],
            [([j for j in range(4) if j != i], [i]) for i in range(4)],
        ),
        "mob": (
            [f"st-array:{data}/mob_st2k?section=MOB{i}" for i in (1, 2, 3, 4)],
            [([0, 1], [2, 3]), ([2, 3], [0, 1])],
        ),
        "kidney": (
            [kidney.format(name="kidney-left", where=">=56"), kidney.format(name="kidney-right", where="<45")],
            [([0], [1]), ([1], [0])],
        ),
    }


def score(
    variant: str, sections: list[Section], encoded: list[Section], train: list[int], test: list[int], n_genes: int
) -> tuple[float, float, float]:
    """Return pcc_gene, depth-partial pcc_gene and seconds of one variant on one fold."""
    method, params, encoder, _ = VARIANTS[variant]
    start = time.perf_counter()
    genes = choose_panel([sections[i] for i in train], n_genes)
    model = expression(method, **params).fit([encoded[i] for i in train], genes, encoder=encoder, seed=0)
    kept = np.array([not g.startswith("MT-") for g in genes])  # human symbols: the kidney alone
    scores = []
    for i in test:
        predicted = np.asarray(model.predict(encoded[i].blind()).X)[:, kept]
        truth = Target()(sections[i], genes)[:, kept]
        partial = depth_partial_pcc_gene(truth, predicted, sections[i].depth)
        scores.append((pcc_gene(truth, predicted).mean(), partial.mean()))
    pcc, partial = np.mean(scores, axis=0)
    return float(pcc), float(partial), time.perf_counter() - start


def main() -> None:
    """Run what was asked for; print every fold as it comes, and one table at the end."""
    default = Path(os.environ.get("HISTOSCRIBE_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=default)
    parser.add_argument("--only", nargs="*", default=["her2st", "mob", "kidney"], help="Data sets.")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    args = parser.parse_args()
    if not args.data.is_dir():
        print(f"no development data at {args.data}; set HISTOSCRIBE_DATA")
        return
    table: dict[str, dict[str, list[tuple[float, float, float]]]] = {v: {} for v in args.variants}
    for name, (specs, splits) in folds(args.data).items():
        if name not in args.only:
            continue
        sections = [read_spec(spec) for spec in specs]
        n_genes = sections[0].table.n_vars if name == "kidney" else 250
        for variant in args.variants:
            _, _, encoder, sides = VARIANTS[variant]
            encoded = prepare(sections, encoder, size_um=sides)
            rows = [score(variant, sections, encoded, train, test, n_genes) for train, test in splits]
            table[variant][name] = rows
            each = "  ".join(f"{pcc:.3f}/{partial:.3f}" for pcc, partial, _ in rows)
            print(f"{name:8}{variant:34}{each}  {np.mean([r[2] for r in rows]):.0f} s a fold", flush=True)
    print(f"\n{'pcc_gene / depth-partial':34}" + "".join(f"{name:>16}" for name in args.only))
    for variant, found in table.items():
        cells = [np.mean(found[name], axis=0) for name in args.only if name in found]
        print(f"{variant:34}" + "".join(f"{pcc:>9.3f}/{partial:.3f} " for pcc, partial, _ in cells))


if __name__ == "__main__":
    main()
