"""Bulk expression of generated slides: does a method see a signal that is everywhere, and one in a small region."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from histoscribe.bench.slide_splits import SlideSplit, slide_site_folds
from histoscribe.bench.sources import SOURCES
from histoscribe.bench.studies._study import Entry, Study
from histoscribe.bench.suite import Heading
from histoscribe.core import keys
from histoscribe.core.files import digest
from histoscribe.core.records import RunRecord
from histoscribe.methods import slide_level
from histoscribe.metrics import SLIDE_METRICS, pcc_gene

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.methods import SlideRegressor

__all__ = ["SyntheticBulk"]

_FOLDS = 3
#: Three times the default rate: the slides are few and small. Chosen on seeds 100 and 101, which are no study seeds.
_TRAINED = {"training": {"lr": 3e-3}}


class SyntheticBulk(Study):
    """One split by site and seed: 80 slides of four sites to learn from, 40 of two others to predict."""

    id: ClassVar[str] = "synthetic-bulk"
    family: ClassVar[str] = "slide-level"
    heading: ClassVar[Heading] = Heading(
        en="Generated slides: bulk expression of 60 genes from 40-90 tiles a slide; 80 slides of 4 sites to learn "
        "from, 40 of 2 other sites to predict, 5 seeds. Shows what a method can see, not how good it is on tissue.",
        zh="生成的切片：由每张 40-90 个图块预测 60 个基因的整体表达；4 个站点的 80 张用于学习，另 2 个站点的 "
        "40 张用于预测，5 个随机种子。显示方法能看到什么，而非其在真实组织上的优劣。",
    )
    notes: ClassVar[tuple[Heading, ...]] = (
        Heading(
            en="Case diffuse: the whole slide drives all genes; regional: a disc of 8 % of the tiles does; mixed: half "
            "of the genes each. The region looks like nothing else on the slide, which suits attention and clusters. "
            "Settings were chosen on seeds 100 to 103 of the same generator; the generator itself (strength of the "
            "signal, size of the region, number of slides) was set with methods' scores in view.",
            zh="diffuse：整张切片驱动所有基因；regional：8 % 图块组成的圆盘驱动；mixed：各占一半基因。"
            "该区域与切片其他部分外观截然不同，这有利于注意力与聚类方法。设置在同一生成器的种子 100 至 103 上选定；"
            "生成器本身（信号强度、区域大小、切片数量）是在看到各方法得分的情况下确定的。",
        ),
    )
    metrics: ClassVar[tuple[str, ...]] = (
        "pcc_sample",
        "pcc_sample_share_04",
        "pcc_profile",
        "region_auroc",
        "map_pcc_gene",
        "fit_cpu_s",
    )
    own_metrics: ClassVar[dict[str, tuple[str, str]]] = {
        "region_auroc": (
            "higher",
            "How well what a tile adds to the profile (weight x root mean square over the region's genes) finds the "
            "planted region: area under the ROC curve, mean over test slides; 0.5 knows nothing.",
        ),
        "map_pcc_gene": (
            "higher",
            "Pearson correlation across tiles of a gene's predicted map (tile's prediction x weight) with the planted "
            "one, mean over the region's genes, then test slides.",
        ),
        "fit_cpu_s": ("lower", "CPU seconds to fit."),
    }
    seeds: ClassVar[tuple[int, ...]] = (0, 1, 2, 3, 4)
    entries: ClassVar[tuple[Entry, ...]] = (
        Entry("training mean", "mean", control=True),
        Entry("nearest slides", "knn", control=True),
        Entry("tile-mean ridge", "tile-mean-ridge"),
        Entry("cluster ridge (ours)", "cluster-ridge"),
        Entry("direct, tiles", "direct-tile", _TRAINED),
        Entry("direct, ABMIL", "direct-abmil", _TRAINED),
        Entry("contrastive", "contrastive", _TRAINED),
        Entry("HE2RNA, top k", "he2rna-topk", _TRAINED),
    )

    def run(self, entry: Entry, *, seed: int, root: Path) -> Iterator[RunRecord]:
        """Fit and score each case; yield one record for each."""
        del root  # generated
        for case in SOURCES.get("synthetic-bulk").cases():
            planted, split = _slides(case, seed)
            start = time.process_time()
            model = slide_level(entry.method, **entry.params).fit(split.train, planted.expression, seed=seed)
            seconds = time.process_time() - start
            scores = _scores(model, planted, split) | {"fit_cpu_s": round(seconds, 2)}
            yield RunRecord(
                benchmark=self.id,
                benchmark_version=self.version,
                method=entry.method,
                params=entry.params,
                encoder="planted",
                genes=list(planted.expression.var_names),
                target={"unit": planted.expression.uns[keys.UNS]["unit"]},
                split={"kind": "sites", "case": case, "name": split.name, "apart": split.apart},
                seed=seed,
                data={b.name: digest(b.features.tobytes()) for b in (*split.train, *split.test)},
                scores={entry.label: scores},
                n={
                    "observations": sum(len(b.features) for b in split.test),
                    "sections": len(split.test),
                    "donors": len({b.donor for b in split.test}),
                    "genes": planted.expression.n_vars,
                },
                synthetic=True,
                kind="control" if entry.control else "method",
                protocol=self.protocol,
                ceiling=_ceiling(planted, split),
            )


@lru_cache(maxsize=3)
def _slides(case: str, seed: int) -> tuple[Any, SlideSplit]:
    planted = SOURCES.get("synthetic-bulk").slides(case, seed=seed)
    return planted, next(iter(slide_site_folds(planted.bags, _FOLDS, seed=seed)))


def _scores(model: SlideRegressor, planted: Any, split: SlideSplit) -> dict[str, float | None]:
    found = model.predict(split.test)
    truth = planted.expression[found.obs_names].X
    scores = {name: SLIDE_METRICS.get(name)(truth, found.X).mean for name in SLIDE_METRICS}
    if not model.has_maps or not planted.regional.any():
        return scores
    place = {b.name: i for i, b in enumerate(planted.bags)}
    maps = [_map_scores(model, planted, place[b.name]) for b in split.test]
    auroc, pcc = np.mean(maps, axis=0)
    return scores | {"region_auroc": float(auroc), "map_pcc_gene": float(pcc)}


def _map_scores(model: SlideRegressor, planted: Any, i: int) -> tuple[float, float]:
    """Return how well one slide's map finds the region, and how well it follows the planted map."""
    from sklearn.metrics import roc_auc_score

    bag, genes = planted.bags[i], planted.regional
    table = model.predict_tiles(bag, genes=list(planted.expression.var_names[genes]))
    # From the training mean, in standard deviations, times the tile's weight: what it adds to the slide's profile.
    added = (table.X - model.scale_["mean"][genes]) / np.maximum(model.scale_["sd"][genes], 1e-12)
    if model.has_attention:
        added = added * model.attention(bag).mean(0)[:, None]
    size = np.sqrt((added**2).mean(1))
    return float(roc_auc_score(planted.regions[i], size)), float(
        pcc_gene(planted.tile_signal[i][:, genes], added).mean()
    )


def _ceiling(planted: Any, split: SlideSplit) -> dict[str, float]:
    """Return the score of a predictor that knows everything but noise and sites."""
    rows = planted.expression.obs_names.get_indexer([b.name for b in split.test])
    truth, signal = planted.expression.X[rows], planted.signal[rows]
    return {"known_pcc_sample": float(pcc_gene(truth, signal).mean())}
