"""Human cortex, two neighbouring Visium sections of one donor, each imputed from the other."""

from __future__ import annotations

import gzip
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from histoscribe.bench.studies._stacks import aligned, coverage_note, impute_from, study_record
from histoscribe.bench.studies._study import Entry, Study
from histoscribe.bench.suite import Heading
from histoscribe.core.target import Target
from histoscribe.io import read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.core.records import RunRecord
    from histoscribe.core.stack import Stack

__all__ = ["Dlpfc3d"]

_SECTIONS = ("151673", "151674")
#: Pairs of sections are 10 um apart (Maynard et al. 2021).
_STEP_UM = 10.0
_N_GENES = 250


class Dlpfc3d(Study):
    """151674 from 151673, and the other way round."""

    id: ClassVar[str] = "dlpfc-3d"
    family: ClassVar[str] = "volume"
    heading: ClassVar[Heading] = Heading(
        en="Human cortex (DLPFC), 151673 and 151674: ONE donor, two neighbouring sections, each imputed from the "
        "other; 250 genes of highest mean in the labelled section, full library, unsmoothed. Regime: the labelled "
        "section; no other donors, no images",
        zh="人类皮层（DLPFC），151673 与 151674：仅一名供者，两张相邻切片互相插补；取标注切片中均值最高的 250 个基因，"
        "全文库归一化，不平滑。信息范围：标注切片；不用其他供者，不用图像",
    )
    notes: ClassVar[tuple[Heading, ...]] = (
        Heading(
            en="n = 1 donor: the two rows are two directions of one pair, not independent; r2_train_mean is against "
            "the labelled section's mean.",
            zh="n = 1 名供者：两行是同一对切片的两个方向，并不独立；r2_train_mean 以标注切片的均值为基准。",
        ),
    )
    metrics: ClassVar[tuple[str, ...]] = ("pcc_gene", "pcc_spot", "mse", "mae", "r2_train_mean", "variance_ratio")
    unit: ClassVar[str] = "section"
    entries: ClassVar[tuple[Entry, ...]] = (
        Entry("own section's mean", "section-mean", control=True),
        Entry("nearest observation", "kernel-transfer", {"sigma_pitch": 0.0}, control=True),
        Entry("kernel, 1 pitch", "kernel-transfer", {"sigma_pitch": 1.0}, control=True),
        Entry("kernel, 2 pitches", "kernel-transfer", control=True),
        Entry("stack-scribe, own sections only", "stack-scribe", {"others": False}),
        Entry("asign, without images", "asign", {"others": False}, slow=True),
        Entry("asign, as released, without images", "asign", {"others": False, "variant": "released"}, slow=True),
    )
    files: ClassVar[tuple[str, ...]] = tuple(f"dlpfc/{name}.h5ad.gz" for name in _SECTIONS)
    how_to_get: ClassVar[str] = "Maynard et al. 2021 by way of the data of PASTE2: 151673.h5ad.gz and 151674.h5ad.gz."

    def run(self, entry: Entry, *, seed: int, root: Path) -> Iterator[RunRecord]:
        """Impute in both directions; yield one record."""
        stack = _stack(root)
        rows: list[dict[str, Any]] = []
        genes: set[str] = set()
        ceiling: list[float] = []
        for labelled in stack.sections:
            panel, found, most = impute_from(labelled, stack, self, entry, n_genes=_N_GENES, seed=seed)
            genes |= set(panel)
            rows += found
            ceiling += most
        yield study_record(
            self,
            entry,
            rows,
            seed=seed,
            stacks={stack.donor: stack},
            genes=sorted(genes),
            target=Target().to_dict(),
            split={"kind": "both directions of one pair of sections"},
            ceiling={"pcc_gene": float(np.mean(ceiling))},
            notes=coverage_note(rows),
        )


@lru_cache(maxsize=1)
def _stack(root: Path) -> Stack:
    sections = []
    with TemporaryDirectory() as folder:
        for name in _SECTIONS:
            path = Path(folder) / f"{name}.h5ad"
            path.write_bytes(gzip.decompress((root / "dlpfc" / f"{name}.h5ad.gz").read_bytes()))
            sections.append(read("h5ad", path, image="none", donor="Br8100", name=name, species="human"))
    return aligned(sections, step_um=_STEP_UM)
