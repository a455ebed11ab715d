"""What choosing ridge strengths costs, as a ratio to one fit with a fixed strength in the same run.

Generated features (seed 0): n observations of 4 donors, 1,280 + 8 features in two blocks, 250 genes. Turns alternate,
the median of the ratios counts. The search uses at most 800 observations, so its cost does not grow with n.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from anndata import AnnData

from histoscribe.core.features import Features, FeatureSpec
from histoscribe.core.section import Section
from histoscribe.methods import expression
from histoscribe.methods._expression import TrainingSection

N_FEATURES, N_GENES, N_DONORS = (1280, 8), 250, 4


def main() -> None:
    """Time each variant and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, nargs="+", default=[1000, 4000, 12000])
    parser.add_argument("--turns", type=int, default=3)
    args = parser.parse_args()
    variants = {
        "fixed": {"strength": 1e4, "centre": True},
        "one strength": {"per_block": False, "centre": True},
        "one per block": {"centre": True},
        "one per block, centring chosen": {},
    }
    for n in args.n:
        data, spec = generate(n)
        seconds = {name: [] for name in variants}
        for _ in range(args.turns):
            for name, params in variants.items():
                seconds[name].append(fit(data, spec, params))
        base = np.array(seconds["fixed"])
        for name, taken in seconds.items():
            print(
                f"n = {n:6d}  {name:32s} {np.median(taken):7.2f} s  {np.median(np.array(taken) / base):5.2f} x one fit"
            )


def generate(n: int) -> tuple[list[TrainingSection], FeatureSpec]:
    """Return one training section per donor, with a planted linear relation."""
    rng = np.random.default_rng(0)
    d = sum(N_FEATURES)
    spec = FeatureSpec("generated", "0", {"a@112um": (0, N_FEATURES[0]), "b@112um": (N_FEATURES[0], d)}, {})
    weights = rng.normal(size=(d, N_GENES)) / np.sqrt(d)
    data = []
    for donor in range(N_DONORS):
        m = n // N_DONORS
        X = rng.normal(size=(m, d)).astype(np.float32)
        table = AnnData(shape=(m, 0))
        table.obsm["spatial"] = rng.uniform(0, 1e4, (m, 2))
        Features(X, spec).attach(table)
        y = (X @ weights + rng.normal(0, 2, (m, N_GENES))).astype(np.float32)
        name = f"donor-{donor}"
        section = Section(table, None, 1.0, name, name)
        data.append(TrainingSection(section, y, np.zeros_like(y), np.ones(m), np.full(m, name, dtype=object)))
    return data, spec


def fit(data: list[TrainingSection], spec: FeatureSpec, params: dict) -> float:
    """Fit once; return the seconds."""
    model = expression("ridge", **params)
    model.spec_ = spec
    start = time.perf_counter()
    model._fit(data, rng=np.random.default_rng(0))
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
