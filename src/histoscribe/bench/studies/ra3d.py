"""Rheumatoid synovium in three dimensions: two donors, published normalised values, the study's own alignment."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import anndata
import numpy as np
import scipy.sparse as sp

from histoscribe.bench.studies._stacks import coverage_note, score_planes, study_record
from histoscribe.bench.studies._study import Entry, Study
from histoscribe.bench.suite import Heading
from histoscribe.core import keys
from histoscribe.core.files import file_digest
from histoscribe.core.section import Origin, Section
from histoscribe.core.stack import Stack
from histoscribe.methods import volume
from histoscribe.methods._volume_target import AsMeasured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.core.records import RunRecord

__all__ = ["Ra3d"]

_PITCH_UM = 200.0
#: Distance of sections: not stated, nominal.
_STEP_UM = 10.0
_N_GENES = 250


class Ra3d(Study):
    """Leave one of two donors out; of the one left out, the first section (or the first and the last) is labelled."""

    id: ClassVar[str] = "ra3d"
    family: ClassVar[str] = "volume"
    heading: ClassVar[Heading] = Heading(
        en="Rheumatoid synovium 3D: n = 2 donors (4 and 3 sections), leave one out; 250 genes of highest mean in the "
        "other donor, values as published (normalised, not counts). Regime: labelled sections of the donor, the other "
        "donor where a method uses it; no images",
        zh="类风湿滑膜三维：n = 2 名供者（4 张与 3 张切片），逐一留出；取另一名供者中均值最高的 250 个基因，"
        "数值按原样（已归一化，非计数）。信息范围：该供者的标注切片，方法可用另一名供者；不用图像",
    )
    notes: ClassVar[tuple[Heading, ...]] = (
        Heading(
            en="The published alignment stretches each section to a unit square; turns are kept, sides made equal "
            "again, and boxes centred. There are no counts, so there is no noise ceiling.",
            zh="已发表的配准把每张切片拉伸为单位正方形；此处保留旋转，恢复边长比例，并对齐外框中心。没有计数，因此没有噪声上限。",
        ),
        Heading(
            en="Two donors carry no interval worth its name.",
            zh="只有两名供者，区间没有实际意义。",
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
    files: ClassVar[tuple[str, ...]] = ("ra3d/derived/RA1_*.h5ad", "ra3d/derived/RA2_*.h5ad")
    how_to_get: ClassVar[str] = (
        "Vickovic et al. 2022 (Single Cell Portal SCP460), as h5ad with aligned_x and aligned_y."
    )

    def run(self, entry: Entry, *, seed: int, root: Path) -> Iterator[RunRecord]:
        """Yield one record with the first section labelled, and one with the first and the last."""
        stacks, target = _stacks(root), AsMeasured()
        cases: dict[str, list[dict[str, Any]]] = {"first section labelled": [], "first and last section labelled": []}
        genes: set[str] = set()
        for donor, stack in stacks.items():
            training = [other for name, other in stacks.items() if name != donor]
            panel = _panel(training[0], stack)
            genes |= set(panel)
            mean = np.concatenate([target(s, panel) for other in training for s in other.sections]).mean(0)
            imputer = volume(entry.method, **entry.params).fit(training, panel, target=target, seed=seed)
            for case, labelled in zip(cases, (stack.names[:1], stack.names[:: len(stack) - 1]), strict=True):
                tables = imputer.impute(stack, labelled=labelled)
                cases[case] += score_planes(tables, stack, target, train_mean=mean, metrics=self.metrics)
        for case, rows in cases.items():
            yield study_record(
                self,
                entry,
                rows,
                seed=seed,
                stacks=stacks,
                genes=sorted(genes),
                target=target.to_dict(),
                split={"kind": "leave-one-donor-out", "case": case},
                notes=coverage_note(rows),
            )


@lru_cache(maxsize=1)
def _stacks(root: Path) -> dict[str, Stack]:
    found = {}
    for donor in ("RA1", "RA2"):
        sections = [_section(path, donor) for path in sorted((root / "ra3d" / "derived").glob(f"{donor}_*.h5ad"))]
        depths = np.arange(len(sections)) * _STEP_UM
        found[donor] = Stack(tuple(sections), tuple(s.xy_um for s in sections), depths)
    return found


def _section(path: Path, donor: str) -> Section:
    read = anndata.read_h5ad(path)
    table = anndata.AnnData(sp.csr_matrix(read.X), obs=read.obs[[]].copy(), var=read.var[[]].copy())
    array, box = (read.obs[[f"{k}_x", f"{k}_y"]].to_numpy(dtype=np.float64) for k in ("array", "aligned"))
    # The published places are turned array places, each axis then stretched to 0-1: undo the stretching.
    turn = np.linalg.lstsq(np.column_stack([array, np.ones(len(array))]), box, rcond=None)[0][:2]
    table.obsm[keys.SPATIAL] = (box - 0.5) / np.linalg.norm(turn, axis=0) * _PITCH_UM
    origin = Origin("ra3d", str(path), digest=file_digest(path))
    return Section(table, None, 1.0, path.stem, donor, "st-array", "human", 100.0, _PITCH_UM, origin=origin)


def _panel(training: Stack, stack: Stack) -> list[str]:
    """Choose genes on the other donor, among those that both donors list."""
    values = sp.vstack([s.table.X for s in training.sections])
    listed = set(stack.sections[0].table.var_names)
    names = training.sections[0].table.var_names
    order = np.lexsort([names, -np.asarray(values.mean(0)).ravel()])
    return [names[i] for i in order if names[i] in listed][:_N_GENES]
