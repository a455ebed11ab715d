"""Donor C of HER2+, the one donor whose full-resolution H&E is released with all sections: what do images add."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.bench.studies._stacks import aligned, coverage_note, impute_from, study_record
from histoscribe.bench.studies._study import Entry, Study
from histoscribe.bench.suite import Heading
from histoscribe.core.target import Target
from histoscribe.io import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.core.records import RunRecord
    from histoscribe.core.stack import Stack

__all__ = ["Her2stC3d"]

_SECTIONS = ("C2", "C3", "C4", "C5")
_STEP_UM = 16.0
_N_GENES = 250
_OWN = {"others": False}
_IMAGES = _OWN | {"images": True}


class Her2stC3d(Study):
    """C3, C4 and C5 from C2, with and without their images."""

    id: ClassVar[str] = "her2st-c-3d"
    family: ClassVar[str] = "volume"
    heading: ClassVar[Heading] = Heading(
        en="HER2+ breast cancer, donor C: ONE donor, C3, C4 and C5 imputed from C2; 250 genes of highest mean in C2, "
        "full library, unsmoothed. Regime: the labelled section, and the H&E of all sections where a row says images; "
        "no other donors",
        zh="HER2+ 乳腺癌，供者 C：仅一名供者，由 C2 插补 C3、C4、C5；取 C2 中均值最高的 250 个基因，全文库归一化，"
        "不平滑。信息范围：标注切片，以及（行名注明 images 时）所有切片的 H&E 图像；不用其他供者",
    )
    notes: ClassVar[tuple[Heading, ...]] = (
        Heading(
            en="n = 1 donor: the three sections are neighbours and not independent, so the board can show that images "
            "may help, not that they do elsewhere. Images are encoded by efficientnet-lite0+colour.",
            zh="n = 1 名供者：三张切片相邻，并不独立；本表只能说明图像可能有帮助，不能说明在别处也如此。"
            "图像由 efficientnet-lite0+colour 编码。",
        ),
    )
    metrics: ClassVar[tuple[str, ...]] = ("pcc_gene", "pcc_spot", "mse", "mae", "r2_train_mean", "variance_ratio")
    unit: ClassVar[str] = "section"
    entries: ClassVar[tuple[Entry, ...]] = (
        Entry("own section's mean", "section-mean", control=True),
        Entry("kernel, 2 pitches", "kernel-transfer", control=True),
        Entry("stack-scribe", "stack-scribe", _OWN),
        Entry("stack-scribe, images", "stack-scribe", _IMAGES),
        Entry("asign, without images", "asign", _OWN, slow=True),
        Entry("asign, images", "asign", _IMAGES, slow=True),
        Entry("asign, as released, images", "asign", _IMAGES | {"variant": "released"}, slow=True),
    )
    files: ClassVar[tuple[str, ...]] = (
        *(f"her2st/data/ST-imgs/C/{name}/*.jpg" for name in _SECTIONS),
        *(f"her2st/data/ST-cnts/{name}.tsv*" for name in _SECTIONS),
    )
    how_to_get: ClassVar[str] = "Get Zenodo 4751624 (Andersson et al. 2021): histoscribe data get her2st."

    def run(self, entry: Entry, *, seed: int, root: Path) -> Iterator[RunRecord]:
        """Impute three sections; yield one record."""
        stack = _stack(root)
        panel, rows, ceiling = impute_from(stack.sections[0], stack, self, entry, n_genes=_N_GENES, seed=seed)
        yield study_record(
            self,
            entry,
            rows,
            seed=seed,
            stacks={stack.donor: stack},
            genes=panel,
            target=Target().to_dict(),
            split={"kind": "one labelled section of one donor"},
            ceiling={"pcc_gene": float(np.mean(ceiling))},
            notes=coverage_note(rows),
        )


@lru_cache(maxsize=1)
def _stack(root: Path) -> Stack:
    sections = [read("st-array", root / "her2st", section=name, species="human") for name in _SECTIONS]
    return aligned(sections, step_um=_STEP_UM)
