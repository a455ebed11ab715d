"""The report's tables as rows of cells: genes by trust, and the method beside its controls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core import keys
from histoscribe.metrics import METRICS
from histoscribe.reports._verdict import control_name, number
from histoscribe.reports._words import Text, words

if TYPE_CHECKING:
    from anndata import AnnData

    from histoscribe.bench import Evaluation

__all__ = ["Cell", "ControlRow", "TrustRow", "control_rows", "shown_metrics", "trust_columns", "trust_rows"]

#: Genes in the page; a whole transcriptome would make it too heavy to open.
MAX_ROWS = 1500

#: Metrics of the controls table, most telling first; the rest is in the record.
_METRICS = (
    *("pcc_gene", "depth_partial_pcc_gene", "ceiling_normalised_pcc_gene", "spearman_gene", "r2_train_mean"),
    *("variance_ratio", "moran_agreement", "pcc_spot", "mse"),
)
#: Column of the evaluation's per-gene table to its heading.
_HERE = {
    "pcc_gene": "col_pcc",
    "depth_partial_pcc_gene": "col_partial",
    "ceiling": "col_ceiling",
    "interval_coverage": "col_coverage",
}


@dataclass(frozen=True)
class Cell:
    """Text shown, value to sort by, and whether a control beats the method here."""

    text: str
    value: float
    wins: bool = False
    interval: str = ""


@dataclass(frozen=True)
class TrustRow:
    """A gene and its numbers."""

    gene: str
    trusted: bool
    cells: list[Cell]


@dataclass(frozen=True)
class ControlRow:
    """The method or a control; `reason` where it could not be computed."""

    name: str
    title: Text | str
    about: Text | None
    own: bool
    reason: str
    cells: list[Cell]


def trust_columns(evaluation: Evaluation | None) -> list[Text]:
    """Return headings of the numbers in the trust table."""
    found = [Text("col_held_out"), Text("col_lower")]
    return [*found, *(Text(_HERE[c]) for c in _here(evaluation)), Text("col_train_mean")]


def trust_rows(prediction: AnnData, evaluation: Evaluation | None) -> list[TrustRow]:
    """Return one row per gene, best held-out lower bound first; at most `MAX_ROWS`."""
    var = prediction.var
    mean = "train_mean" if "train_mean" in var else None
    order = np.lexsort((-var[keys.TRUST_MEAN].to_numpy(dtype=float), -var[keys.TRUST_LOWER].to_numpy(dtype=float)))
    rows = []
    for i in order[:MAX_ROWS]:
        gene = var.index[i]
        numbers = [float(var[keys.TRUST_MEAN].iloc[i]), float(var[keys.TRUST_LOWER].iloc[i])]
        for column in _here(evaluation):
            assert evaluation is not None
            known = gene in evaluation.per_gene.index
            numbers.append(float(evaluation.per_gene.loc[gene, column]) if known else np.nan)
        numbers.append(np.nan if mean is None else float(var[mean].iloc[i]))
        rows.append(
            TrustRow(str(gene), bool(var[keys.TRUSTED].iloc[i]), [Cell(number(v), _sortable(v)) for v in numbers])
        )
    return rows


def shown_metrics(evaluation: Evaluation) -> list[dict[str, Any]]:
    """Return the metrics of the controls table: name, what it says, and which way is better."""
    arrows = {"higher": "↑", "lower": "↓", "nearer": "→ 1"}
    found = []
    for name in _METRICS:
        if name in METRICS and name in evaluation.table and np.isfinite(evaluation.table[name].iloc[0]):
            about = Text(f"metric_{name}") if f"metric_{name}" in words() else METRICS.get(name).summary
            found.append({"name": name, "about": about, "arrow": arrows[METRICS.get(name).direction]})
    return found


def control_rows(evaluation: Evaluation) -> list[ControlRow]:
    """Return the method first, then each control of the evaluation."""
    metrics = [m["name"] for m in shown_metrics(evaluation)]
    own = evaluation.table.iloc[0]
    rows = []
    for i, (name, row) in enumerate(evaluation.table.iterrows()):
        about = f"about_{name}"
        rows.append(
            ControlRow(
                name=str(name),
                title=Text("the_model") if i == 0 else control_name(str(name)),
                about=Text(about) if about in words() else None,
                own=i == 0,
                reason=str(row["reason"]) if not row["available"] else "",
                cells=[_cell(row, own, metric, control=i > 0) for metric in metrics],
            )
        )
    return rows


def _cell(row: Any, own: Any, metric: str, *, control: bool) -> Cell:
    value, best = float(row[metric]), float(own[metric])
    wins = control and bool(np.isfinite([value, best]).all()) and METRICS.get(metric).better(value, best)
    low, high = float(row[f"{metric}_lower"]), float(row[f"{metric}_upper"])
    interval = f"{number(low)} – {number(high)}" if np.isfinite([low, high]).all() else ""
    return Cell(number(value, 3), _sortable(value), wins, interval)


def _here(evaluation: Evaluation | None) -> list[str]:
    return [] if evaluation is None else [c for c in _HERE if c in evaluation.per_gene]


def _sortable(value: float) -> float:
    # A missing number sorts last.
    return value if np.isfinite(value) else -1e9
