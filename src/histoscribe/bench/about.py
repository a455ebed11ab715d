"""What a suite fixes, in words; and what its data say: n and noise ceiling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from histoscribe.bench._scoring import donor_mean
from histoscribe.bench.folds import load_folds
from histoscribe.bench.sources import SOURCES
from histoscribe.core import keys
from histoscribe.core.array import array_of
from histoscribe.metrics import reliability

if TYPE_CHECKING:
    from histoscribe.bench.folds import Fold
    from histoscribe.bench.suite import Suite

__all__ = ["measured_facts", "stated_facts"]


def stated_facts(suite: Suite) -> dict[str, str]:
    """Return what the suite fixes, one line each."""
    panel, split = suite.panel, suite.split
    genes = panel.rule
    if panel.n_genes:
        genes += f", {panel.n_genes} genes"
    genes += f", from {panel.genes}" if panel.genes else ""
    genes += "".join(f", {word} {value}" for word in ("include", "exclude") if (value := getattr(panel, word)))
    parts = f", k {split.k}" if split.k else ""
    parts += f", gap {split.gap_um:g} um" if split.gap_um is not None else ""
    expected = suite.expect.model_dump(exclude_none=True)
    data = ", ".join(suite.data.names)
    if suite.data.source:
        data = f"generated: {suite.data.source} {suite.data.options}"
    elif suite.data.tasks:
        data = "; ".join(f"{task}: {', '.join(names)}" for task, names in suite.data.tasks.items())
    return {
        "suite": f"{suite.id}, version {suite.version}, protocol {suite.protocol}",
        "heading": suite.heading.en,
        "data": data,
        "split": split.kind + parts,
        "genes": genes,
        "target": suite.make_target().unit,
        "subsets": "; ".join(s.heading.en for s in suite.subsets) or "none",
        "controls": ", ".join(suite.controls),
        "methods": ", ".join(m.name for m in suite.methods),
        "n": ", ".join(f"{n} {what}" for what, n in expected.items()),
        "seed": str(suite.seed),
    }


def measured_facts(suite: Suite) -> dict[str, str]:
    """Read the data; return n and what a noise-free predictor would score.

    Raises
    ------
    DataError
        If files are missing.
    """
    folds = load_folds(suite)[1]
    tests = [(fold, s) for fold in folds for s in fold.split.test]
    donors = [s.donor for _, s in tests]
    facts = {
        "measured n": f"{len(set(donors))} donor(s), {len(tests)} test sections or strips, "
        f"{sum(s.n_obs for _, s in tests)} observations, {len(folds)} folds, {len(folds[0].genes)} genes",
    }
    named = {"pcc_gene": False, "depth_partial_pcc_gene": True}
    values = {
        name: [_ceiling(suite, fold, i, partial=partial) for fold in folds for i in range(len(fold.split.test))]
        for name, partial in named.items()
    }
    means = ", ".join(f"{name} {donor_mean(v, donors)[0]:.3f}" for name, v in values.items())
    facts["ceiling"] = f"{means} (count splitting, mean over genes)"
    if suite.data.source:
        source, target = SOURCES.get(suite.data.source), suite.make_target()
        known = [float(source.ceiling(s, fold.genes, target).mean()) for fold, s in tests]
        facts["known ceiling"] = f"pcc_gene {donor_mean(known, donors)[0]:.3f} (the truth is generated)"
    return facts


def _ceiling(suite: Suite, fold: Fold, index: int, *, partial: bool) -> float:
    section, target = fold.split.test[index], suite.make_target()
    counts = section.table[:, fold.genes].layers[keys.COUNTS]
    array = array_of(section) if target.smooth != "none" else None
    options = {"target": target, "depth_partial": partial, "array": array, "seed": suite.seed}
    return float(np.sqrt(reliability(counts, section.depth, **options)).mean())
