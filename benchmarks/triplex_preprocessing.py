"""Verify the preprocessing of the TRIPLEX protocol on her2st from counts alone: no image, no model.

Data: the development folder (HISTOSCRIBE_DATA, default ../shared/data): 26 of 36 sections, 6 of 8 donors (all of B and
H, and C6, are absent), 10,004 of 13,620 spots. The stored list of 250 genes (all 36 sections) and the reference values
lie in ``../shared/reference``. Protocol: counts per 10,000 of the 250 genes, log10(1 + x), 3x3 mean over the array,
leave one donor out, training mean as prediction; mean over sections of a donor, then over donors.

Measured 2026-11-25 (exact but for count splitting, seed 0; "own genes": the rule on these sections; "two more left
out": range over the ten pairs of further donors left out of training)::

    donor  MSE   reference  with stand-in  own genes  two more left out   MAE   within  per spot
    A     0.393    0.420        0.435        0.404      0.334 - 0.485    0.481  0.034    0.018
    C     0.159    0.181        0.174        0.160      0.154 - 0.226    0.297  0.034    0.510
    D     0.198    0.210        0.199        0.204      0.186 - 0.250    0.358  0.041    0.484
    E     0.332    0.258        0.235        0.331      0.263 - 0.440    0.460  0.044    0.436
    F     0.163    0.172        0.171        0.174      0.162 - 0.214    0.322  0.035    0.580
    G     0.258    0.211        0.207        0.267      0.234 - 0.349    0.406  0.102    0.566

    donor  ceiling  reference  depth only
    A      0.744     0.75       0.152
    C      0.823     0.82       0.292
    D      0.790     0.79       0.250
    E      0.714     0.71       0.254
    F      0.592     0.59       0.145
    G      0.774     0.77       0.360

    mean over donors (reference: eight donors)
      mse                        0.251 +- 0.088  (0.263)
      mae                        0.387 +- 0.068  (0.405)
      within                     0.048 +- 0.024  (0.069)
      pcc_spot                   0.432 +- 0.192  (0.504)
      mse_unsmoothed             0.444 +- 0.127  (0.503)
      mae_unsmoothed             0.523 +- 0.086  (0.583)
      within_unsmoothed          0.242 +- 0.114  (0.309)
      pcc_spot_unsmoothed        0.335 +- 0.146  (0.379)
    mean over sections (reference: 36 sections)
      ceiling                                0.752  (0.773)
      depth_only                             0.236  (0.311)
      depth_only_smoothed_depth              0.335  (0.402)
      ceiling_unsmoothed                     0.564  (0.579)
      depth_only_unsmoothed                  0.276  (0.300)
      depth_only_smoothed_depth_unsmoothed   0.164  (-)
    natural log / log10 MSE: 5.301898 to 5.301898; (ln 10)^2 = 5.301898

What the differences are:

- Genes: the rule finds 239 of the 250. The other eleven rank 251 to 292 here: the cut moves without the 3,616 spots of
  B, H and C6, which are not there to count. All 250 are measured in every section here.
- Spots without a count in the 250 genes: A 2, C 5, D 5, E 0, F 0, G 0 (reference: A 2, C 7 with C6, D 5, B 5).
- Ceilings agree to two digits, donor by donor: a donor's own counts decide them. The mean over 36 sections follows: the
  ten absent sections must average .828, and the reference's B .87 (6 sections), H .75 (3) and C .82 (C6) average .829.
- Training-mean MSE depends on who trains. With B and H (3,438 spots of shallow libraries) standing in as the mean of
  the two shallow donors at hand, E and G, the root mean square difference to the reference falls from .039 to .012. E
  and G are then partly predicted from themselves; over A, C, D and F alone it falls from .019 to .010. This makes the
  absent donors the likely reason, and is no proof.
- Within-section variance is a donor's own: B and H must average .13 to lift the mean from .048 to .069, near G's .10.
- Depth alone scores .236 here against .311 over 36 sections: the absent ones must average .51. The reference says of B
  that its depth varies hugely between adipose and tumour; H cannot be judged from here.
- The natural logarithm multiplies every MSE by (ln 10)^2 exactly.

Writes ``results/triplex-preprocessing/her2st-6-donors.json``.
"""

from __future__ import annotations

import argparse
import itertools
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from histoscribe.core.array import array_of, neighbourhood
from histoscribe.core.files import write_json
from histoscribe.core.section import Section
from histoscribe.core.target import Target, choose_panel, common_genes, panel_counts
from histoscribe.io import read
from histoscribe.metrics import pcc_gene, pcc_spot, reliability

#: Spots of donors B and H, both shallow (median 1,128 and 1,274 counts): 1,712 and 1,726.
ABSENT_SPOTS = 3438

TRIPLEX = Target(library="panel", base="10", smooth="array-3x3")
PLAIN = Target(library="panel", base="10")
NATURAL = Target(library="panel", smooth="array-3x3")
#: Training-mean MSE of each donor with all eight donors at hand (methods_expression.md, 1.3).
REFERENCE_MSE = {"A": 0.420, "C": 0.181, "D": 0.210, "E": 0.258, "F": 0.172, "G": 0.211}
#: Ceiling of each donor, smoothed (state_of_the_art.md, 1.3, family B); counts of a donor alone decide it.
REFERENCE_CEILING = {"A": 0.75, "C": 0.82, "D": 0.79, "E": 0.71, "F": 0.59, "G": 0.77}
#: Means over all eight donors or 36 sections (methods_expression.md 1.3, state_of_the_art.md 1.4).
REFERENCE_MEANS = {
    "mse": 0.263,
    "mae": 0.405,
    "pcc_spot": 0.504,
    "within": 0.069,
    "mse_unsmoothed": 0.503,
    "mae_unsmoothed": 0.583,
    "pcc_spot_unsmoothed": 0.379,
    "within_unsmoothed": 0.309,
    "ceiling": 0.773,
    "ceiling_unsmoothed": 0.579,
    "depth_only": 0.311,
    "depth_only_smoothed_depth": 0.402,
    "depth_only_unsmoothed": 0.300,
}


@dataclass(frozen=True, eq=False)
class Baseline:
    """What the training mean reaches on one donor: mean over its sections."""

    mse: float
    mae: float
    within: float
    pcc_spot: float


def training_mean(
    sections: list[Section],
    truth: list[np.ndarray],
    donor: str,
    *,
    without: tuple[str, ...] = (),
    absent: np.ndarray | None = None,
) -> Baseline:
    """Score the mean over all training spots on the sections of `donor`.

    `without` leaves more donors out; `absent` ((g,)) stands in for the mean of the absent donors' spots.
    """
    train = [y for s, y in zip(sections, truth, strict=True) if s.donor != donor and s.donor not in without]
    n = sum(map(len, train))
    mean = np.concatenate(train).mean(0, dtype=np.float64)
    if absent is not None:
        mean = (n * mean + ABSENT_SPOTS * absent) / (n + ABSENT_SPOTS)
    test = [y.astype(np.float64) for s, y in zip(sections, truth, strict=True) if s.donor == donor]
    return Baseline(
        mse=float(np.mean([((y - mean) ** 2).mean() for y in test])),
        mae=float(np.mean([np.abs(y - mean).mean() for y in test])),
        within=float(np.mean([y.var(0).mean() for y in test])),
        pcc_spot=float(np.mean([pcc_spot(y, np.tile(mean, (len(y), 1))).mean() for y in test])),
    )


def stand_in(sections: list[Section], truth: list[np.ndarray]) -> np.ndarray:
    """Return what the absent donors are taken to look like: the mean of the two shallow donors at hand, E and G."""
    means = [
        np.concatenate([y for s, y in zip(sections, truth, strict=True) if s.donor == d]).mean(0, dtype=np.float64)
        for d in ("E", "G")
    ]
    return np.mean(means, 0)


def ceiling_and_depth(section: Section, genes: list[str], target: Target) -> dict[str, float]:
    """Return the count-splitting ceiling, and what log depth alone scores (signed mean over genes), of one section."""
    place = array_of(section)
    split = reliability(
        panel_counts(section, genes), section.depth, target=target, array=place if target.smooth != "none" else None
    )
    truth = target(section, genes)
    depth = np.log(np.maximum(section.depth, 1.0))
    smooth = neighbourhood(place) @ depth
    tiled = [np.tile(z[:, None], (1, len(genes))) for z in (depth, smooth)]
    return {
        "ceiling": float(np.sqrt(split).mean()),
        "depth_only": float(pcc_gene(truth, tiled[0]).mean()),
        "depth_only_smoothed_depth": float(pcc_gene(truth, tiled[1]).mean()),
    }


def gene_rule(sections: list[Section], stored: list[str]) -> dict:
    """Compare the rule (highest mean raw count over all spots of all sections) with the stored list."""
    ranked = choose_panel(sections, 1000)
    ours, rank = ranked[: len(stored)], {gene: i + 1 for i, gene in enumerate(ranked)}
    return {
        "common_genes": len(common_genes(sections)),
        "overlap": len(set(ours) & set(stored)),
        "lacking": {gene: rank.get(gene) for gene in stored if gene not in ours},
        "instead": [gene for gene in ours if gene not in stored],
    }


def verify(sections: list[Section], stored: list[str]) -> dict:
    """Return everything that is printed."""
    donors = sorted({s.donor for s in sections})
    own = choose_panel(sections, len(stored))
    found: dict = {"n": {"sections": len(sections), "donors": len(donors), "spots": sum(s.n_obs for s in sections)}}
    found["genes"] = gene_rule(sections, stored)
    found["zero_library_spots"] = {
        d: int(sum((panel_counts(s, stored).sum(1) == 0).sum() for s in sections if s.donor == d)) for d in donors
    }
    variants = {"stored": (stored, TRIPLEX), "own": (own, TRIPLEX), "plain": (stored, PLAIN), "ln": (stored, NATURAL)}
    truths = {name: [target(s, genes) for s in sections] for name, (genes, target) in variants.items()}
    for name, truth in truths.items():
        found[name] = {d: vars(training_mean(sections, truth, d)) for d in donors}
    absent = stand_in(sections, truths["stored"])
    found["stand_in"] = {d: vars(training_mean(sections, truths["stored"], d, absent=absent)) for d in donors}
    found["pairs"] = {
        d: [
            training_mean(sections, truths["stored"], d, without=pair).mse
            for pair in itertools.combinations([x for x in donors if x != d], 2)
        ]
        for d in donors
    }
    for name, target in (("ceilings", TRIPLEX), ("ceilings_plain", PLAIN)):
        rows = [ceiling_and_depth(s, stored, target) for s in sections]
        found[name] = {
            d: {
                key: float(np.mean([r[key] for r, s in zip(rows, sections, strict=True) if s.donor == d]))
                for key in rows[0]
            }
            for d in donors
        } | {"sections": {key: float(np.mean([r[key] for r in rows])) for key in rows[0]}}
    return found


def show(found: dict) -> None:
    """Print the tables of the docstring."""
    n, genes, donors = found["n"], found["genes"], list(found["pairs"])
    print(
        f"n: {n['sections']} sections, {n['donors']} donors, {n['spots']} spots; spots without a count in the 250 "
        f"genes: {found['zero_library_spots']}"
    )
    print(
        f"gene rule: {genes['overlap']} of 250 stored genes; lacking (our rank) {genes['lacking']}; "
        f"instead {', '.join(genes['instead'])}\n"
    )
    print("donor  MSE   reference  with stand-in  own genes  two more left out   MAE   within  per spot")
    for d in donors:
        row, pairs = found["stored"][d], found["pairs"][d]
        print(
            f"{d}     {row['mse']:.3f}    {REFERENCE_MSE[d]:.3f}        {found['stand_in'][d]['mse']:.3f}        "
            f"{found['own'][d]['mse']:.3f}      {min(pairs):.3f} - {max(pairs):.3f}    {row['mae']:.3f}  "
            f"{row['within']:.3f}    {row['pcc_spot']:.3f}"
        )
    print("\ndonor  ceiling  reference  depth only")
    for d in donors:
        top = found["ceilings"][d]
        print(f"{d}      {top['ceiling']:.3f}     {REFERENCE_CEILING[d]:.2f}       {top['depth_only']:.3f}")
    print("\nmean over donors (reference: eight donors)")
    for name, key, suffix in itertools.chain(
        (("stored", key, "") for key in ("mse", "mae", "within", "pcc_spot")),
        (("plain", key, "_unsmoothed") for key in ("mse", "mae", "within", "pcc_spot")),
    ):
        values = [found[name][d][key] for d in donors]
        print(
            f"  {key + suffix:26s} {np.mean(values):.3f} +- {np.std(values):.3f}  ({REFERENCE_MEANS[key + suffix]:.3f})"
        )
    print("mean over sections (reference: 36 sections)")
    for name, suffix in (("ceilings", ""), ("ceilings_plain", "_unsmoothed")):
        for key, value in found[name]["sections"].items():
            reference = REFERENCE_MEANS.get(key + suffix)
            print(f"  {key + suffix:38s} {value:.3f}  ({'-' if reference is None else f'{reference:.3f}'})")
    ratios = [found["ln"][d]["mse"] / found["stored"][d]["mse"] for d in donors]
    print(f"natural log / log10 MSE: {min(ratios):.6f} to {max(ratios):.6f}; (ln 10)^2 = {np.log(10) ** 2:.6f}")


def main() -> None:
    """Read all sections, verify, print, and store what was found."""
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("HISTOSCRIBE_DATA", root / "../shared/data")))
    parser.add_argument("--out", type=Path, default=root / "results" / "triplex-preprocessing" / "her2st-6-donors.json")
    options = parser.parse_args()
    counts, stored = options.data / "her2st/data/ST-cnts", options.data / "../reference/her2st_genes250.txt"
    if not (counts.is_dir() and stored.is_file()):
        print(f"skipped: {counts} or {stored} is absent (HISTOSCRIBE_DATA)")
        return
    names = sorted(path.name.split(".")[0] for path in counts.glob("*.tsv.gz"))
    sections = [read("st-array", options.data / "her2st", section=name, image="none") for name in names]
    found = verify(sections, stored.read_text(encoding="utf-8").split())
    show(found)
    write_json(options.out, found)


if __name__ == "__main__":
    main()
