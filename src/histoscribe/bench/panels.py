"""Panel rules: which genes a suite predicts and scores; one function and one registry line each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from histoscribe.bench.suite import choose_names
from histoscribe.core import keys
from histoscribe.core.errors import GeneError
from histoscribe.core.registry import Registry
from histoscribe.core.target import choose_panel, common_genes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from histoscribe.bench.suite import Panel
    from histoscribe.core.section import Section

__all__ = ["PANELS", "PanelTask", "panel_genes"]

PANELS = Registry(
    "panel",
    {
        "all": "histoscribe.bench.panels:every_gene",
        "highest-mean": "histoscribe.bench.panels:highest_mean",
        "highest-variance": "histoscribe.bench.panels:highest_variance",
        "highest-mean-test-included": "histoscribe.bench.published_panels:highest_mean_test_included",
        "hvg-votes-test-included": "histoscribe.bench.published_panels:hvg_votes_test_included",
        "list": "histoscribe.bench.panels:stored_list",
        "task-file-test-included": "histoscribe.bench.published_panels:task_file_test_included",
        "zero-fraction-test-included": "histoscribe.bench.published_panels:zero_fraction_test_included",
    },
)


@dataclass(frozen=True, eq=False)
class PanelTask:
    """What a rule gets.

    Attributes
    ----------
    train
        Training sections of the fold, with only the genes that `include` and `exclude` leave.
    every
        All sections of the suite, likewise. A clean rule does not look at them; a published one may.
    n_genes, options
        What the suite says.
    genes_file
        The stored list, or None.
    """

    train: Sequence[Section]
    every: Sequence[Section]
    n_genes: int | None
    genes_file: Path | None
    options: Mapping[str, Any]


def panel_genes(rule: Panel, train: Sequence[Section], every: Sequence[Section], *, folder: Path) -> list[str]:
    """Return the panel of a fold, in order; `folder` holds stored lists.

    Raises
    ------
    GeneError
        If the rule leaves no gene, or not as many as asked for.
    """
    task = PanelTask(
        train=[_named(s, rule) for s in train],
        every=[_named(s, rule) for s in every],
        n_genes=rule.n_genes,
        genes_file=folder / rule.genes if rule.genes else None,
        options=rule.options,
    )
    genes = list(PANELS.get(rule.rule)(task))
    if not genes:
        msg = f"panel rule {rule.rule!r} (include {rule.include!r}, exclude {rule.exclude!r}) leaves no gene. Widen it."
        raise GeneError(msg)
    return genes


def _named(section: Section, rule: Panel) -> Section:
    """Return the section with only the genes that the rule allows; its depth stays that of all genes."""
    if not (rule.include or rule.exclude):
        return section
    names = [str(g) for g in section.table.var_names]
    return section.replace(table=section.table[:, choose_names(names, rule.include, rule.exclude)])


def highest_mean(task: PanelTask) -> list[str]:
    """Return the `n_genes` genes of highest mean count over the training sections' observations."""
    if task.n_genes is None:
        msg = "panel rule 'highest-mean' needs to know how many genes. Add n_genes to [panel]."
        raise GeneError(msg)
    return choose_panel(task.train, task.n_genes)


def highest_variance(task: PanelTask) -> list[str]:
    """Return the `n_genes` genes whose ln(1 + CP10k) varies most over the training sections' observations.

    Only genes that at least ``min_share`` (.1) of the observations of each training section count, and that the assays
    of all sections measure: which genes an assay has is known before anything is counted. Ties break by name.
    """
    if task.n_genes is None:
        msg = "panel rule 'highest-variance' needs to know how many genes. Add n_genes to [panel]."
        raise GeneError(msg)
    genes, share = common_genes(task.every), float(task.options.get("min_share", 0.1))
    n, total, squares, kept = 0, np.zeros(len(genes)), np.zeros(len(genes)), np.ones(len(genes), dtype=bool)
    for section in task.train:
        columns = section.table.var_names.get_indexer(genes)
        counts = sp.csr_matrix(section.table.layers[keys.COUNTS], dtype=np.float64)[:, columns]
        kept &= np.asarray((counts > 0).sum(0)).ravel() >= share * section.n_obs
        values = (sp.diags(1e4 / np.maximum(section.depth, 1.0)) @ counts).log1p()
        n += section.n_obs
        total += np.asarray(values.sum(0)).ravel()
        squares += np.asarray(values.multiply(values).sum(0)).ravel()
    variance = squares / n - (total / n) ** 2
    found = np.flatnonzero(kept)
    if len(found) < task.n_genes:
        msg = (
            f"{task.n_genes} genes were asked for, but {len(found)} are counted in {share:.0%} of the observations of "
            "every training section. Lower n_genes, or options.min_share."
        )
        raise GeneError(msg)
    order = sorted(found, key=lambda i: (-variance[i], genes[i]))
    return [genes[i] for i in order[: task.n_genes]]


def stored_list(task: PanelTask) -> list[str]:
    """Return the genes of the stored list, all of which every section must measure."""
    if task.genes_file is None or not task.genes_file.is_file():
        msg = (
            f"panel rule 'list' finds no list at {task.genes_file}. Put the file beside the suite and name it in genes."
        )
        raise GeneError(msg)
    lines = task.genes_file.read_text(encoding="utf-8").splitlines()
    genes = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    shared = set(common_genes(task.every))
    lacking = [g for g in genes if g not in shared]
    if lacking:
        msg = (
            f"{len(lacking)} of the {len(genes)} genes of {task.genes_file.name} are not measured in every section "
            f"({', '.join(lacking[:3])}). Use sections that measure them all, or another list in a suite of its own."
        )
        raise GeneError(msg)
    return genes


def every_gene(task: PanelTask) -> list[str]:
    """Return all genes that every section measures, in the first one's order."""
    return common_genes(task.every)
