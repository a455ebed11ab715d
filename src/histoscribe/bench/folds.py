"""Folds: a suite's sections divided as it says, each with its panel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from histoscribe.bench.panels import panel_genes
from histoscribe.bench.sources import check_expected, read_sections
from histoscribe.bench.splits import (
    Split,
    donor_folds,
    file_splits,
    fixed_split,
    leave_one_donor_out,
    leave_one_section_out,
    spatial_strips,
)
from histoscribe.core.errors import DataError, GeneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from histoscribe.bench.suite import Suite
    from histoscribe.core.section import Section

__all__ = ["Fold", "fold_of", "load_folds", "make_folds"]


@dataclass(frozen=True, eq=False)
class Fold:
    """One division and its panel.

    `index` counts from 0 over the whole suite, `place` over the folds of its `task` (empty where there are no tasks).
    """

    index: int
    split: Split
    genes: list[str]
    task: str = ""
    place: int = 0


def load_folds(suite: Suite) -> tuple[list[Section], list[Fold]]:
    """Read a suite's sections and divide them; a suite of tasks is read task by task and keeps only panel genes.

    Library sizes stay those of all measured genes.

    Raises
    ------
    DataError
        If a file is missing, or the data are not those that the suite was frozen with.
    LeakError
        If a donor would stand on both sides.
    """
    if not suite.data.tasks:
        sections = read_sections(suite)
        return sections, make_folds(suite, sections)
    every: list[Section] = []
    folds: list[Fold] = []
    for task in suite.data.tasks:
        sections, found = _of_task(suite, task)
        every += sections
        folds += [replace(fold, index=len(folds) + fold.place) for fold in found]
    check_expected(suite, every)
    _check_folds(suite, folds)
    return every, folds


def fold_of(suite: Suite, index: int, *, task: str = "", place: int = 0) -> Fold:
    """Read what one fold needs: of a suite of tasks only its own task."""
    if not task:
        return load_folds(suite)[1][index]
    return replace(_of_task(suite, task)[1][place], index=index)


def _of_task(suite: Suite, task: str) -> tuple[list[Section], list[Fold]]:
    sections = read_sections(suite, task)
    splits = _splits(suite, sections)
    panels = [panel_genes(suite.panel, split.train, sections, folder=suite.folder) for split in splits]
    # All genes of all tasks at once would be several GB.
    kept = list(dict.fromkeys(gene for panel in panels for gene in panel))
    narrow = {s.name: s.replace(table=_panel_only(s, kept)) for s in sections}
    folds = []
    for place, (split, panel) in enumerate(zip(splits, panels, strict=True)):
        sides = (tuple(narrow[s.name] for s in side) for side in (split.train, split.test))
        folds.append(Fold(place, Split(f"{task}: {split.name}", *sides, split.apart), panel, task, place))
    return list(narrow.values()), folds


def _panel_only(section: Section, genes: list[str]) -> AnnData:
    lacking = [g for g in genes if g not in section.table.var_names]
    if lacking:
        msg = (
            f"section {section.name!r} lacks {len(lacking)} of the {len(genes)} genes of its task's panels "
            f"({', '.join(lacking[:3])}). Download the task again: panel and counts are of different versions."
        )
        raise GeneError(msg)
    return section.table[:, genes].copy()


def make_folds(suite: Suite, sections: Sequence[Section]) -> list[Fold]:
    """Divide the sections of a suite without tasks, and choose each fold's panel.

    Raises
    ------
    DataError
        If the folds or genes are not as many as the suite was frozen with.
    LeakError
        If a donor would stand on both sides.
    """
    splits = _splits(suite, sections)
    folds = [
        Fold(i, split, panel_genes(suite.panel, split.train, sections, folder=suite.folder))
        for i, split in enumerate(splits)
    ]
    _check_folds(suite, folds)
    return folds


def _check_folds(suite: Suite, folds: Sequence[Fold]) -> None:
    expect = suite.expect
    wrong = [
        f"fold {f.index + 1} has {len(f.genes)} genes" for f in folds if len(f.genes) != (expect.genes or len(f.genes))
    ]
    if expect.folds is not None and len(folds) != expect.folds:
        wrong.append(f"{len(folds)} folds")
    if wrong:
        msg = (
            f"suite {suite.id!r} expects {expect.folds} folds and {expect.genes} genes, but {'; '.join(wrong)}. "
            "Restore the data, or give the suite a new version with the n it has now ([expect])."
        )
        raise DataError(msg)


def _splits(suite: Suite, sections: Sequence[Section]) -> list[Split]:
    rule = suite.split
    if rule.kind == "leave-one-donor-out":
        return list(leave_one_donor_out(sections))
    if rule.kind == "donor-folds":
        assert rule.k is not None
        k = min(rule.k, len({s.donor for s in sections})) if suite.data.tasks else rule.k
        return list(donor_folds(sections, k, seed=None))
    if rule.kind == "leave-one-section-out":
        return list(leave_one_section_out(sections))
    if rule.kind == "files":
        return list(file_splits(sections))
    if rule.kind == "fixed":
        return [fixed_split(sections, rule.train, rule.test)]
    assert rule.k is not None
    assert rule.gap_um is not None
    return [split for s in sections for split in spatial_strips(s, rule.k, gap_um=rule.gap_um)]
