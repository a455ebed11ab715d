"""From a run's scores, or its failure, to the one record that is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.bench._fold_scores import WHOLE, mean_over_donors
from histoscribe.core import keys
from histoscribe.core.records import RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.bench._fold_scores import Judge, Scores
    from histoscribe.bench.plan import Run
    from histoscribe.core.section import Section

__all__ = ["failure_record", "run_record"]


def run_record(
    judge: Judge,
    run: Run,
    outcomes: Mapping[int, Mapping[str, Any]],
    scores: Mapping[str, Scores],
    sections: Sequence[Section],
) -> RunRecord:
    """Return the record of a run that ended well."""
    whole = scores[WHOLE]
    means, ceiling, per_donor = mean_over_donors(whole.per_section)
    subsets = {}
    for name, part in scores.items():
        if name == WHOLE:
            continue
        if not part.per_section:
            subsets[name] = {"n_genes": 0}
            continue
        part_means, part_ceiling, part_donors = mean_over_donors(part.per_section)
        subsets[name] = {
            "n_genes": round(float(np.mean([row["n_genes"] for row in part.per_section])), 1),
            "scores": part_means | part.pooled,
            "ceiling": part_ceiling,
            "per_section": part.per_section,
            "per_donor": part_donors,
        }
    extra = {
        "per_section": whole.per_section,
        "per_donor": per_donor,
        "subsets": subsets,
        "ceiling": ceiling,
        "published": whole.published,
    }
    return _record(judge, run, outcomes, sections, {run.name: means | whole.pooled}, **_rounded(extra))


def failure_record(
    judge: Judge,
    run: Run,
    outcomes: Mapping[int, Mapping[str, Any]],
    failed: Mapping[str, Any] | None,
    sections: Sequence[Section],
) -> RunRecord:
    """Return the record of a run that failed, or (`failed` None) of a control that does not apply here."""
    if failed is None:
        reasons = [str(o["not_applicable"]) for o in outcomes.values() if "not_applicable" in o]
        scores: dict[str, dict[str, Any]] = {run.name: {"not_applicable": reasons[0]}}
        return _record(judge, run, outcomes, sections, scores)
    kept = {key: failed.get(key) for key in ("fold", "error", "message", "log")}
    return _record(judge, run, outcomes, sections, {}, failure=kept)


def _record(
    judge: Judge,
    run: Run,
    outcomes: Mapping[int, Mapping[str, Any]],
    sections: Sequence[Section],
    scores: dict[str, dict[str, Any]],
    **extra: Any,
) -> RunRecord:
    suite, folds = judge.suite, judge.folds
    genes = list(dict.fromkeys(g for fold in folds for g in fold.genes))
    tests = [s for fold in folds for s in fold.split.test]
    done = [outcomes[i] for i in sorted(outcomes)]
    tile_px = next((o["tile_px"] for o in done if "tile_px" in o), suite.tiles.tile_px)
    return RunRecord(
        benchmark=suite.id,
        benchmark_version=suite.version,
        protocol=suite.protocol,
        kind=run.kind,
        method=run.name,
        preset=run.preset,
        params=run.params,
        encoder=run.encoder or "none",
        tiles={"sides_um": list(run.size_um), "tile_px": tile_px} if run.size_um else {},
        genes=genes,
        target=judge.target.to_dict(),
        split=_split(judge, genes),
        seed=run.seed,
        data={s.name: s.origin.digest if s.origin is not None else "" for s in sections},
        scores=_rounded(scores),
        n={
            "donors": len({s.donor for s in tests}),
            "sections": len(tests),
            "observations": sum(s.n_obs for s in tests),
            "genes": len(folds[0].genes),
            "folds": len(folds),
        },
        device=" + ".join(sorted({str(o["device"]) for o in done if "device" in o})) or "unknown",
        seconds=round(sum(o.get("fit_s", 0.0) + o.get("predict_s", 0.0) for o in done), 3),
        synthetic=any(bool(dict(s.table.uns.get(keys.UNS, {})).get("synthetic", False)) for s in sections),
        cost=_cost(done),
        run_key=run.key,
        **extra,
    )


def _split(judge: Judge, genes: Sequence[str]) -> dict[str, Any]:
    folds = judge.folds
    donors = {s.donor for f in folds for s in f.split.test}
    apart = sorted({f.split.apart for f in folds})
    # What scores are averaged over and paired by: donors where there are several, else the best there is.
    unit = "donor" if len(donors) > 1 else "strip" if "region of one section" in apart else "section"
    return {
        "kind": judge.suite.split.kind,
        "apart": apart,
        "unit": unit,
        "folds": [
            {
                "name": f.split.name,
                "train": [s.name for s in f.split.train],
                "test": [s.name for s in f.split.test],
                "genes_left_out": [g for g in genes if g not in set(f.genes)],
            }
            for f in folds
        ],
    }


def _cost(done: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    timed = [o for o in done if "fit_s" in o]
    if not timed:
        return {}
    parameters = [o["parameters"] for o in timed if o.get("parameters") is not None]
    return {
        "fit_s": round(sum(o["fit_s"] for o in timed), 3),
        "predict_s": round(sum(o["predict_s"] for o in timed), 3),
        "peak_mb": max(o["peak_mb"] for o in timed),
        "parameters": round(float(np.mean(parameters))) if parameters else None,
        "threads": timed[0]["threads"],
        "folds": [{k: v for k, v in o.items() if k not in ("threads", "tile_px")} for o in timed],
    }


def _rounded(value: Any) -> Any:
    """Round every number to 6 significant digits: more would be noise, and records are stored in version control."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return value
