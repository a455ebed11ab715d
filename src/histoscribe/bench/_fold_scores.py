"""Score all folds of one run together: per section, per donor, per gene subset, beside ceilings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.bench._inputs import load_prediction, make_case
from histoscribe.bench._job import RELATIVE, prediction_path
from histoscribe.bench._match import match, ours
from histoscribe.bench._scoring import donor_mean, score
from histoscribe.bench.published import published_scores
from histoscribe.bench.sources import SOURCES
from histoscribe.bench.training import relation, training_entries
from histoscribe.core.errors import DataError
from histoscribe.metrics import METRICS, MIN_RELIABILITY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from histoscribe.bench._scoring import Case
    from histoscribe.bench.folds import Fold
    from histoscribe.bench.suite import Suite

__all__ = ["WHOLE", "Judge", "Scores", "mean_over_donors"]

#: Name of the whole panel among the gene subsets.
WHOLE = ""
_CEILINGS = ("ceiling_pcc_gene", "ceiling_depth_partial_pcc_gene", "reliability", "reliable_genes", "known_pcc_gene")


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of one run on one set of genes.

    Attributes
    ----------
    per_section
        One dictionary for each test section: names, n, and every metric that could be computed.
    pooled
        Metrics over all test sections together; empty where folds have different panels.
    published
        Scores as the paper averages them, where the suite reproduces a published protocol; see
        `histoscribe.bench.published.published_scores`.
    """

    per_section: list[dict[str, Any]]
    pooled: dict[str, float]
    published: dict[str, Any] = field(default_factory=dict)


class Judge:
    """Knows the truth of a suite, and computes it, its ceilings and reliabilities once for all runs.

    Parameters
    ----------
    suite, folds
        The suite and its folds.
    seed
        Seed of count splitting.
    """

    def __init__(self, suite: Suite, folds: Sequence[Fold], *, seed: int) -> None:
        self.suite, self.folds, self.seed = suite, folds, seed
        self.target = suite.make_target()
        self._cases: dict[tuple[int, int], Case] = {}
        self._known: dict[tuple[int, int], np.ndarray] = {}

    def score(self, folders: Sequence[Path]) -> dict[str, Scores]:
        """Score the predictions in one folder per fold.

        Returns
        -------
        Subset name (`WHOLE` for the whole panel) to scores.

        Raises
        ------
        DataError
            If a prediction lacks genes of its fold's panel, or observations of its section.
        """
        cases, values, relative = [], [], False
        for fold, folder in zip(self.folds, folders, strict=True):
            for j in range(len(fold.split.test)):
                case = self._case(fold, j, folder)
                cases.append((fold, j, case))
                values.append(case.values())
                relative = relative or bool(case.info.get(RELATIVE, False))
        whole = self._of_genes(cases, values, None, relative=relative)
        # A pattern without a level has no squared error, and papers print no such row.
        found = {WHOLE: whole if relative else replace(whole, published=self._published(cases, values))}
        for subset in self.suite.subsets:
            chosen = [np.flatnonzero(np.isin(c.genes, subset.choose(c.genes))) for _, _, c in cases]
            found[subset.name] = self._of_genes(cases, values, chosen, relative=relative)
        return found

    def _published(self, cases: Sequence[tuple[Fold, int, Case]], values: Sequence[np.ndarray]) -> dict[str, Any]:
        if self.suite.clean:
            return {}
        folds: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in self.folds]
        for (fold, _, case), own in zip(cases, values, strict=True):
            folds[fold.index].append((case.truth, own))
        tasks = [fold.task for fold in self.folds]
        genes = [fold.genes for fold in self.folds]
        return published_scores(self.suite.published, folds, tasks=tasks, apart=self.suite.data.apart, genes=genes)

    def _of_genes(
        self,
        cases: Sequence[tuple[Fold, int, Case]],
        values: Sequence[np.ndarray],
        chosen: Sequence[np.ndarray] | None,
        *,
        relative: bool,
    ) -> Scores:
        subset = [c if chosen is None else _narrow(c, chosen[i]) for i, (_, _, c) in enumerate(cases)]
        own = [v if chosen is None else v[:, chosen[i]] for i, v in enumerate(values)]
        rows = []
        for i, (fold, j, _) in enumerate(cases):
            case = subset[i]
            if not case.genes:
                continue
            (scores,), _ = score([case], [own[i]], relative=relative)
            known = self._known_ceiling(fold, j)
            row: dict[str, Any] = {"section": case.section.name, "donor": case.section.donor, "fold": fold.index}
            row |= {"task": fold.task} if fold.task else {}
            row |= {"n_obs": case.section.n_obs, "n_genes": len(case.genes)}
            row |= {name: s.mean for name, s in scores.items() if s.mean is not None}
            row |= {"constant_predictions": int(scores["pcc_gene"].constant.sum())}
            row |= _ceilings(case, None if known is None else known if chosen is None else known[chosen[i]])
            rows.append(row)
        same = len({tuple(c.genes) for c in subset}) == 1
        pooled = score(subset, own, relative=relative)[1] if same and subset[0].genes else {}
        return Scores(rows, {name: s.mean for name, s in pooled.items() if s.mean is not None})

    def _case(self, fold: Fold, j: int, folder: Path) -> Case:
        prediction, section = load_prediction(prediction_path(folder, j)), fold.split.test[j]
        lacking = [g for g in fold.genes if g not in prediction.var_names]
        if lacking:
            msg = (
                f"the prediction for section {section.name} lacks {len(lacking)} of the {len(fold.genes)} genes asked "
                f"for ({', '.join(lacking[:3])}). Mend the method: it must predict its whole panel."
            )
            raise DataError(msg)
        if (fold.index, j) not in self._cases:
            training = (tuple(fold.split.train), "")
            options = {"genes": fold.genes, "target": self.target, "training": training, "seed": self.seed}
            self._cases[fold.index, j] = make_case(prediction, section, **options)
        base, matched = self._cases[fold.index, j], match(prediction, section)
        if matched.unmatched:
            msg = (
                f"the prediction leaves out {matched.unmatched} of the {section.n_obs} observations of section "
                f"{section.name}. Mend the method: it must predict every observation."
            )
            raise DataError(msg)
        entries = training_entries(prediction)
        relation(matched.section, entries, fold.split.train)  # refuses what was trained on
        return replace(base, prediction=prediction, info=ours(prediction), matched=matched, entries=entries)

    def _known_ceiling(self, fold: Fold, j: int) -> np.ndarray | None:
        if not self.suite.data.source:
            return None
        if (fold.index, j) not in self._known:
            source, section = SOURCES.get(self.suite.data.source), fold.split.test[j]
            self._known[fold.index, j] = source.ceiling(section, fold.genes, self.target)
        return self._known[fold.index, j]


def _narrow(case: Case, columns: np.ndarray) -> Case:
    """Return the case of some of its genes; their truth stays what it was in the whole panel."""
    context = case.context
    return replace(
        case,
        genes=[case.genes[i] for i in columns],
        truth=case.truth[:, columns],
        context=replace(
            context,
            train_mean=None if context.train_mean is None else context.train_mean[columns],
            reliability=None if context.reliability is None else context.reliability[columns],
        ),
        partial_reliability=case.partial_reliability[columns],
    )


def _ceilings(case: Case, known: np.ndarray | None) -> dict[str, float]:
    """Return what a noise-free predictor would score, by count splitting and, where the truth is known, exactly."""
    full, partial = case.context.reliability, case.partial_reliability
    assert full is not None
    found = {
        "ceiling_pcc_gene": float(np.sqrt(full).mean()),
        "ceiling_depth_partial_pcc_gene": float(np.sqrt(partial).mean()),
        "reliability": float(full.mean()),
        "reliable_genes": int((full > MIN_RELIABILITY).sum()),
    }
    return found if known is None else found | {"known_pcc_gene": float(known.mean())}


def mean_over_donors(
    per_section: Sequence[Mapping[str, Any]],
) -> tuple[dict[str, float], dict[str, float], dict[str, dict[str, float]]]:
    """Return scores (with ``_lower`` and ``_upper``, Student over donors), ceilings, and each donor's mean scores."""
    donors = [str(row["donor"]) for row in per_section]
    scores: dict[str, float] = {}
    per_donor: dict[str, dict[str, float]] = {d: {} for d in dict.fromkeys(donors)}
    for name in [m for m in METRICS if any(m in row for row in per_section)]:
        metric = METRICS.get(name)
        values = np.array([row.get(name, np.nan) for row in per_section], dtype=np.float64)
        mean, lower, upper = donor_mean(values, donors)
        if np.isfinite(mean):
            scores[name] = mean
        if np.isfinite(lower):
            scores |= {f"{name}_lower": max(lower, metric.low), f"{name}_upper": min(upper, metric.high)}
        for donor, row in per_donor.items():
            own = values[np.array(donors) == donor]
            if np.isfinite(own).any():
                row[name] = float(np.nanmean(own))
    ceilings = {
        name: float(donor_mean([row[name] for row in per_section], donors)[0])
        for name in _CEILINGS
        if per_section and all(name in row for row in per_section)
    }
    return scores, ceilings, per_donor
