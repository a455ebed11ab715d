"""Generated stacks: smooth programmes in three dimensions, of which each donor has its own places and levels."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.bench.sources import SOURCES
from histoscribe.bench.studies._stacks import aligned, coverage_note, score_planes, study_record
from histoscribe.bench.studies._study import Entry, Study
from histoscribe.bench.suite import Heading
from histoscribe.core.target import Target
from histoscribe.methods import volume

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.core.records import RunRecord
    from histoscribe.core.stack import Stack

__all__ = ["Synthetic3d"]

_DONORS = ("planted-1", "planted-2", "planted-3", "planted-4")
_N_GENES, _STEP_UM = 40, 50.0


class Synthetic3d(Study):
    """Leave one generated donor out; of it, the first section is labelled."""

    id: ClassVar[str] = "synthetic-3d"
    family: ClassVar[str] = "volume"
    heading: ClassVar[Heading] = Heading(
        en="SYNTHETIC: stacks of 4 sections of n = 4 generated donors, leave one out; 40 genes, counting noise. "
        "Regime: first section of the donor labelled, other donors where a method uses them; no images. Says nothing "
        "about real tissue",
        zh="生成数据：n = 4 名生成的供者，各 4 张切片，逐一留出；40 个基因，含计数噪声。"
        "信息范围：该供者的第一张切片有标注，方法可用其他供者；不用图像。不说明真实组织的情况",
    )
    metrics: ClassVar[tuple[str, ...]] = ("pcc_gene", "pcc_spot", "mse", "r2_train_mean", "variance_ratio")
    unit: ClassVar[str] = "donor"
    entries: ClassVar[tuple[Entry, ...]] = (
        Entry("training mean", "training-mean", control=True),
        Entry("own section's mean", "section-mean", control=True),
        Entry("kernel, 2 pitches", "kernel-transfer", control=True),
        Entry("interpolation in depth", "z-interpolation", control=True),
        Entry("stack-scribe", "stack-scribe"),
        Entry("asign", "asign"),
    )

    def run(self, entry: Entry, *, seed: int, root: Path) -> Iterator[RunRecord]:
        """Impute the later sections of each donor in turn; yield one record."""
        del root  # generated
        stacks, target = _stacks(seed), Target()
        genes = [f"G{g}" for g in range(_N_GENES)]
        rows = []
        for donor, stack in stacks.items():
            training = [other for name, other in stacks.items() if name != donor]
            mean = np.concatenate([target(s, genes) for other in training for s in other.sections]).mean(0)
            imputer = volume(entry.method, **entry.params).fit(training, genes, target=target, seed=seed)
            tables = imputer.impute(stack, labelled=stack.names[:1])
            rows += score_planes(tables, stack, target, train_mean=mean, metrics=self.metrics)
        yield study_record(
            self,
            entry,
            rows,
            seed=seed,
            stacks=stacks,
            genes=genes,
            target=target.to_dict(),
            split={"kind": "leave-one-donor-out"},
            notes=coverage_note(rows),
            synthetic=True,
        )


@lru_cache(maxsize=1)
def _stacks(seed: int) -> dict[str, Stack]:
    """Return each donor's stack, aligned by its outlines as an unmeasured one would be."""
    make = SOURCES.get("planted-stack")
    made = [make(donor, side=10, n_genes=_N_GENES, seed=seed).stack for donor in _DONORS]
    return {stack.donor: aligned(stack.sections, step_um=_STEP_UM) for stack in made}
