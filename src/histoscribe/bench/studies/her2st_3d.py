"""HER2+ in three dimensions, clean: panels from other donors, full library, correlation of a gene within a section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from histoscribe.bench.studies._stacks import (
    HER2ST_FILES,
    HER2ST_FROM,
    ceilings,
    coverage_note,
    her2st_stacks,
    score_planes,
    study_record,
)
from histoscribe.bench.studies._study import Entry, Study
from histoscribe.bench.suite import Heading
from histoscribe.core.target import Target, choose_panel
from histoscribe.methods import volume

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from histoscribe.core.records import RunRecord
    from histoscribe.core.stack import Stack

__all__ = ["Her2st3d"]

_N_GENES = 250


class Her2st3d(Study):
    """Leave one donor out; of the donor left out, the first section (or the first and the last) is labelled."""

    id: ClassVar[str] = "her2st-3d"
    family: ClassVar[str] = "volume"
    heading: ClassVar[Heading] = Heading(
        en="HER2+ 3D, clean: n = 6 donors, leave one out; 250 genes of highest mean in the other donors, full library, "
        "unsmoothed. Regime: labelled sections of the donor, other donors where a method uses them; no images.",
        zh="HER2+ 三维（干净协议）：n = 6 位供者，逐一留出；基因为其他供者中均值最高的 250 个，全文库归一化，不平滑。"
        "信息范围：供者自身的标注切片，以及方法用到的其他供者；不用图像。",
    )
    notes: ClassVar[tuple[Heading, ...]] = (
        Heading(
            en="pcc_spot rewards knowing the genes' means; it is not the headline.",
            zh="pcc_spot 奖励只知道基因均值的预测，因此不是主要指标。",
        ),
        Heading(
            en="Sections are aligned by their outlines alone. The best of 125 rigid motions of each section, chosen by "
            "the truth, lifts kernel-transfer by 0.003: registration is not what limits the scores.",
            zh="切片仅按轮廓配准。即使用真值在 125 种刚体变换中为每张切片挑选最好的一种，"
            "kernel-transfer 也只提高 0.003：配准不是瓶颈。",
        ),
    )
    metrics: ClassVar[tuple[str, ...]] = ("pcc_gene", "pcc_spot", "mse", "mae", "r2_train_mean", "variance_ratio")
    unit: ClassVar[str] = "donor"
    entries: ClassVar[tuple[Entry, ...]] = (
        Entry("training mean", "training-mean", control=True),
        Entry("own section's mean", "section-mean", control=True),
        Entry("kernel, 2 pitches", "kernel-transfer", control=True),
        Entry("interpolation in depth", "z-interpolation", control=True),
        Entry("stack-scribe, own sections only", "stack-scribe", {"others": False}),
        Entry("stack-scribe", "stack-scribe"),
        Entry("asign, without images", "asign", slow=True),
        Entry("asign, as released, without images", "asign", {"variant": "released"}, slow=True),
    )
    files: ClassVar[tuple[str, ...]] = HER2ST_FILES
    how_to_get: ClassVar[str] = HER2ST_FROM

    def run(self, entry: Entry, *, seed: int, root: Path) -> Iterator[RunRecord]:
        """Yield one record with the first section labelled, and one with the first and the last."""
        stacks, target = her2st_stacks(root), Target()
        cases: dict[str, list[dict[str, Any]]] = {"first section labelled": [], "first and last section labelled": []}
        panels = {}
        for donor, stack in stacks.items():
            panels[donor] = panel = _panel(stacks, donor)
            training = [other for name, other in stacks.items() if name != donor]
            mean = np.concatenate([target(s, panel) for other in training for s in other.sections]).mean(0)
            imputer = volume(entry.method, **entry.params).fit(training, panel, target=target, seed=seed)
            for case, labelled in zip(cases, (stack.names[:1], stack.names[:: len(stack) - 1]), strict=True):
                tables = imputer.impute(stack, labelled=labelled)
                cases[case] += score_planes(tables, stack, target, train_mean=mean, metrics=self.metrics)
        for case, rows in cases.items():
            split = {"kind": "leave-one-donor-out", "case": case}
            yield study_record(
                self,
                entry,
                rows,
                seed=seed,
                stacks=stacks,
                genes=sorted(set().union(*panels.values())),
                target=target.to_dict(),
                split=split,
                ceiling=ceilings(root, rows, panels, target),
                notes=coverage_note(rows),
            )


def _panel(stacks: Mapping[str, Stack], donor: str) -> list[str]:
    """Choose the panel on other donors, among genes that every section lists (their names, not their counts)."""
    training = [s for name, stack in stacks.items() if name != donor for s in stack.sections]
    every = [s.table.var_names for stack in stacks.values() for s in stack.sections]
    listed = set(every[0]).intersection(*every[1:])
    return [g for g in choose_panel(training, 2 * _N_GENES) if g in listed][:_N_GENES]
