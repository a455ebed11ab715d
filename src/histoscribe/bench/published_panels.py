"""Panel rules as papers used them: chosen with the test sections in view, and saying so in their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.errors import GeneError
from histoscribe.core.target import choose_panel, common_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench.panels import PanelTask
    from histoscribe.core.section import Section

__all__ = [
    "highest_mean_test_included",
    "hvg_votes_test_included",
    "task_file_test_included",
    "zero_fraction_test_included",
]

#: Bins of mean expression in which dispersions are standardised (Satija et al. 2015).
_BINS = 20


def highest_mean_test_included(task: PanelTask) -> list[str]:
    """Return the `n_genes` genes of highest mean count over all sections of the suite, test sections included.

    The rule behind TRIPLEX's 250 genes (triplex-2024; the authors' answer to issue 2): raw counts, every spot alike, so
    that sections with deep libraries decide most. Genes that some section lacks are left out; ties break by name.
    """
    return choose_panel(task.every, _wanted(task))


def zero_fraction_test_included(task: PanelTask) -> list[str]:
    """Return the genes whose share of zeros over all observations, test ones included, is below ``below`` (.5).

    HistoSPACE's gene filter (histospace-2024), as its script's file name tells it; the same script then drops
    observations by the same share, which no rule for genes can do. Genes that some section lacks are left out.
    """
    below = float(task.options.get("below", 0.5))
    genes = common_genes(task.every)
    counted = sum(_observations_with(section, genes) for section in task.every)
    zeros = 1.0 - counted / sum(section.n_obs for section in task.every)
    return [gene for gene, share in zip(genes, zeros, strict=True) if share < below]


def task_file_test_included(task: PanelTask) -> list[str]:
    """Return the genes of the JSON ``file`` (key ``genes``) in the folder that the sections were read from.

    The HEST-Benchmark stores a panel with each task (hest-1k-2024): of the genes that 10 % of the spots of every
    sample count, the 50 that vary most over all samples, test ones included.
    """
    origin = task.train[0].origin
    path = Path(origin.path if origin is not None else "") / str(task.options.get("file", ""))
    try:
        return [str(g) for g in json.loads(path.read_text(encoding="utf-8"))["genes"]]
    except (OSError, ValueError, KeyError, TypeError) as err:
        msg = f"{path} is not a JSON file with a list 'genes' ({err!r}). Download the task's panel again."
        raise GeneError(msg) from err


def hvg_votes_test_included(task: PanelTask) -> list[str]:
    """Return the `n_genes` genes that most sections, test ones included, find highly variable.

    **Our reconstruction** of HisToGene's 785 genes (histogene-2021): the paper ships a list and no rule that could be
    run. In each section the ``per_section`` (1000) genes of highest standardised dispersion vote (variance over mean
    of CP10k, standardised within 20 bins of the mean: Satija et al. 2015), among the genes that all sections measure
    and that ``min_observations`` (1000) observations count; votes, then mean dispersion, then the name decide. On 25 of
    the 32 sections it shares 52 genes with TRIPLEX's 250; the shipped list shares 54. With the list itself at hand, use
    the rule ``"list"``.
    """
    n_genes, per_section = _wanted(task), int(task.options.get("per_section", 1000))
    genes = common_genes(task.every)
    counted = sum(_observations_with(section, genes) for section in task.every)
    kept = np.flatnonzero(counted >= int(task.options.get("min_observations", 1000)))
    if len(kept) < n_genes:
        msg = (
            f"{n_genes} genes were asked for, but {len(kept)} are counted in enough observations of every section. "
            "Lower n_genes, or options.min_observations."
        )
        raise GeneError(msg)
    names = np.array(genes)[kept]
    scores = np.stack([_dispersion(section, names) for section in task.every])
    votes = np.zeros(len(names), dtype=int)
    for row in scores:
        votes[np.argsort(-row, kind="stable")[:per_section]] += 1
    mean = np.where(np.isfinite(scores), scores, 0.0).mean(0)
    return [str(g) for g in names[np.lexsort((names, -mean, -votes))[:n_genes]]]


def _wanted(task: PanelTask) -> int:
    if task.n_genes is None:
        msg = "the panel rule needs to know how many genes. Add n_genes to [panel]."
        raise GeneError(msg)
    return task.n_genes


def _matrix(section: Section, genes: Sequence[str]) -> sp.csc_matrix:
    index = section.table.var_names.get_indexer(list(genes))
    return sp.csc_matrix(section.table.layers[keys.COUNTS], dtype=np.float64)[:, index]


def _observations_with(section: Section, genes: Sequence[str]) -> np.ndarray:
    """Return in how many observations each gene was counted."""
    return np.asarray((_matrix(section, genes) > 0).sum(0)).ravel()


def _dispersion(section: Section, genes: Sequence[str]) -> np.ndarray:
    """Return each gene's standardised log dispersion of CP10k; -inf where it was not counted at all."""
    rate = sp.diags(1e4 / np.maximum(section.depth, 1.0)) @ _matrix(section, genes)
    mean = np.asarray(rate.mean(0)).ravel()
    n = section.n_obs
    variance = (np.asarray(rate.multiply(rate).mean(0)).ravel() - mean**2) * n / max(n - 1, 1)
    seen = mean > 0
    dispersion = np.log(np.maximum(variance, 1e-12) / np.where(seen, mean, 1.0))
    level = np.log1p(mean)
    edges = np.linspace(level[seen].min(), level[seen].max(), _BINS + 1)[1:-1] if seen.any() else np.zeros(0)
    bins = np.digitize(level, edges)
    score = np.full(len(mean), -np.inf)
    for k in np.unique(bins[seen]):
        inside = np.flatnonzero((bins == k) & seen)
        spread = dispersion[inside].std(ddof=1) if len(inside) > 1 else 0.0
        # A gene alone in its bin (the few most expressed ones) counts as one deviation above.
        score[inside] = (dispersion[inside] - dispersion[inside].mean()) / spread if spread > 0 else 1.0
    return score
