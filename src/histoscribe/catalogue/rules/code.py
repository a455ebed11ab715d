"""Rules on code and results: whose repository it is, licences, what a number needs beside it."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

from histoscribe.catalogue.finding import Finding
from histoscribe.catalogue.identifiers import normalise_title, normalise_url, repository_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.catalogue.schema import Paper, Result
    from histoscribe.catalogue.store import Catalogue

__all__ = ["code_cites", "licence", "result_context", "same_code"]


def same_code(catalogue: Catalogue) -> Iterator[Finding]:
    """A repository belongs to one paper; the few that rightly serve two are waived."""
    owners: dict[str, list[Paper]] = defaultdict(list)
    for paper in catalogue.papers.values():
        urls = [paper.code.url, *paper.code.also] if paper.code else []
        if paper.url and repository_of(paper.url):
            urls.append(paper.url)
        for repository in {repository_of(url) or normalise_url(url) for url in urls if url}:
            owners[repository].append(paper)
    for repository, papers in owners.items():
        for first, second in combinations(papers, 2):
            mend = "Find out whose it is; waive it where one repository really serves both."
            what = f"{repository} is also the code of {first.id}"
            yield Finding("same-code", second.id, what, mend, about=first.id)


def code_cites(catalogue: Catalogue) -> Iterator[Finding]:
    """The paper that a repository asks to cite is the record's paper."""
    for paper in catalogue.papers.values():
        if not paper.code:
            continue
        titles = {normalise_title(t) for t in (paper.title, *(v.title for v in paper.versions)) if t}
        if paper.code.cites and normalise_title(paper.code.cites) not in titles:
            what = f"the repository asks to cite {paper.code.cites!r}"
            yield Finding("code-cites", paper.id, what, "It is another work's code: take the link out.", about="code")
        repository = repository_of(paper.code.url) if paper.code.url else None
        known = catalogue.authority.get(f"url:{repository}")
        if known and normalise_title(known["title"]) not in titles:
            what = f"{repository} is the code of {known['title']!r}"
            yield Finding("code-cites", paper.id, what, "Take the link out; name it as encoder.", about="code")


def licence(catalogue: Catalogue) -> Iterator[Finding]:
    """Whatever can be run or trained on says under which licence."""
    for paper in catalogue.papers.values():
        if paper.code and paper.code.status == "read" and paper.code.licence is None:
            mend = "Add `licence:` with an SPDX name, or `none` where the repository has none."
            yield Finding("licence", paper.id, "the code was read but its licence is not recorded", mend, about="code")
    used = {r.dataset for p in catalogue.papers.values() for r in p.results if r.origin == "here"}
    for dataset in catalogue.datasets.values():
        if dataset.n_unlicensed or dataset.n_internal:
            what = f"{dataset.n_unlicensed or 0} samples carry no licence and {dataset.n_internal or 0} are internal"
            mend = "Leave those samples out of what is redistributed, and waive it with that reason."
            yield Finding("licence", dataset.id, what, mend, about="samples")
        if dataset.id in used and dataset.licence is None:
            mend = "Add `licence:`."
            yield Finding("licence", dataset.id, "results stand on it, but its licence is not recorded", mend)


def result_context(catalogue: Catalogue) -> Iterator[Finding]:
    """A number says on which split and encoder; ours also commit and seed, a paper's also where it was read."""
    for paper in catalogue.papers.values():
        for result in paper.results:
            missing = _missing(result)
            if missing:
                what = f"result {result.metric} = {result.value:g} on {result.dataset} lacks {', '.join(missing)}"
                mend = "Add what is lacking; a number without it cannot be compared."
                yield Finding("result-context", paper.id, what, mend, about=missing[0])
            if result.value != result.value or (result.metric.startswith("pcc") and abs(result.value) > 1):
                what = f"result {result.metric} = {result.value} is out of range"
                yield Finding("result-context", paper.id, what, "Mend the value.", about="value")


def _missing(result: Result) -> list[str]:
    needed = ["split", "encoder"] + (["commit", "seed"] if result.origin == "here" else ["source"])
    return [name for name in needed if getattr(result, name) is None]
