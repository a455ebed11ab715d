"""What studies of stacks share: HER2+ as stacks, scores of imputed sections, and their record."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.align import align_stack
from histoscribe.core.records import RunRecord
from histoscribe.core.stack import Stack
from histoscribe.core.target import Target, choose_panel, common_genes, panel_counts
from histoscribe.io import read
from histoscribe.methods import volume
from histoscribe.metrics import METRICS, Context, interval_coverage, reliability

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from anndata import AnnData

    from histoscribe.bench.studies._study import Entry, Study
    from histoscribe.core.section import Section

__all__ = [
    "HER2ST_FILES",
    "HER2ST_FROM",
    "aligned",
    "by_donor",
    "ceilings",
    "coverage_note",
    "her2st_stacks",
    "impute_from",
    "score_planes",
    "study_record",
]

HER2ST_FILES = ("her2st/data/ST-cnts/*.tsv*", "her2st/data/ST-spotfiles/*_selection.tsv")
HER2ST_FROM = "Get Zenodo 4751624 (Andersson et al. 2021): histoscribe data get her2st."

#: Sections are cut at 16 um (her2st-2021); gaps between them are not stated for every donor, so depth is nominal.
_HER2ST_STEP_UM = 16.0


@lru_cache(maxsize=1)
def her2st_stacks(root: Path) -> dict[str, Stack]:
    """Read every HER2+ section below `root` that has counts, without images; donor to aligned stack."""
    folder = root / "her2st"
    names = sorted(p.name.split(".")[0] for p in (folder / "data" / "ST-cnts").glob("*.tsv*"))
    donors: dict[str, list[Section]] = {}
    for name in names:
        section = read("st-array", folder, section=name, image="none", species="human")
        donors.setdefault(section.donor, []).append(section)
    return {donor: aligned(sections, step_um=_HER2ST_STEP_UM) for donor, sections in donors.items()}


def aligned(sections: Sequence[Section], *, step_um: float) -> Stack:
    """Align sections by their outlines alone, as an unmeasured section would be; depths are `step_um` apart."""
    depths = np.arange(len(sections)) * step_um
    stack, _ = align_stack([s.blind() for s in sections], z_um=depths, genes="never")
    return Stack(tuple(sections), stack.xy_um, depths)


def score_planes(
    tables: Sequence[AnnData],
    stack: Stack,
    target: Callable[[Section, Sequence[str]], np.ndarray],
    *,
    train_mean: np.ndarray,
    metrics: Sequence[str],
    constant_counts: bool = False,
) -> list[dict[str, Any]]:
    """Return one row per imputed section: its name, donor, observations and metrics.

    A correlation with a constant truth is skipped; with `constant_counts` it counts as 0, as in ASIGN's averages.
    """
    truth = {s.name: s for s in stack.sections}
    rows = []
    for table in tables:
        section = truth[table.uns["histoscribe"]["section"]]
        y = target(section, list(table.var_names))
        context = Context(xy_um=section.xy_um, train_mean=train_mean)
        row: dict[str, Any] = {"section": section.name, "donor": stack.donor, "n_obs": section.n_obs}
        for name in metrics:
            score = METRICS.get(name)(y, np.asarray(table.X), context)
            row[name] = float(score.values.mean()) if constant_counts else score.mean
        if "lower" in table.layers:
            low, high = (np.asarray(table.layers[k]) for k in ("lower", "upper"))
            row["coverage_90"] = float(interval_coverage(y, low, high).mean())
        rows.append(row)
    return rows


def impute_from(
    labelled: Section, stack: Stack, study: Study, entry: Entry, *, n_genes: int, seed: int
) -> tuple[list[str], list[dict[str, Any]], list[float]]:
    """Impute the rest of one donor's stack from one section, and nothing of other donors.

    Returns
    -------
    Genes (those of highest mean in the labelled section that all sections have), a row for each imputed section as
    `score_planes` gives it, and what a noise-free prediction of it would score in `pcc_gene`.
    """
    target = Target()
    listed = set(common_genes(stack.sections))
    panel = [g for g in choose_panel([labelled], 2 * n_genes) if g in listed][:n_genes]
    tables = (
        volume(entry.method, **entry.params)
        .fit((), panel, target=target, seed=seed)
        .impute(stack, labelled=[labelled.name])
    )
    mean = target(labelled, panel).mean(0)
    rows = score_planes(tables, stack, target, train_mean=mean, metrics=study.metrics)
    hidden = [s for s in stack.sections if s is not labelled]
    ceiling = [float(np.sqrt(reliability(panel_counts(s, panel), s.depth, target=target)).mean()) for s in hidden]
    return panel, rows, ceiling


def coverage_note(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say how often 90 % intervals hold the measured value, where the method gives them."""
    found = [row["coverage_90"] for row in rows if "coverage_90" in row]
    if not found:
        return []
    return [
        f"90 % intervals hold {100 * np.mean(found):.1f} % of the measured values (mean over {len(found)} sections)"
    ]


def ceilings(
    root: Path, rows: Sequence[Mapping[str, Any]], panels: Mapping[str, Sequence[str]], target: Target
) -> dict[str, float]:
    """Return what a noise-free prediction of the scored sections of HER2+ would score, mean over donors."""
    found = [
        {"donor": r["donor"], "pcc_gene": _ceiling(root, r["section"], tuple(panels[r["donor"]]), target)} for r in rows
    ]
    return {"pcc_gene": float(np.mean([d["pcc_gene"] for d in by_donor(found, ["pcc_gene"]).values()]))}


@lru_cache
def _ceiling(root: Path, name: str, genes: tuple[str, ...], target: Target) -> float:
    section = next(s for stack in her2st_stacks(root).values() for s in stack.sections if s.name == name)
    return float(np.sqrt(reliability(panel_counts(section, genes), section.depth, target=target)).mean())


def by_donor(rows: Sequence[Mapping[str, Any]], metrics: Sequence[str]) -> dict[str, dict[str, float]]:
    """Average rows of sections over each donor, sections alike."""
    donors = dict.fromkeys(row["donor"] for row in rows)
    return {
        donor: {m: float(np.mean([row[m] for row in rows if row["donor"] == donor])) for m in metrics}
        for donor in donors
    }


def study_record(
    study: Study,
    entry: Entry,
    rows: list[dict[str, Any]],
    *,
    seed: int,
    stacks: Mapping[str, Stack],
    genes: Sequence[str],
    target: Mapping[str, Any],
    split: dict[str, Any],
    **more: Any,
) -> RunRecord:
    """Make the record of one case; scores are means over donors."""
    donors = by_donor(rows, study.metrics)
    sections = [s for stack in stacks.values() for s in stack.sections]
    return RunRecord(
        benchmark=study.id,
        benchmark_version=study.version,
        method=entry.method,
        params=entry.params,
        encoder="",
        genes=list(genes),
        target=dict(target),
        split=split,
        seed=seed,
        data={s.name: s.origin.digest if s.origin else "" for s in sections},
        scores={entry.label: {m: float(np.mean([d[m] for d in donors.values()])) for m in study.metrics}},
        n={
            "observations": sum(row["n_obs"] for row in rows),
            "sections": sum(row.get("sections", 1) for row in rows),
            "donors": len(donors),
            "genes": len(genes),
        },
        kind="control" if entry.control else "method",
        protocol=study.protocol,
        per_section=rows,
        per_donor=donors,
        **more,
    )
