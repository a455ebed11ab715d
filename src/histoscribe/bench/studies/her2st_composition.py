"""Cell composition from H&E alone on HER2+ breast cancer, beside every control that needs no model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from histoscribe.bench.controls import CONTROLS, Task
from histoscribe.bench.studies._study import Entry, Study
from histoscribe.bench.suite import Heading
from histoscribe.core import keys
from histoscribe.core.composition import CompositionTarget
from histoscribe.core.records import RunRecord
from histoscribe.io import read_specs
from histoscribe.methods import predictor, with_composition
from histoscribe.methods.train import prepare
from histoscribe.metrics import COMPOSITION_METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.core.section import Section

__all__ = ["Her2stComposition"]

_TARGET = CompositionTarget()
_ENCODER = "efficientnet-lite0+colour"
_SHEETS = "her2st/app/www/imgs/{name}_HE_image_dark.png"
#: px of the reduced image per px of the original.
_REDUCED = {"A1": 2000 / 6954, "A2": 2000 / 6966}


@dataclass(frozen=True)
class _Question:
    """A case: which table of proportions, which sections, and which of them are test sections in turn."""

    name: str
    tier: str
    names: tuple[str, ...]
    folds: tuple[tuple[str, ...], ...]


_C = ("C2", "C3", "C4", "C5")
_QUESTIONS = (
    _Question("major types, one section of donor C left out", "major", _C, tuple((c,) for c in _C)),
    _Question("minor types, one section of donor C left out", "minor", _C, tuple((c,) for c in _C)),
    _Question("major types, donor C to donor A, all read at 3.2 um/px", "major", (*_C, "A1", "A2"), (("A1", "A2"),)),
)


class Her2stComposition(Study):
    """Leave one section out within donor C, and donor C to the reduced images of donor A."""

    id: ClassVar[str] = "her2st-composition-from-histology"
    family: ClassVar[str] = "composition"
    heading: ClassVar[Heading] = Heading(
        en="HER2+ breast cancer: composition from H&E alone, against the published stereoscope proportions, which are "
        "a model's output and not truth. Full H&E exists here for 4 sections of one donor, so that nothing speaks for "
        "a new donor but the case C to A (n = 1 donor). Regime: H&E of the test section",
        zh="HER2+ 乳腺癌：仅由 H&E 预测细胞组成，对照已发表的 stereoscope 占比（模型输出，并非真值）。"
        "此处只有一名供者的 4 张切片有完整 H&E，除 C 到 A（1 名供者）外不代表新供者。信息范围：测试切片的 H&E",
    )
    notes: ClassVar[tuple[Heading, ...]] = (
        Heading(
            en="Serial sections of one block look alike: sister-copy, which copies the neighbours' composition by the "
            "outline of the tissue and sees no image, is what the first two cases have to be read beside.",
            zh="同一组织块的连续切片彼此相似：sister-copy 仅按组织轮廓复制相邻切片的组成，不看图像；"
            "前两种情形应与之对照。",
        ),
        Heading(
            en="Tiles of 112 and 336 um follow the paper's tile and 3 times wider neighbourhood; that ridge, softmax "
            "and log-ratio scales differ little was seen on these sections, and the ridge kept for its simplicity.",
            zh="112 与 336 µm 图块取自论文的图块及其 3 倍邻域；岭回归、softmax 与对数比"
            "在这些切片上差别很小，取最简单者。",
        ),
        Heading(
            en="A1 and A2 are 2,000 px images, black outside the tissue; all sections are read at their 3.2 um/px.",
            zh="A1、A2 为 2,000 px 的缩小图像，组织外为黑色；此时所有切片都按 3.2 µm/px 读取。",
        ),
        Heading(
            en="From donor C to donor A the training mean wins. Shrinking predictions to it by what leaving out "
            "sections of C advises (factors 0.53, 1.19, 0.98, 0.92; 0.90 on average, major types) would not have "
            "saved that (0.210, mean 0.195): one donor holds no evidence of another. So it is not done, and the "
            "predictions of a model of one donor call no type trusted. Seen with these scores in view.",
            zh="从供者 C 到供者 A，训练均值更好。按 C 内留一切片的建议向均值收缩"
            "（系数 0.53、1.19、0.98、0.92，平均 0.90）也无济于事（0.210，均值 0.195）："
            "一名供者不含关于他人的证据。因此不收缩，单一供者的模型不标任何类型为可信。以上是看着这些分数得出的。",
        ),
    )
    metrics: ClassVar[tuple[str, ...]] = (
        *("composition_rmse", "composition_pcc_type", "composition_pcc_spot", "composition_jsd_spot"),
    )
    unit: ClassVar[str] = "section"
    entries: ClassVar[tuple[Entry, ...]] = (
        Entry("training-mean", "training-mean", control=True),
        Entry("colour-ridge", "colour-ridge", control=True),
        Entry("array-knn", "array-knn", control=True),
        Entry("log-depth-oracle", "log-depth-oracle", control=True),
        Entry("sister-copy", "sister-copy", control=True),
        Entry("histology-composition", "histology-composition"),
        Entry("histology-composition, tile alone", "histology-composition", {"size_um": [112.0]}),
    )
    files: ClassVar[tuple[str, ...]] = (
        *(f"her2st/res/ST-deconv/props/{q.tier}/{name}-proportion.tsv" for q in _QUESTIONS for name in q.names),
        *(f"her2st/data/ST-imgs/C/{name}/*.jpg" for name in _C),
        *(_SHEETS.format(name=name) for name in _REDUCED),
    )
    how_to_get: ClassVar[str] = "They are Andersson et al. 2021, Zenodo 4751624; see docs/howto/get_data.md."

    def run(self, entry: Entry, *, seed: int, root: Path) -> Iterator[RunRecord]:
        """Predict each fold's test sections; yield one record for each case."""
        for question in _QUESTIONS:
            if entry.method == "sister-copy" and len({name[0] for name in question.names}) > 1:
                continue  # another donor has no sister
            yield self._record(question, entry, seed, root)

    def _record(self, question: _Question, entry: Entry, seed: int, root: Path) -> RunRecord:
        start = time.perf_counter()
        sections = _sections(question, root)
        types = _TARGET.panel(sections, 0)
        rows = []
        for fold in question.folds:
            tests = _split(sections, fold)[1]
            for test, guess in zip(tests, _guesses(entry, question, fold, seed, root), strict=True):
                truth = _TARGET(test, types)
                scores = {m: COMPOSITION_METRICS.get(m)(truth, guess).mean for m in self.metrics}
                rows.append({"section": test.name, "donor": test.donor, "n_obs": test.n_obs} | scores)
        return RunRecord(
            benchmark=self.id,
            benchmark_version=self.version,
            method=entry.method,
            params=entry.params,
            encoder=_ENCODER if entry.method == "histology-composition" else "none",
            genes=types,
            target=_TARGET.to_dict(),
            split={"case": question.name, "folds": [list(f) for f in question.folds]},
            seed=seed,
            data={s.name: s.origin.digest for s in sections if s.origin is not None},
            scores={entry.label: {m: float(np.mean([row[m] for row in rows])) for m in self.metrics}},
            per_section=rows,
            n={
                "observations": sum(row["n_obs"] for row in rows),
                "types": len(types),
                "sections": len(rows),
                "donors": len({row["donor"] for row in rows}),
            },
            seconds=round(time.perf_counter() - start, 3),
            kind="control" if entry.control else "method",
            protocol=self.protocol,
        )


def _guesses(entry: Entry, question: _Question, fold: tuple[str, ...], seed: int, root: Path) -> list[np.ndarray]:
    """Return ``(n, k)`` compositions of the test sections, which come blind to all that does not ask for depth."""
    sections = _sections(question, root)
    if entry.method in CONTROLS:
        control = CONTROLS.get(entry.method)
        training, tests = _split(sections, fold)
        types = _TARGET.panel(sections, 0)
        mean = np.concatenate([_TARGET(s, types) for s in training]).mean(0)
        seen = tests if control.uses_depth else [s.blind() for s in tests]
        task = Task(tuple(seen), tuple(training), "", types, _TARGET, mean, None, seed)  # type: ignore[arg-type]
        return [_TARGET.finish(values) for values in control.run(task).values]
    model = predictor(entry.method)
    training, tests = _split(_encoded(question, root, tuple(entry.params.get("size_um", model.default_size_um))), fold)
    model.fit(training, seed=seed)
    return [model.predict(s).obsm[keys.COMPOSITION] for s in tests]


def _split(sections: list[Section], fold: tuple[str, ...]) -> tuple[list[Section], list[Section]]:
    return [s for s in sections if s.name not in fold], [s for s in sections if s.name in fold]


@lru_cache(maxsize=2)
def _encoded(question: _Question, root: Path, sides_um: tuple[float, ...]) -> list[Section]:
    """Return the sections with features, all read at the resolution of the coarsest."""
    return prepare(_sections(question, root), _ENCODER, size_um=sides_um)


@lru_cache(maxsize=3)
def _sections(question: _Question, root: Path) -> list[Section]:
    """Return the question's sections with their published proportions."""
    specs = []
    for name in question.names:
        reduced = f"&image={root / _SHEETS.format(name=name)}&scale={_REDUCED[name]}" if name in _REDUCED else ""
        specs.append(f"st-array:{root / 'her2st'}?section={name}{reduced}")
    folder = root / "her2st/res/ST-deconv/props" / question.tier
    return [with_composition(s, folder / f"{s.name}-proportion.tsv") for s in read_specs(specs)]
