"""Papers and data sets as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.catalogue.formats import export
from histoscribe.catalogue.ladder import RUNGS
from histoscribe.catalogue.store import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from histoscribe.catalogue.schema import Dataset, Paper
    from histoscribe.studio._library import Library

__all__ = ["PaperQuery", "Sort", "dataset_out", "datasets_out", "paper_out", "papers_out", "vocabulary_out"]

Sort = Literal["relevance", "newest", "oldest", "title", "level"]
#: From a data set's record to its line in the list.
_LINE = (
    *("name", "kind", "technology", "organs", "species", "resolution", "n_samples", "n_spots", "n_donors"),
    *("licence", "histology", "paper", "release"),
)


@dataclass(frozen=True)
class PaperQuery:
    """What is asked of the list of papers; None and empty ask for nothing."""

    query: str = ""
    task: str | None = None
    year_from: int | None = None
    year_to: int | None = None
    code: bool | None = None
    rung: int | None = None
    implemented: bool | None = None
    sort: Sort = "relevance"


def papers_out(library: Library, asked: PaperQuery, *, offset: int, limit: int) -> dict[str, Any]:
    """Return a page of papers, and how many there would be with each value of a filter, the others kept."""
    found = [hit.body for hit in library.search(asked.query, "paper")]
    ours = library.implemented
    tests: dict[str, Callable[[Mapping[str, Any]], bool]] = {}
    if asked.task is not None:
        tests["task"] = lambda b: asked.task in b["tasks"]
    if asked.year_from is not None or asked.year_to is not None:
        low, high = asked.year_from or 0, asked.year_to or 9999
        tests["year"] = lambda b: b["year"] is not None and low <= b["year"] <= high
    if asked.code is not None:
        tests["code"] = lambda b: bool((b.get("code") or {}).get("url")) is asked.code
    if asked.rung is not None:
        tests["rung"] = lambda b: b["level"] >= (asked.rung or 0)
    if asked.implemented is not None:
        tests["implemented"] = lambda b: (b["id"] in ours) is asked.implemented

    def kept(without: str = "") -> list[Mapping[str, Any]]:
        return [b for b in found if all(test(b) for name, test in tests.items() if name != without)]

    rows = _sorted(kept(), asked.sort)
    facets = {
        "task": Counter(t for b in kept("task") for t in b["tasks"]),
        "year": Counter(str(b["year"]) for b in kept("year") if b["year"]),
        "rung": Counter(str(b["level"]) for b in kept("rung")),
        "implemented": sum(b["id"] in ours for b in kept("implemented")),
    }
    return {"total": len(rows), "papers": [_line(b, ours) for b in rows[offset : offset + limit]], "facets": facets}


def _sorted(rows: list[Mapping[str, Any]], sort: Sort) -> list[Mapping[str, Any]]:
    keys: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "newest": lambda b: (-(b["year"] or 0), b["title"].casefold()),
        "oldest": lambda b: (b["year"] or 9999, b["title"].casefold()),
        "title": lambda b: b["title"].casefold(),
        "level": lambda b: (-b["level"], -(b["year"] or 0), b["title"].casefold()),
    }
    return sorted(rows, key=keys[sort]) if sort in keys else rows


def _line(body: Mapping[str, Any], ours: Mapping[str, list[str]]) -> dict[str, Any]:
    authors = body.get("authors", [])
    first = authors[0].split(",")[0] if authors else ""
    code = body.get("code") or {}
    return {
        "key": body["id"],
        "title": body["title"],
        "authors_short": f"{first} et al." if len(authors) > 1 else first,
        "year": body["year"],
        "venue": (body.get("venue") or {}).get("name"),
        "tasks": body["tasks"],
        "status": body["status"],
        "founding": body.get("founding"),
        "code_rung": body["level"],
        "code_url": code.get("url"),
        "implemented": ours.get(body["id"], []),
        "doi": body.get("doi"),
    }


def paper_out(library: Library, key: str) -> dict[str, Any]:
    """Return everything about a paper."""
    view = library.view()
    paper, names = library.paper(key), {k: d.name for k, d in library.catalogue.datasets.items()}
    place = view.ladder[key]
    return {
        "key": key,
        "record": plain(paper),
        "level": place.level,
        "ladder": [{"rung": r, "text": RUNGS[r][0], "reached": place.has.get(r)} for r in RUNGS if r],
        "reproduced": list(place.reproduced),
        "results": [asdict(row) | {"dataset_name": names.get(row.dataset)} for row in view.results(paper)],
        "runs": [{"benchmark": r.benchmark, "method": r.method, "id": r.id, "created": r.created} for r in place.runs],
        "implemented": library.implemented.get(key, []),
        "bibtex": export(library.catalogue, [paper], "bibtex"),
        "datasets": [{"key": d, "name": names.get(d, d)} for d in paper.datasets],
        "near": [_short(other) for other in view.near[key]],
        "sources": _sources(library, [paper]),
    }


def datasets_out(library: Library, query: str) -> dict[str, Any]:
    """Return all data sets that meet a query."""
    found = library.view().datasets
    if query.strip():
        order = {hit.key: at for at, hit in enumerate(library.search(query, "dataset"))}
        found = sorted((d for d in found if d.id in order), key=lambda d: order[d.id])
    return {"total": len(found), "datasets": [_dataset_line(d) for d in found]}


def dataset_out(library: Library, key: str) -> dict[str, Any]:
    """Return everything about a data set, who uses it, and what it must not be tested against."""
    view, dataset = library.view(), library.dataset(key)
    everything = library.catalogue.datasets
    named = {k: {"key": k, "name": d.name} for k, d in everything.items()}
    presents = library.catalogue.papers.get(dataset.paper or "")
    overlapping = {*dataset.overlaps, *(k for k, d in everything.items() if key in d.overlaps)}
    return {
        "key": key,
        "record": _dataset_line(dataset) | plain(dataset),
        "papers": [_short(p) for p in view.users.get(key, [])],
        "contains": [named[k] for k in dataset.contains if k in named],
        "contained_in": [named[k] for k, d in everything.items() if key in d.contains],
        "overlaps": [named[k] for k in sorted(overlapping) if k in named],
        "leaks": [leak.what for _, leak in view.leaks.get(key, [])],
        "paper": presents and {"key": presents.id, "title": presents.title},
        "sources": _sources(library, [dataset]),
    }


def vocabulary_out(library: Library) -> dict[str, Any]:
    """Return the controlled words: facet to key to labels and definitions in both languages."""
    found: dict[str, dict[str, Any]] = {}
    for (facet, key), term in library.catalogue.vocabulary.terms.items():
        means = {"en": term.means, "zh": term.means_zh} if term.means else None
        found.setdefault(facet, {})[key] = {"en": term.en, "zh": term.zh, "means": means}
    return found


def _short(paper: Paper) -> dict[str, Any]:
    return {"key": paper.id, "title": paper.title, "year": paper.year}


def _dataset_line(dataset: Dataset) -> dict[str, Any]:
    return {"key": dataset.id} | {name: getattr(dataset, name) for name in _LINE}


def _sources(library: Library, records: Sequence[Paper | Dataset]) -> dict[str, str]:
    """Return the sources that records were read in: key to address, or to the name where there is none."""
    known = library.catalogue.sources
    keys = {s if isinstance(s, str) else s.source for r in records for given in r.provenance.values() for s in given}
    return {k: str(known[k].get("url") or known[k].get("name") or k) for k in sorted(keys) if k in known}
