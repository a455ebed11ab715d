"""What each page shows: facts of a record, gathered and named for the templates."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.catalogue.identifiers import slug
from histoscribe.catalogue.ladder import RUNGS, Climb, _score
from histoscribe.catalogue.leak import Leak, leaks
from histoscribe.catalogue.schema import Paper
from histoscribe.catalogue.similar import _features
from histoscribe.catalogue.site._words import say, words
from histoscribe.core.files import digest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from markupsafe import Markup

    from histoscribe.catalogue.schema import Dataset
    from histoscribe.catalogue.store import Catalogue

__all__ = ["MethodPage", "Row", "View", "method_slug"]

#: Papers shown as neighbours.
_NEAR = 4


@dataclass(frozen=True)
class Row:
    """One line of the table of results; what a paper reports and what was measured here never share a column."""

    task: str
    dataset: str
    split: str | None
    encoder: str | None
    metric: str
    reported: float | None
    measured: float | None
    source: str | None
    note: str | None
    synthetic: bool = False


@dataclass
class MethodPage:
    """A name, and every paper whose method carries it: names collide."""

    slug: str
    name: str
    papers: list[Paper] = field(default_factory=list)

    @property
    def spellings(self) -> list[str]:
        """Every way in which the papers write the name."""
        return sorted({p.method.name for p in self.papers if p.method})

    @property
    def aliases(self) -> list[str]:
        """Other names that the records give."""
        return sorted({alias for p in self.papers if p.method for alias in p.method.aliases})

    @property
    def years(self) -> str:
        """Years of the papers, ``2023, 2026``."""
        return ", ".join(str(y) for y in sorted({p.year for p in self.papers if p.year}))


@dataclass
class View:
    """The catalogue as the templates see it.

    Attributes
    ----------
    catalogue, ladder
        Records, and each paper's place on the code ladder.
    implemented
        Ids of papers whose method or encoder this package implements.
    """

    catalogue: Catalogue
    ladder: Mapping[str, Climb]
    implemented: Collection[str]

    @cached_property
    def papers(self) -> list[Paper]:
        """Papers in the order of the start page: the founding ones, then the field's own, newest first."""
        order = {"core": 0, "related": 1, "background": 2}
        return sorted(
            self.catalogue.papers.values(),
            key=lambda p: (p.founding or 99, order[p.role], -(p.year or 0), p.title.casefold(), p.id),
        )

    @cached_property
    def datasets(self) -> list[Dataset]:
        """Data sets: cohorts, then collections, portals and predictions; by name."""
        order = {"cohort": 0, "collection": 1, "portal": 2, "predicted": 3}
        return sorted(self.catalogue.datasets.values(), key=lambda d: (order[d.kind], d.name.casefold(), d.id))

    @cached_property
    def methods(self) -> list[MethodPage]:
        """One page for each name, ignoring case and signs."""
        pages: dict[str, MethodPage] = {}
        for paper in self.papers:
            if paper.method:
                key = method_slug(paper.method.name)
                pages.setdefault(key, MethodPage(key, paper.method.name)).papers.append(paper)
        return sorted(pages.values(), key=lambda m: (m.name.casefold(), m.slug))

    @cached_property
    def users(self) -> Mapping[str, list[Paper]]:
        """Data set id to the papers that use it."""
        found: dict[str, list[Paper]] = defaultdict(list)
        for paper in self.papers:
            for key in paper.datasets:
                found[key].append(paper)
        return found

    @cached_property
    def leaks(self) -> Mapping[str, list[tuple[str, Leak]]]:
        """Data set id to the others that it is not independent of."""
        found: dict[str, list[tuple[str, Leak]]] = defaultdict(list)
        for leak in leaks(self.catalogue):
            found[leak.first].append((leak.second, leak))
            found[leak.second].append((leak.first, leak))
        return found

    @cached_property
    def near(self) -> Mapping[str, list[Paper]]:
        """Paper id to the papers most like it: `similar` for all papers at once."""
        papers = [self.catalogue.papers[key] for key in sorted(self.catalogue.papers)]
        features = [_features(p) for p in papers]
        column = {name: at for at, name in enumerate(sorted(set().union(*features)))}
        table = np.zeros((len(papers), len(column)), dtype=np.float32)
        for row, names in enumerate(features):
            table[row, [column[name] for name in names]] = 1
        table *= np.log(len(papers) / np.maximum(table.sum(0), 1)) + 0.1
        table /= np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
        # Rounded, so that the order of near-equal neighbours does not depend on the machine's arithmetic.
        cosine = np.round((table @ table.T).astype(float), 4)  # (n, n)
        np.fill_diagonal(cosine, 0)
        order = np.argsort(-cosine, axis=1, kind="stable")[:, :_NEAR]
        return {p.id: [papers[at] for at in order[row] if cosine[row, at] > 0] for row, p in enumerate(papers)}

    def leak(self, leak: Leak) -> Markup:
        """Say in both languages how two data sets are joined."""
        name = {key: d.name for key, d in self.catalogue.datasets.items()}
        first, second = name[leak.first], name[leak.second]
        if leak.how == "contains" and leak.through == leak.first:
            first, second = second, first
        through = name.get(leak.through, leak.through)
        return say(f"leak_{leak.how.replace(' ', '-')}", first=first, second=second, through=through)

    def best(self, method: MethodPage) -> int:
        """Return the highest level among the papers that carry a name."""
        return max(self.ladder[p.id].level for p in method.papers)

    def rungs(self, paper: Paper) -> list[tuple[int, bool | None]]:
        """Return level and state of every rung of the ladder."""
        has = self.ladder[paper.id].has
        return [(level, has.get(level)) for level in RUNGS if level]

    def results(self, paper: Paper) -> list[Row]:
        """Return what the paper reports and what was measured here, line by line."""
        rows = []
        for r in paper.results:
            reported, measured = (r.value, None) if r.origin == "paper" else (None, r.value)
            rows.append(Row(r.task, r.dataset, r.split, r.encoder, r.metric, reported, measured, r.source, r.note))
        for run in self.ladder[paper.id].runs:
            for metric in sorted(run.scores.get(run.method, {})):
                value = _score(run, metric)
                if value is not None:
                    what = f"{run.method}, seed {run.seed}, {run.commit[:12]}"
                    apart = run.split.get("apart") or ""
                    split = ", ".join(apart) if isinstance(apart, list) else str(apart)
                    row = Row(
                        "", run.benchmark, split or None, run.encoder, metric, None, value, None, what, run.synthetic
                    )
                    rows.append(row)
        return rows

    def provenance(self, record: Paper | Dataset) -> list[tuple[list[str], list[dict[str, Any]], bool]]:
        """Return fields that were read in the same sources, those sources, and whether they confirm an identifier."""
        read: dict[str, tuple[list[str], list[dict[str, Any]], bool]] = {}
        confirmed = record.verified if isinstance(record, Paper) else {}
        for given, sure in ((record.provenance, False), (confirmed, True)):
            for name, sources in given.items():
                found = [self.source(s) for s in sources]
                read.setdefault(repr((sure, found)), ([], found, sure))[0].append(name)
        return list(read.values())

    def source(self, given: Any) -> dict[str, Any]:
        """Return name, address and claimed value of one source: a key of the sources' table, an address, or a claim."""
        key, value = (given, None) if isinstance(given, str) else (given.source, given.value)
        known = self.catalogue.sources.get(key, {})
        url = known.get("url") or (key if key.startswith(("http://", "https://")) else None)
        name = known.get("name") or key.removeprefix("https://").removeprefix("http://")
        word = f"source_{key}" if f"source_{key}" in words() else None
        return {"name": name, "url": url, "commit": known.get("commit"), "value": value, "word": word}


def method_slug(name: str) -> str:
    """Return the file name of a method's page; names that differ only in case or signs share one."""
    return slug(name)[:80] or digest(name)
