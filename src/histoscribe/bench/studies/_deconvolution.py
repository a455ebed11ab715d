"""What the studies of deconvolvers share: a case of known proportions, the rows, and one scored run."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from histoscribe.bench.studies._study import Entry
from histoscribe.core import keys
from histoscribe.core.records import RunRecord
from histoscribe.methods import composition
from histoscribe.metrics import COMPOSITION_METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

    from histoscribe.bench.studies._study import Study
    from histoscribe.methods import Reference

__all__ = ["COLUMNS", "HINDSIGHT", "KnownMixture", "deconvolvers", "run_deconvolver"]

COLUMNS = ("composition_rmse", "composition_pcc_type", "composition_pcc_spot", "composition_jsd_spot")

#: Columns that are no registered metric: what the truth says about intervals and about when to stop.
HINDSIGHT = {
    "composition_coverage_90": ("higher", "Share of true proportions inside the method's 90 % intervals."),
    "composition_coverage_90_present": ("higher", "The same among types that are in the observation."),
    "composition_interval_width": ("lower", "Mean width of these intervals; 1 would hold anything."),
    "end_over_best": (
        "lower",
        "RMSE at the end over the least RMSE on the way, in the stages of the reported model; 1: stopped at the best.",
    ),
    "end_over_best_all_stages": ("lower", "The same over all steps, those of composition alone among them."),
}


@dataclass(frozen=True, eq=False)
class KnownMixture:
    """A section whose proportions are known, and a reference.

    Attributes
    ----------
    name
        Name of the case.
    spots
        Counts, with ``obs["layer"]`` and ``obs["one"]`` (a single layer).
    reference, truth
        Reference, and ``(n, k)`` true proportions in the order of its types.
    data
        Name to digest, or to how it was generated.
    cell_size
        As for `Deconvolver.fit`.
    contrast
        ``(g,)`` planted log difference between the two layers, or None.
    """

    name: str
    spots: AnnData
    reference: Reference
    truth: np.ndarray
    data: Mapping[str, str]
    cell_size: str = "equal"
    contrast: np.ndarray | None = None


def deconvolvers(n_layers: int) -> tuple[Entry, ...]:
    """Return one row for each deconvolver; POLARIS without layers, with a single one, and with all."""
    return (
        Entry("uniform", "uniform", {"layers": "layer"}, control=True),
        Entry("nnls", "nnls", {"layers": "layer"}, control=True),
        Entry("robust-regression", "robust-regression", {"layers": "layer"}),
        Entry("stereoscope", "stereoscope", {"layers": "layer"}),
        Entry("polaris, 0 layers", "polaris", {"layers": None}),
        Entry("polaris, 1 layers", "polaris", {"layers": "one"}),
        Entry(f"polaris, {n_layers} layers", "polaris", {"layers": "layer"}),
    )


def run_deconvolver(study: Study, entry: Entry, case: KnownMixture, *, seed: int, synthetic: bool) -> RunRecord:
    """Deconvolve one case, watched, and score the end and the way."""
    model = composition(entry.method, **{k: v for k, v in entry.params.items() if k != "layers"})
    layers = entry.params["layers"] if model.uses_layers else None
    way: list[tuple[str, np.ndarray]] = []
    model.watch_ = lambda stage, proportions: way.append((stage, proportions))
    start = time.perf_counter()
    found = model.fit(case.spots, case.reference, layers=layers, cell_size=case.cell_size, seed=seed)
    seconds = time.perf_counter() - start
    proportions = found.obsm[keys.COMPOSITION]
    scores = {name: COMPOSITION_METRICS.get(name)(case.truth, proportions).mean for name in COLUMNS}
    scores |= _intervals(found, case) | _contrast(found, case)
    scores |= _hindsight(way, case, found)
    ours = found.uns[keys.UNS]
    fit = json.loads(ours["fit"])
    return RunRecord(
        benchmark=study.id,
        benchmark_version=study.version,
        method=entry.method,
        params=model.params() | {"layers": layers, "cell_size": case.cell_size},
        encoder="none",
        genes=list(found.var_names),
        target={},
        split={"case": case.name, "layers": fit.get("n_layers", 0)},
        seed=seed,
        data=dict(case.data),
        scores={entry.label: scores},
        n={"observations": found.n_obs, "types": proportions.shape[1], "genes": found.n_vars, "sections": 1},
        seconds=round(seconds, 3),
        synthetic=synthetic,
        kind="control" if entry.control else "method",
        protocol=study.protocol,
        notes=[*ours["notes"], f"fit: {json.dumps(fit)}"],
    )


def _intervals(found: AnnData, case: KnownMixture) -> dict[str, float]:
    if keys.COMPOSITION_LOWER not in found.obsm:
        return {}
    lower, upper = found.obsm[keys.COMPOSITION_LOWER], found.obsm[keys.COMPOSITION_UPPER]
    covered = (lower <= case.truth) & (case.truth <= upper)
    return {
        "composition_coverage_90": float(covered.mean()),
        "composition_coverage_90_present": float(covered[case.truth > 0].mean()),
        "composition_interval_width": float((upper - lower).mean()),
    }


def _contrast(found: AnnData, case: KnownMixture) -> dict[str, float]:
    if keys.LAYER_FACTORS not in found.varm or case.contrast is None or not case.contrast.any():
        return {}
    first, second = found.varm[keys.LAYER_FACTORS].T
    planted = case.contrast[case.spots.var_names.get_indexer(found.var_names)]
    return {"layer_contrast_pcc": float(np.corrcoef(first - second, planted)[0, 1])}


def _hindsight(way: list[tuple[str, np.ndarray]], case: KnownMixture, found: AnnData) -> dict[str, float]:
    if not way:
        return {}
    size = np.ones(case.truth.shape[1])
    if case.cell_size == "reference":
        # The way in the unit of the truth, as its end is: shares of cells.
        reference = case.reference.subset(pd.Index(case.reference.genes).get_indexer(found.var_names))
        assert reference.cell_totals is not None
        size = reference.cell_totals
    errors = []
    for stage, proportions in way:
        shares = proportions / size
        shares /= shares.sum(1, keepdims=True)
        errors.append((stage, float(np.sqrt(((shares - case.truth) ** 2).mean()))))
    last = errors[-1][1]
    # A fit of composition alone has no other stage than that one.
    own = [error for stage, error in errors if stage != "composition"] or [error for _, error in errors]
    return {"end_over_best": last / min(own), "end_over_best_all_stages": last / min(error for _, error in errors)}
