"""Folds: a suite's sections divided as it says, each with its panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoscribe.bench.panels import panel_genes
from histoscribe.bench.splits import (
    Split,
    donor_folds,
    fixed_split,
    leave_one_donor_out,
    leave_one_section_out,
    spatial_strips,
)
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench.suite import Suite
    from histoscribe.core.section import Section

__all__ = ["Fold", "make_folds"]


@dataclass(frozen=True, eq=False)
class Fold:
    """One division and its panel; `index` counts from 0."""

    index: int
    split: Split
    genes: list[str]


def make_folds(suite: Suite, sections: Sequence[Section]) -> list[Fold]:
    """Divide the sections, and choose each fold's panel.

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
    return folds


def _splits(suite: Suite, sections: Sequence[Section]) -> list[Split]:
    rule = suite.split
    if rule.kind == "leave-one-donor-out":
        return list(leave_one_donor_out(sections))
    if rule.kind == "donor-folds":
        assert rule.k is not None
        return list(donor_folds(sections, rule.k, seed=None))
    if rule.kind == "leave-one-section-out":
        return list(leave_one_section_out(sections))
    if rule.kind == "fixed":
        return [fixed_split(sections, rule.train, rule.test)]
    assert rule.k is not None
    assert rule.gap_um is not None
    return [split for s in sections for split in spatial_strips(s, rule.k, gap_um=rule.gap_um)]
