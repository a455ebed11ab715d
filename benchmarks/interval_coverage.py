"""Do intervals cover at their stated level, and are trust flags right? Answered on generated donors.

A study is a fresh planted relation between features and genes, some training donors on which the ridge is fitted and
calibrated, and one new donor. Donors differ in features (stain), genes (biology) and depth. Over all studies the new
donors are independent, so their number is the n of the binomial error.

Coverage: for each study, one random observation and gene of the new donor is inside its interval or not; the share
over studies is compared with the stated level by an exact binomial interval. The mean share over all observations and
genes of a donor, which is less noisy, is printed beside it.

Flags: half of the unflaggable genes follow nothing, half follow depth alone, which the features predict in part. A
flag is right where the gene is planted on the features.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from scipy import stats

from histoscribe.core.files import write_json
from histoscribe.methods import expression
from histoscribe.methods.calibration import calibrate
from histoscribe.metrics import pcc_gene
from histoscribe.testing import Truth, make_feature_sections

GOAL_RIGHT = 0.90
CLASSES = ("feature", "null", "depth")
#: Observations in the search for ridge strengths; fewer than the default, to save time.
MAX_SEARCH = 200


def main() -> None:
    """Measure, print, and exit with status 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200, help="studies, each with one new donor")
    parser.add_argument("--donors", type=int, nargs="+", default=[3, 6, 10], help="training donors of a study")
    parser.add_argument("--spots", type=int, default=60, help="observations of a donor")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the figures here, as JSON")
    args = parser.parse_args()
    found = []
    for n_donors in args.donors:
        found.append(measure(n_donors, args.studies, args.spots, args.seed))
        show(found[-1])
    if args.out:
        write_json(args.out, {"synthetic": True, "seed": args.seed, "max_search": MAX_SEARCH, "by_donors": found})
    raise SystemExit(0 if all(f["covers"] and f["flags_right"] >= GOAL_RIGHT for f in found) else 1)


def measure(n_donors, n_studies, n_spots, seed):
    """Run all studies with one number of training donors."""
    start = time.perf_counter()
    studies = [study(n_donors, n_spots, [seed, n_donors, i]) for i in range(n_studies)]
    level = studies[0]["level"]
    hits = sum(s["one"] for s in studies)
    shares = np.array([s["share"] for s in studies])
    test = stats.binomtest(int(hits), n_studies, level)
    interval = test.proportion_ci(0.95, method="exact")
    error = 1.96 * np.sqrt(level * (1 - level) / n_studies)
    flagged = {c: int(sum(s["flagged"][c] for s in studies)) for c in CLASSES}
    n_flagged = sum(flagged.values())
    return {
        "training_donors": n_donors,
        "new_donors": n_studies,
        "spots": n_spots,
        "level": level,
        "covered_random_observation": hits / n_studies,
        "covered_interval": [interval.low, interval.high],
        "covered_mean": float(shares.mean()),
        "covered_mean_sd_over_donors": float(shares.std(ddof=1)),
        "binomial_error": float(error),
        "covers": bool(interval.low <= level <= interval.high and abs(shares.mean() - level) <= error),
        "covered_by_class": {c: float(np.mean([s["by_class"][c] for s in studies])) for c in CLASSES},
        "flagged": flagged,
        "genes_per_class": n_studies * 6,
        "flags_right": flagged["feature"] / n_flagged if n_flagged else 1.0,
        "flags_with_signal_in_new_donor": float(sum(s["confirmed"] for s in studies) / max(n_flagged, 1)),
        "seconds": round(time.perf_counter() - start, 1),
    }


def study(n_donors, n_spots, seed):
    """Fit and calibrate on `n_donors`, judge on one more."""
    number = int(np.random.default_rng(seed).integers(1 << 31))
    sections = make_feature_sections(n_donors + 1, n_spots, seed=number, n_genes=6, n_null=6, n_depth=6)
    *training, new = sections
    genes = [g for g in new.table.var_names if not g.startswith("REST")]
    model = expression("ridge", max_search=MAX_SEARCH).fit(training, genes, seed=number)
    calibration = calibrate(model, training, level=0.9, seed=number)
    truth = Truth.of(new, genes)
    guess = np.asarray(model.predict(new).X, dtype=np.float64)
    inside = np.abs(truth.measured - guess) <= calibration.half_width
    rng = np.random.default_rng([number, 1])
    follows = pcc_gene(truth.expected, guess)
    return {
        "level": calibration.level,
        "one": bool(inside[rng.integers(n_spots), rng.integers(len(genes))]),
        "share": float(inside.mean()),
        "by_class": {c: float(inside[:, truth.where(c)].mean()) for c in CLASSES},
        "flagged": {c: int(calibration.trusted[truth.where(c)].sum()) for c in CLASSES},
        "confirmed": int((calibration.trusted & truth.where("feature") & (follows > 0)).sum()),
    }


def show(figures):
    """Print the figures of one number of training donors."""
    f = figures
    low, high = f["covered_interval"]
    classes = ", ".join(f"{c} {v:.3f}" for c, v in f["covered_by_class"].items())
    flags = ", ".join(f"{c} {v}" for c, v in f["flagged"].items())
    print(
        f"\n{f['training_donors']} training donors, {f['new_donors']} new donors, "
        f"{f['spots']} observations each (synthetic)"
    )
    print(f"  stated level {f['level']:.2f}; binomial error at this n: {f['binomial_error']:.3f}")
    print(f"  a random observation is covered: {f['covered_random_observation']:.3f} [{low:.3f}, {high:.3f}]")
    print(
        f"  mean share covered: {f['covered_mean']:.3f}, sd over donors {f['covered_mean_sd_over_donors']:.3f} "
        f"({classes})"
    )
    print(f"  covers at its level: {'yes' if f['covers'] else 'NO'}")
    print(f"  flagged of {f['genes_per_class']} genes in each class: {flags}")
    confirmed = f["flags_with_signal_in_new_donor"]
    print(f"  flags right: {f['flags_right']:.3f} (goal {GOAL_RIGHT}), confirmed in the new donor: {confirmed:.3f}")
    print(f"  {f['seconds']} s")


if __name__ == "__main__":
    main()
