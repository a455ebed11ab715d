"""Rules that hold venue and year against identifiers and addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.finding import Finding
from histoscribe.catalogue.identifiers import arxiv_year, is_arxiv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from histoscribe.catalogue.store import Catalogue

__all__ = ["venue_doi", "venue_url", "year_arxiv"]


def _venues_of(text: str, field: str, venues: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name the venues to which a DOI (by its beginning) or an address (by a pattern) belongs."""
    if field == "doi":
        hits = {
            name: max((len(d) for d in v.get("doi", []) if text.lower().startswith(d)), default=0)
            for name, v in venues.items()
        }
        best = max(hits.values(), default=0)
        return [name for name, n in hits.items() if n and n == best]
    return [name for name, v in venues.items() if any(re.search(p, text) for p in v.get("url", []))]


def venue_doi(catalogue: Catalogue) -> Iterator[Finding]:
    """The DOI of the cited version belongs to its venue."""
    venues = catalogue.venues
    for paper in catalogue.papers.values():
        if not (paper.doi and paper.venue) or paper.venue.name not in venues:
            continue
        owners = _venues_of(paper.doi, "doi", venues)
        name = paper.venue.name
        if owners and name not in owners:
            what = f"venue is {name}, but DOI {paper.doi} belongs to {' or '.join(owners)}"
            mend = f"Write {owners[0]}, or move the DOI to versions."
            yield Finding("venue-doi", paper.id, what, mend, about=paper.doi)
        elif not owners and venues[name].get("doi"):
            what = f"venue is {name}, whose DOIs begin with {venues[name]['doi'][0]}, but the DOI is {paper.doi}"
            yield Finding("venue-doi", paper.id, what, "Mend one of the two.", about=paper.doi)


def venue_url(catalogue: Catalogue) -> Iterator[Finding]:
    """An address in a venue's proceedings goes with that venue, workshop or main conference."""
    for paper in catalogue.papers.values():
        if not (paper.url and paper.venue) or paper.status == "preprint":
            continue
        owners = [
            o for o in _venues_of(paper.url, "url", catalogue.venues) if catalogue.venues[o]["kind"] != "preprint"
        ]
        if owners and paper.venue.name not in owners:
            what = f"venue is {paper.venue.name}, but the address lies in {' or '.join(owners)}"
            yield Finding("venue-url", paper.id, what, f"Write {owners[0]}, or mend the address.", about=owners[0])


def year_arxiv(catalogue: Catalogue) -> Iterator[Finding]:
    """A preprint is of its number's year; an article follows by the next year, or an authority confirms its year."""
    for paper in catalogue.papers.values():
        if not paper.arxiv or not is_arxiv(paper.arxiv) or paper.year is None:
            continue
        numbered = arxiv_year(paper.arxiv)
        known = catalogue.authority.get(f"doi:{(paper.doi or '').lower()}", {}).get("year")
        if known == paper.year:
            continue
        last = numbered if paper.status == "preprint" else numbered + 1
        if not numbered <= paper.year <= last:
            what = f"year is {paper.year}, but arXiv {paper.arxiv} is of {numbered}"
            mend = "Mend the year, or waive it with the article's date."
            yield Finding("year-arxiv", paper.id, what, mend, about=paper.arxiv)
