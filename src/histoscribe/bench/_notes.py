"""What the numbers say, in plain sentences, the most important first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.metrics import METRICS, MIN_RELIABILITY

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from histoscribe.bench._scoring import Case

__all__ = ["Findings", "depth_sentence", "heading", "notes"]

#: The score a claim is made on, and the one that depth cannot make.
_HEADLINES = ("pcc_gene", "depth_partial_pcc_gene")
#: An oracle that reaches this share of the method's score shows that depth alone would do.
_DEPTH_SUFFICES = 0.9
#: A method that keeps less than this share of its score without depth was scored on depth.
_KEPT_WITHOUT_DEPTH = 0.5
#: Intervals whose measured coverage lies further than this from the stated level are called off.
_COVERAGE_OFF = 0.05


@dataclass(frozen=True, eq=False)
class Findings:
    """All that the sentences are made of; see `Evaluation` for the tables."""

    method: str
    table: pd.DataFrame
    per_gene: pd.DataFrame
    per_section: pd.DataFrame
    cases: Sequence[Case]
    ceiling: dict[str, float]
    coverage: dict[str, Any]
    genes_dropped: int
    synthetic: bool
    slide_differs: list[str]

    def value(self, row: str, metric: str) -> float:
        """One cell of the table."""
        return float(self.table.loc[row, metric])

    @property
    def donors(self) -> list[str]:
        """Test donors, sorted."""
        return sorted({c.section.donor for c in self.cases})


def heading(method: str, cases: Sequence[Case], *, synthetic: bool) -> str:
    """Say what was scored, and whether its donor was new to the model."""
    donors = sorted({c.section.donor for c in cases})
    sections = _shown([c.section.name for c in cases])
    what = "SYNTHETIC DATA: " if synthetic else ""
    what += f"{method} on {len(cases)} section(s) of {len(donors)} donor(s): {sections}"
    said = {
        "same section": "another part of the same section in training: not a new-donor result",
        "same donor": "same donor in training: not a new-donor result",
        "unknown": "training donors unknown: cannot be called a new-donor result",
        "new donor": "no test donor in training",
    }
    for relation, text in said.items():
        n = sum(c.relation == relation for c in cases)
        if n:
            share = "" if n == len(cases) else f" ({n} of {len(cases)} sections)"
            return f"{what}; {text}{share}"
    raise AssertionError(cases)


def _shown(names: list[str]) -> str:
    return ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")


def notes(found: Findings) -> list[str]:
    """Return every sentence that applies."""
    makers = (_beaten, _synthetic, _relations, _depth, _ceiling, _trust, _coverage, _spread, _donors, _left_out, _rows)
    return [sentence for maker in makers for sentence in maker(found)]


def _synthetic(f: Findings) -> list[str]:
    return ["The data are synthetic: the scores say nothing about real tissue."] if f.synthetic else []


def _beaten(f: Findings) -> list[str]:
    said = []
    for metric in _HEADLINES:
        own = f.value(f.method, metric)
        better = [
            (name, f.value(name, metric))
            for name in f.table.index[1:]
            if METRICS.get(metric).better(f.value(name, metric), own)
        ]
        for name, value in sorted(better, key=lambda pair: -pair[1]):
            label = f.table.loc[name, "label"]
            said.append(f"The control {name} ({label}) beats {f.method}: {metric} {value:.3f} against {own:.3f}.")
    if not said and f.table["available"].iloc[1:].any():
        tried = ", ".join(f.table.index[1:][f.table["available"].iloc[1:]])
        said.append(f"No available control ({tried}) beats {f.method} in {' or '.join(_HEADLINES)}.")
    return said


def _relations(f: Findings) -> list[str]:
    texts = {
        "same section": "the model was trained on another part of the same section",
        "same donor": "the model was trained on other sections of the same donor",
    }
    said = []
    for relation, text in texts.items():
        names = [c.section.name for c in f.cases if c.relation == relation]
        if names:
            said.append(f"For {_shown(names)} {text}: expect lower scores on a new donor.")
    if any(c.relation == "unknown" for c in f.cases):
        said.append("The prediction does not say what its model was trained on, so leakage cannot be ruled out.")
    return said + [f"Section {name} has another image file than the one predicted on." for name in f.slide_differs]


def _depth(f: Findings) -> list[str]:
    if "log-depth-oracle" not in f.table.index:
        return []
    oracle, own = f.value("log-depth-oracle", "pcc_gene"), f.value(f.method, "pcc_gene")
    partial = f.value(f.method, "depth_partial_pcc_gene")
    return depth_sentence(f.method, oracle, own, partial) if np.isfinite([oracle, own, partial]).all() else []


def depth_sentence(method: str, oracle: float, own: float, partial: float) -> list[str]:
    """Say whether depth explains a score: by what depth alone reaches, and by what is left without it."""
    said = f"log-depth-oracle reaches {oracle:.3f} vs {own:.3f} of {method} (pcc_gene)"
    kept = f"with depth removed {method} keeps {partial:.3f}"
    if own <= 0:
        return [f"{said}; {kept}."]
    if partial < _KEPT_WITHOUT_DEPTH * own:
        why = "depth explains the score" if oracle >= _DEPTH_SUFFICES * own else "much of the score is depth"
        return [f"{said}: {why}; {kept}."]
    if oracle >= _DEPTH_SUFFICES * own:
        much = "more" if oracle > own else "nearly as much"
        return [f"{said}: depth alone would score {much}, but {kept}, so there is signal beside it."]
    return [f"{said}; {kept}."]


def _ceiling(f: Findings) -> list[str]:
    own = f.value(f.method, "ceiling_normalised_pcc_gene")
    reliable, n = f.ceiling["reliable_genes"], len(f.per_gene)
    said = (
        f"Counting noise alone limits pcc_gene to {f.ceiling['pcc_gene']:.3f} and depth_partial_pcc_gene to "
        f"{f.ceiling['depth_partial_pcc_gene']:.3f} (mean over genes, noise-free predictor)"
    )
    if not np.isfinite(own):
        return [f"{said}; no gene is reliable enough (R > {MIN_RELIABILITY}) for a ceiling-normalised score."]
    return [
        f"{said}; {f.method} reaches {own:.0%} of it on the genes with reliability R > {MIN_RELIABILITY} "
        f"({reliable:.0f} of {n}, mean over sections)."
    ]


def _trust(f: Findings) -> list[str]:
    if "trusted" not in f.per_gene:
        return []
    genes = f.per_gene[f.per_gene["varies"]]
    said = []
    for flag, name in ((True, "trusted"), (False, "untrusted")):
        values = genes.loc[genes["trusted"] == flag, "depth_partial_pcc_gene"]
        if len(values):
            said.append(
                f"{int((values > 0).sum())} of {len(values)} {name} genes have a positive depth_partial_pcc_gene here "
                f"(mean {values.mean():.3f})"
            )
    return ["; ".join(said) + "."] if said else []


def _coverage(f: Findings) -> list[str]:
    if not f.coverage:
        return []
    stated, measured = f.coverage["stated"], f.coverage["measured"]
    verdict = "as stated" if abs(measured - stated) <= _COVERAGE_OFF else "too low" if measured < stated else "too wide"
    said = f"Intervals stated at {stated:.0%} hold {measured:.1%} of the measured values: {verdict}"
    if f.coverage["unit"] != "donor":
        said += f" (calibrated on held-out {f.coverage['unit']}s, which does not promise this for a new donor)"
    return [said + "."]


def _spread(f: Findings) -> list[str]:
    ratio = f.value(f.method, "variance_ratio")
    if not np.isfinite(ratio):
        return []
    return [
        f"Predictions vary {ratio:.2f} times as much as the measured values (variance, mean over genes); a noise-free "
        f"predictor would reach {f.ceiling['reliability']:.2f}."
    ]


def _donors(f: Findings) -> list[str]:
    n_obs = sum(c.section.n_obs for c in f.cases)
    said = (
        f"n: {len(f.donors)} donor(s), {len(f.cases)} section(s), {n_obs} observations, {len(f.per_gene)} genes; means "
        "are over genes, then sections, then donors"
    )
    if len(f.donors) == 1:
        return [f"{said}. One donor: no confidence interval can be given, and none is."]
    return [f"{said}. Intervals are 95 % Student intervals over {len(f.donors)} donors."]


def _left_out(f: Findings) -> list[str]:
    said = []
    if f.genes_dropped:
        said.append(f"{f.genes_dropped} predicted genes are not measured (or not predicted) everywhere; left out.")
    for case in f.cases:
        m = case.matched
        if m.unmatched:
            said.append(f"Section {m.section.name}: {m.unmatched} observations have no predicted place; left out.")
        if m.how == "position":
            said.append(
                f"Section {m.section.name}: matched to the nearest predicted place, median {m.distance_um:.0f} um away."
            )
    flat = int((~f.per_gene["varies"]).sum())
    if flat:
        said.append(f"{flat} genes are constant in the truth of every section; correlations leave them out.")
    constant = f.per_section.loc[f.per_section["method"] == f.method, "constant_predictions"]
    if constant.any():
        said.append(f"{constant.mean():.0f} genes are predicted constant (mean over sections); they score 0 and count.")
    return said


def _rows(f: Findings) -> list[str]:
    missing = f.table[~f.table["available"]]
    return [
        f"Not applicable: {', '.join(map(str, group.index))} ({why})."
        for why, group in missing.groupby("reason", sort=False)
    ]
