"""OpenAlex: works of all fields, with a flag for retraction.

Source: the OpenAlex documentation (works, filters, page paging, abstract_inverted_index).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.catalogue.identifiers import ARXIV_DOI, arxiv_of
from histoscribe.catalogue.services import guard
from histoscribe.catalogue.services.web import ServiceError
from histoscribe.catalogue.services.work import Page, Work, walk

if TYPE_CHECKING:
    from histoscribe.catalogue.services.web import Web

__all__ = ["OpenAlex"]

#: What `search` asks for; a date is added.
QUERY = (
    '("spatial transcriptomics" OR "spatially resolved transcriptomics" OR "spatial gene expression") '
    'AND (histology OR histopathology OR "histological images" OR "whole slide" OR "pathology images")'
)
_STEP = 100


class OpenAlex:
    """OpenAlex's works; pages by number, since cursors are refused without a key.

    The key of ``OPENALEX_API_KEY`` is sent where there is one.
    """

    key, label = "openalex", "OpenAlex"
    gap_s = 0.25

    def __init__(self, base: str = "https://api.openalex.org/") -> None:
        self.base = base.rstrip("/")

    def search(self, web: Web, *, since: str, limit: int) -> Iterator[Page]:
        """Yield pages of works published on or after `since`, the newest first."""
        asked = {
            "filter": f"title_and_abstract.search:{QUERY},from_publication_date:{since}",
            "sort": "publication_date:desc",
        }
        yield from walk(lambda token: self._page(web, asked, int(token)), "1", limit=limit, who=self.label)

    def lookup(self, web: Web, *, dois: Sequence[str] = (), arxivs: Sequence[str] = ()) -> list[Work]:
        """Return the works with these DOIs or arXiv ids (by arXiv's DOI)."""
        # "|" and "," part the values of a filter.
        wanted = [d for d in [*dois, *(f"{ARXIV_DOI}{a}" for a in arxivs)] if not re.search(r"[|,]", d)]
        works = []
        for at in range(0, len(wanted), 40):
            works += self._page(web, {"filter": f"doi:{'|'.join(wanted[at : at + 40])}"}, 1).works
        return works

    def _page(self, web: Web, asked: dict[str, str], number: int) -> Page:
        asked = asked | {"page": str(number), "per-page": str(_STEP)}
        if web.contact:
            asked["mailto"] = web.contact
        if key := os.environ.get("OPENALEX_API_KEY"):
            asked["api_key"] = key
        reply = web.get(f"{self.base}/works", asked, accept="application/json", gap_s=self.gap_s)
        value = guard.read_json(reply, self.label)
        results = value.get("results")
        if not isinstance(results, list):
            why = guard.text(value.get("message"), 100) or "the reply has no results"
            msg = f"{self.label} did not answer the query ({why}). Try again later."
            raise ServiceError(msg)
        works = [w for w in (self._work(guard.table(r)) for r in results) if w]
        count = guard.table(value.get("meta")).get("count")
        total = count if isinstance(count, int) else None
        # Page paging ends at 10,000 works by the service's own rule.
        more = total is not None and number * _STEP < min(total, 10_000)
        return Page(works, str(number + 1) if more else None, len(results) - len(works), total)

    def _work(self, r: dict[str, Any]) -> Work | None:
        title = guard.text(r.get("display_name") or r.get("title"))
        number = re.search(r"W\d{1,15}$", str(r.get("id") or ""))
        if title is None or number is None:
            return None
        place = guard.table(r.get("primary_location"))
        doi = guard.doi(r.get("doi"))
        biblio = guard.table(r.get("biblio"))
        first, last = guard.text(biblio.get("first_page"), 20), guard.text(biblio.get("last_page"), 20)
        day = guard.date(r.get("publication_date"))
        kind: Literal["preprint", "article", "other"] = "other"
        told = guard.text(r.get("type"), 40)
        if told == "preprint":
            kind = "preprint"
        elif told in {"article", "review", "book-chapter"}:
            kind = "preprint" if place.get("version") == "submittedVersion" else "article"
        return Work(
            source=self.key,
            address=f"https://openalex.org/{number.group()}",
            title=title,
            doi=doi,
            arxiv=_arxiv(doi, place),
            authors=_authors(guard.listed(r.get("authorships"))),
            year=guard.year(r.get("publication_year")) or guard.year(day),
            date=day,
            venue=guard.text(guard.table(place.get("source")).get("display_name"), 200),
            kind=kind,
            volume=guard.text(biblio.get("volume"), 30),
            pages=f"{first}-{last}" if first and last and first != last else first,
            retracted=r.get("is_retracted") is True,
            abstract=_abstract(guard.table(r.get("abstract_inverted_index"))),
        )


def _arxiv(doi: str | None, place: dict[str, Any]) -> str | None:
    page = place.get("landing_page_url")
    return arxiv_of(doi or "") or (arxiv_of(page) if isinstance(page, str) and len(page) < 300 else None)


def _authors(people: list[Any]) -> tuple[str, ...]:
    """Return names as OpenAlex has them, turned where they come as ``Given Family``."""
    names = []
    for person in map(guard.table, people[:500]):
        name = guard.text(person.get("raw_author_name"), 120)
        name = name or guard.text(guard.table(person.get("author")).get("display_name"), 120)
        if name and "," not in name and " " in name:
            given, _, family = name.rpartition(" ")
            name = f"{family}, {given}"
        if name:
            names.append(name)
    return tuple(names)


def _abstract(index: dict[str, Any]) -> str:
    """Put an inverted index back into the order of the words; positions beyond 2,000 are left out."""
    at: dict[int, str] = {}
    for word, places in index.items():
        at |= {p: word for p in guard.listed(places) if isinstance(p, int) and 0 <= p < 2000}
    return guard.text(" ".join(at[p] for p in sorted(at)), 5000) or ""
