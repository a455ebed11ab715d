"""From scored rows to the verdict: tables, ceiling, coverage, sentences and record."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.bench._evaluation import Evaluation
from histoscribe.bench._notes import Findings, heading, notes
from histoscribe.bench._scoring import donor_mean, per_section_table, summary_table
from histoscribe.bench.training import donors as training_donors
from histoscribe.core import keys
from histoscribe.core.records import RunRecord
from histoscribe.metrics import METRICS, MIN_RELIABILITY, interval_coverage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench._scoring import Case, Row
    from histoscribe.core.target import Target

__all__ = ["verdict"]


def verdict(cases: Sequence[Case], rows: Sequence[Row], *, target: Target, dropped: int, seed: int) -> Evaluation:
    """Put everything together; the first row is the method's."""
    donors = [c.section.donor for c in cases]
    coverage = _coverage_per_gene(cases)
    found = Findings(
        method=rows[0].name,
        table=summary_table(rows, donors),
        per_gene=_per_gene(cases, rows[0], coverage),
        per_section=per_section_table(rows, cases),
        cases=cases,
        ceiling=_ceiling(cases, donors),
        coverage=_coverage(cases, coverage),
        genes_dropped=dropped,
        synthetic=_synthetic(cases),
        slide_differs=_slide_differs(cases),
    )
    sentences = notes(found)
    return Evaluation(
        heading=heading(found.method, cases, synthetic=found.synthetic),
        table=found.table,
        per_gene=found.per_gene,
        per_section=found.per_section,
        notes=sentences,
        ceiling=found.ceiling,
        coverage=found.coverage,
        record=_record(found, target=target, sentences=sentences, seed=seed),
    )


def _per_gene(cases: Sequence[Case], row: Row, coverage: np.ndarray | None) -> pd.DataFrame:
    """Return the method's gene-wise scores, over the sections in which a gene varies; 0 where it varies in none."""
    donors = [c.section.donor for c in cases]
    columns: dict[str, Any] = {}
    for name in METRICS:
        # The ceiling-normalised score is left to pcc_gene / ceiling: it has no meaning for an unreliable gene.
        if METRICS.get(name).axis != "gene" or name not in row.scores[0] or name == "ceiling_normalised_pcc_gene":
            continue
        scores = [s[name] for s in row.scores]
        values = np.stack([np.where(s.counted, s.values, np.nan) for s in scores])
        columns[name] = np.nan_to_num(donor_mean(values, donors)[0])
    own = [s["pcc_gene"] for s in row.scores]
    columns["varies"] = np.any([s.counted for s in own], axis=0)
    columns["constant_prediction"] = np.all([s.constant for s in own], axis=0)
    shares = (("", [c.context.reliability for c in cases]), ("_depth_partial", [c.partial_reliability for c in cases]))
    for suffix, values in shares:
        columns[f"reliability{suffix}"] = donor_mean(np.stack(values), donors)[0]
        columns[f"ceiling{suffix}"] = donor_mean(np.sqrt(np.stack(values)), donors)[0]
    columns["reliable"] = columns["reliability"] > MIN_RELIABILITY
    flags = [c.prediction.var[keys.TRUSTED] for c in cases if keys.TRUSTED in c.prediction.var]
    if len(flags) == len(cases):
        # Several models: trusted by each of them.
        columns[keys.TRUSTED] = np.all([f.loc[cases[0].genes].to_numpy(dtype=bool) for f in flags], axis=0)
    if coverage is not None:
        columns["interval_coverage"] = donor_mean(coverage, donors)[0]
    return pd.DataFrame(columns, index=pd.Index(cases[0].genes, name="gene"))


def _ceiling(cases: Sequence[Case], donors: Sequence[str]) -> dict[str, float]:
    full = np.stack([c.context.reliability for c in cases])
    partial = np.stack([c.partial_reliability for c in cases])
    values = {
        "pcc_gene": np.sqrt(full).mean(1),
        "depth_partial_pcc_gene": np.sqrt(partial).mean(1),
        "reliability": full.mean(1),
        "reliable_genes": (full > MIN_RELIABILITY).sum(1),
    }
    return {name: donor_mean(value, donors)[0] for name, value in values.items()} | {"floor": MIN_RELIABILITY}


def _coverage_per_gene(cases: Sequence[Case]) -> np.ndarray | None:
    """Return ``(sections, g)`` coverage, or None where a prediction has no intervals."""
    if any(float(c.info.get("level", -1.0)) <= 0 or keys.LOWER not in c.prediction.layers for c in cases):
        return None
    return np.stack([interval_coverage(c.truth, c.values(keys.LOWER), c.values(keys.UPPER)) for c in cases])


def _coverage(cases: Sequence[Case], per_gene: np.ndarray | None) -> dict[str, Any]:
    levels = {float(c.info.get("level", -1.0)) for c in cases}
    if per_gene is None or len(levels) > 1:
        return {}
    measured, lower, upper = donor_mean(per_gene.mean(1), [c.section.donor for c in cases])
    interval = {"lower": max(lower, 0.0), "upper": min(upper, 1.0)} if np.isfinite(lower) else {}
    units = sorted({str(c.info.get("calibration_unit", "unknown")) for c in cases})
    return {"stated": levels.pop(), "measured": measured, **interval, "unit": " or ".join(units)}


def _synthetic(cases: Sequence[Case]) -> bool:
    tables = [s.table for c in cases for s in (c.section, *c.training)]
    marked = any(bool(dict(t.uns.get(keys.UNS, {})).get("synthetic", False)) for t in tables)
    return marked or any(bool(c.info.get("synthetic", False)) for c in cases)


def _slide_differs(cases: Sequence[Case]) -> list[str]:
    """Name the sections whose image is not the file that was predicted on."""
    named = []
    for case in cases:
        digest, slide = str(case.info.get("slide_digest", "")), case.section.slide
        if digest and slide is not None and slide.digest() != digest:
            named.append(case.section.name)
    return named


def _record(found: Findings, *, target: Target, sentences: list[str], seed: int) -> RunRecord:
    cases, info = found.cases, found.cases[0].info
    entries = {str(e["name"]): e for c in cases for e in c.entries}
    training = {s.name: s for c in cases for s in c.training}
    data = {f"train {name}": str(e.get("digest", "")) for name, e in entries.items()}
    for side, sections in (("train", training.values()), ("test", [c.section for c in cases])):
        data |= {f"{side} {s.name}": s.origin.digest if s.origin is not None else "" for s in sections}
    split = {
        "apart": sorted({c.relation for c in cases}),
        "train_sections": sorted({*entries, *training}),
        "train_donors": sorted({d for c in cases for d in training_donors(c.entries, c.training)}),
        "test_sections": [c.section.name for c in cases],
        "test_donors": found.donors,
        "bundles": sorted({str(c.info.get("bundle", "")) for c in cases}),
    }
    n = {
        "donors": len(found.donors),
        "sections": len(cases),
        "observations": sum(c.section.n_obs for c in cases),
        "observations_unmatched": sum(c.matched.unmatched for c in cases),
        "genes": len(found.per_gene),
        "genes_left_out": found.genes_dropped,
        "genes_constant": int((~found.per_gene["varies"]).sum()),
    }
    return RunRecord(
        method=found.method,
        params=json.loads(str(info.get("params", "{}"))),
        encoder=str(info.get("encoder", "unknown")),
        genes=cases[0].genes,
        target=target.to_dict(),
        split=split,
        seed=int(info.get("seed", seed)),
        data=data,
        scores=_scores(found),
        n=n,
        synthetic=found.synthetic,
        notes=sentences,
    )


def _scores(found: Findings) -> dict[str, dict[str, Any]]:
    """Return every available number of the table, and for the rest the reason."""
    scores: dict[str, dict[str, Any]] = {}
    for name, row in found.table.iterrows():
        if not row["available"]:
            scores[str(name)] = {"not_applicable": row["reason"]}
            continue
        wanted = [f"{m}{end}" for m in METRICS for end in ("", "_lower", "_upper")]
        scores[str(name)] = {m: float(row[m]) for m in wanted if np.isfinite(row[m])}
    if found.coverage:
        scores[found.method]["interval_coverage"] = found.coverage["measured"]
    return scores
