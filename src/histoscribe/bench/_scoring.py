"""Score predictions per section, then per donor, with intervals over donors and never over observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.metrics import METRICS, Context, Score

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData

    from histoscribe.bench._match import Matched
    from histoscribe.bench.training import Relation
    from histoscribe.core.section import Section

__all__ = ["CONFIDENCE", "Case", "Row", "donor_mean", "per_section_table", "score", "summary_table"]

#: Two-sided confidence of the intervals over donors.
CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class Case:
    """One test section and its prediction, ready to be scored.

    Attributes
    ----------
    prediction, info
        The prediction, and its ``uns["histoscribe"]``.
    genes
        What is scored, in order.
    matched
        The section's scored observations and their rows in the prediction.
    truth
        ``(n, g)`` float32 target.
    context
        What metrics need beside it.
    partial_reliability
        ``(g,)`` reliability once depth is removed.
    training, why_no_training, entries
        Training sections at hand, why there are none, and what the prediction says about them.
    relation
        How this section relates to the training sections.
    geometry
        Tiles that the prediction was made from (`TileGrid.geometry`), or None.
    """

    prediction: AnnData
    info: dict[str, Any]
    genes: list[str]
    matched: Matched
    truth: np.ndarray
    context: Context
    partial_reliability: np.ndarray
    training: tuple[Section, ...]
    why_no_training: str
    entries: list[dict[str, Any]]
    relation: Relation
    geometry: dict[str, Any] | None

    @property
    def section(self) -> Section:
        """The scored observations."""
        return self.matched.section

    def values(self, layer: str | None = None) -> np.ndarray:
        """Return ``(n, g)`` of the prediction's X or of a layer, matched to the scored observations and genes."""
        columns = self.prediction.var_names.get_indexer(self.genes)
        matrix = self.prediction.X if layer is None else self.prediction.layers[layer]
        rows = matrix[self.matched.rows][:, columns]
        return np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows)


@dataclass(frozen=True, eq=False)
class Row:
    """One method or control, scored.

    `scores` holds one mapping of metric name to score per test section, `pooled` the metrics over all sections
    together; both are empty where `reason` says why there is nothing to score.
    """

    name: str
    kind: str
    label: str
    reason: str = ""
    scores: tuple[Mapping[str, Score], ...] = ()
    pooled: Mapping[str, Score] | None = None

    def section_mean(self, metric: str, index: int) -> float:
        """Mean of a metric in one section; NaN where it is not available."""
        found = self.scores[index].get(metric) if self.scores else None
        return np.nan if found is None or found.mean is None else found.mean


def score(
    cases: Sequence[Case], predictions: Sequence[np.ndarray], *, relative: bool = False
) -> tuple[tuple[dict[str, Score], ...], dict[str, Score]]:
    """Compute every metric of the registry in each section, and those of scope ``"all"`` over all of them.

    A metric whose needs are not met is left out. `relative` leaves out those that do not ignore shift and scale.
    """
    metrics = [METRICS.get(name) for name in METRICS]
    if relative:
        metrics = [m for m in metrics if {"shift", "scale"} <= set(m.invariances)]
    per_section = tuple(
        {
            m.name: m(case.truth, values, case.context)
            for m in metrics
            if m.scope == "section" and not m.missing(case.context)
        }
        for case, values in zip(cases, predictions, strict=True)
    )
    truth, values = np.concatenate([c.truth for c in cases]), np.concatenate(list(predictions))
    return per_section, {m.name: m(truth, values) for m in metrics if m.scope == "all"}


def donor_mean(values: Sequence[float] | np.ndarray, donors: Sequence[str]) -> tuple[Any, Any, Any]:
    """Return mean over donors of each donor's mean over sections, and the Student interval over donors.

    Parameters
    ----------
    values
        ``(sections,)`` or ``(sections, g)``; NaN marks a section that does not count.
    donors
        Donor of each section.

    Returns
    -------
    mean, lower, upper; lower and upper are NaN with fewer than two donors, all are NaN where nothing counts.
    """
    frame = pd.DataFrame(np.asarray(values, dtype=np.float64).reshape(len(donors), -1))
    per_donor = frame.groupby(np.asarray(donors, dtype=object)).mean().to_numpy()
    counted = np.isfinite(per_donor)
    k = counted.sum(0)
    mean = np.divide(np.where(counted, per_donor, 0).sum(0), k, out=np.full(k.shape, np.nan), where=k > 0)
    deviation = np.where(counted, per_donor - np.where(k > 0, mean, 0), 0)
    variance = np.divide((deviation**2).sum(0), k - 1, out=np.full(k.shape, np.nan), where=k > 1)
    from scipy import stats  # late: half a second in every process

    half = stats.t.ppf(0.5 + CONFIDENCE / 2, np.maximum(k - 1, 1)) * np.sqrt(variance / np.maximum(k, 1))
    shape = np.shape(values)[1:]
    return tuple(a.reshape(shape) if shape else float(a[0]) for a in (mean, mean - half, mean + half))


def summary_table(rows: Sequence[Row], donors: Sequence[str]) -> pd.DataFrame:
    """Build the main table: one row per method or control; see `Evaluation.table`."""
    records = []
    for row in rows:
        record: dict[str, Any] = {"kind": row.kind, "label": row.label, "available": not row.reason}
        record["reason"] = row.reason
        for name in METRICS:
            if METRICS.get(name).scope == "all":
                pooled = (row.pooled or {}).get(name)
                mean = np.nan if pooled is None or pooled.mean is None else pooled.mean
                lower = upper = np.nan
            else:
                mean, lower, upper = donor_mean([row.section_mean(name, i) for i in range(len(donors))], donors)
            metric = METRICS.get(name)
            record |= {name: mean, f"{name}_lower": max(lower, metric.low), f"{name}_upper": min(upper, metric.high)}
        records.append(record)
    return pd.DataFrame(records, index=pd.Index([row.name for row in rows], name="method"))


def per_section_table(rows: Sequence[Row], cases: Sequence[Case]) -> pd.DataFrame:
    """Build the long table of available rows x sections; see `Evaluation.per_section`."""
    records = []
    for row in rows:
        if row.reason:
            continue
        for i, case in enumerate(cases):
            section = case.section
            record: dict[str, Any] = {"method": row.name, "section": section.name, "donor": section.donor}
            record |= {"n_obs": section.n_obs, "genes_counted": int(row.scores[i]["pcc_gene"].counted.sum())}
            record["constant_predictions"] = int(row.scores[i]["pcc_gene"].constant.sum())
            names = [n for n in METRICS if METRICS.get(n).scope == "section"]
            records.append(record | {name: row.section_mean(name, i) for name in names})
    return pd.DataFrame(records, index=pd.RangeIndex(len(records), name="row"))
