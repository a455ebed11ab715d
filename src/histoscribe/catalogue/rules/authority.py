"""Rules against the bundled authority table: which title, venue and year an identifier really has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.finding import Finding
from histoscribe.catalogue.identifiers import normalise_title, normalise_url

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = ["title", "venue", "year"]


def _known(paper: Paper, table: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what the table says of each identifier of `paper`."""
    keys = [f"doi:{paper.doi.lower()}"] if paper.doi else []
    keys += [f"arxiv:{paper.arxiv}"] if paper.arxiv else []
    if paper.url:
        address = normalise_url(paper.url).replace("/abstract/document/", "/document/")
        keys.append(f"url:{address}")
    for key in keys:
        if key in table:
            yield key, table[key]


def _by_title(table: Mapping[str, Mapping[str, Any]]) -> dict[str, list[tuple[str, Mapping[str, Any]]]]:
    found: dict[str, list[tuple[str, Mapping[str, Any]]]] = {}
    for key, entry in table.items():
        if not key.startswith("url:"):
            found.setdefault(normalise_title(entry["title"]), []).append((key, entry))
    return found


def title(catalogue: Catalogue) -> Iterator[Finding]:
    """A DOI, arXiv id or address carries the title that the authority knows for it, and the other way round."""
    titles = _by_title(catalogue.authority)
    for paper in catalogue.papers.values():
        own = {normalise_title(t) for t in (paper.title, *(v.title for v in paper.versions)) if t}
        wrong = False
        for key, entry in _known(paper, catalogue.authority):
            if normalise_title(entry["title"]) not in own:
                wrong = True
                what = f"{key} is {entry['title']!r}"
                mend = "Mend the identifier, or the title."
                yield Finding("authority-title", paper.id, what, mend, about=key)
        for key, _ in [] if wrong else titles.get(normalise_title(paper.title), []):
            kind, _, value = key.partition(":")
            given = getattr(paper, kind)
            others = {getattr(v, kind) for v in paper.versions}
            if given and given.lower() != value and value not in {(o or "").lower() for o in others}:
                what = f"{kind} is {given}, but this title is known as {value}"
                yield Finding("authority-title", paper.id, what, f"Write {value}.", about=key)


def venue(catalogue: Catalogue) -> Iterator[Finding]:
    """The venue is the one that the authority knows for the identifier or the title."""
    titles = _by_title(catalogue.authority)
    for paper in catalogue.papers.values():
        entries = dict(_known(paper, catalogue.authority)) | dict(titles.get(normalise_title(paper.title), []))
        names = {entry["venue"] for entry in entries.values() if entry.get("venue")}
        if paper.venue and names and paper.venue.name not in names and paper.status != "preprint":
            what = f"venue is {paper.venue.name}, but the authority says {' or '.join(sorted(names))}"
            mend = f"Write {min(names)}, or keep both under conflicts."
            yield Finding("authority-venue", paper.id, what, mend, about=min(names))


def year(catalogue: Catalogue) -> Iterator[Finding]:
    """The year is the one that the authority knows for the identifier."""
    for paper in catalogue.papers.values():
        for key, entry in _known(paper, catalogue.authority):
            if entry.get("year") and paper.year is not None and entry["year"] != paper.year:
                what = f"year is {paper.year}, but {key} is of {entry['year']}"
                yield Finding("authority-year", paper.id, what, f"Write {entry['year']}.", about=key)
