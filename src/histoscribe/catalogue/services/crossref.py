"""Crossref: DOIs of publishers, with relations between versions and notices of retraction.

Source: the Crossref REST API documentation (works, cursor paging, filters, relation, updated-by).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.catalogue.identifiers import ARXIV_DOI
from histoscribe.catalogue.services import guard
from histoscribe.catalogue.services.web import ServiceError
from histoscribe.catalogue.services.work import Page, Work, walk

if TYPE_CHECKING:
    from histoscribe.catalogue.services.web import Web

__all__ = ["Crossref"]

#: Crossref ranks by words and knows no phrases, so only the best of what it gives is of use.
QUERY = "spatial transcriptomics gene expression histology image H&E whole slide"
_ARTICLES = {"journal-article", "proceedings-article", "book-chapter"}
_STEP = 100


class Crossref:
    """Crossref's works; the contact address puts requests into its polite pool."""

    key, label = "crossref", "Crossref"
    gap_s = 0.5

    def __init__(self, base: str = "https://api.crossref.org/") -> None:
        self.base = base.rstrip("/")

    def search(self, web: Web, *, since: str, limit: int) -> Iterator[Page]:
        """Yield pages of works registered on or after `since`, the best match first; 200 at most."""
        asked = {"query.bibliographic": QUERY, "filter": f"from-created-date:{since}", "rows": str(_STEP)}
        yield from walk(
            lambda token: self._page(web, asked | {"cursor": token}), "*", limit=min(limit, 200), who=self.label
        )

    def lookup(self, web: Web, *, dois: Sequence[str] = (), arxivs: Sequence[str] = ()) -> list[Work]:
        """Return the works with these DOIs; arXiv's own DOIs are registered elsewhere."""
        del arxivs
        # A comma parts filters and would cut a DOI in two.
        wanted = [d for d in dois if not d.lower().startswith(ARXIV_DOI) and "," not in d]
        works = []
        for at in range(0, len(wanted), 20):
            some = wanted[at : at + 20]
            asked = {"filter": ",".join(f"doi:{d}" for d in some), "rows": str(len(some))}
            works += self._page(web, asked).works
        return works

    def _page(self, web: Web, asked: dict[str, str]) -> Page:
        if web.contact:
            asked = asked | {"mailto": web.contact}
        reply = web.get(f"{self.base}/works", asked, accept="application/json", gap_s=self.gap_s)
        message = guard.table(guard.read_json(reply, self.label).get("message"))
        items = message.get("items")
        if not isinstance(items, list):
            msg = f"{self.label} answered without the list of works its documentation promises. Try again later."
            raise ServiceError(msg)
        works = [w for w in (self._work(guard.table(item)) for item in items) if w]
        after, total = message.get("next-cursor"), message.get("total-results")
        after = after if isinstance(after, str) and 0 < len(after) < 2000 and len(items) >= _STEP else None
        return Page(works, after, len(items) - len(works), total if isinstance(total, int) else None)

    def _work(self, item: dict[str, Any]) -> Work | None:
        title, doi = guard.text(_first(item.get("title"))), guard.doi(item.get("DOI"))
        if title is None or doi is None:
            return None
        subtitle = guard.text(_first(item.get("subtitle")), 300)
        if subtitle and subtitle.casefold() not in title.casefold():
            title = f"{title}: {subtitle}"
        told = guard.text(item.get("type"), 40)
        preprint = told == "posted-content" and guard.text(item.get("subtype"), 40) in {"preprint", None}
        kind: Literal["preprint", "article", "other"] = "preprint" if preprint else "other"
        if told in _ARTICLES:
            kind = "article"
        day = next((d for d in (_day(item.get(k)) for k in ("published", "issued", "posted")) if d), None)
        home = _first(item.get("container-title")) or guard.table(_first(item.get("institution"))).get("name")
        relation = guard.table(item.get("relation"))
        # Retractions in "updated-by" count whoever asserts them: publisher or Retraction Watch.
        updates = [guard.table(u) for u in guard.listed(item.get("updated-by"))]
        notices = [u for u in updates if str(u.get("type", "")).casefold() in {"retraction", "withdrawal", "removal"}]
        return Work(
            source=self.key,
            address=f"https://api.crossref.org/works/{doi}",
            title=title,
            doi=doi,
            authors=_authors(guard.listed(item.get("author"))),
            year=guard.year(day),
            date=day,
            venue=guard.text(home or item.get("group-title"), 200) if home or preprint else None,
            kind=kind,
            volume=guard.text(item.get("volume"), 30),
            pages=guard.text(item.get("page"), 40),
            retracted=bool(notices),
            notice=next((d for d in (guard.doi(u.get("DOI")) for u in notices) if d), None),
            articles=_related(relation, "is-preprint-of"),
            preprints=_related(relation, "has-preprint"),
            abstract=guard.text(item.get("abstract"), 5000) or "",
        )


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) and value else None


def _day(value: Any) -> str | None:
    return guard.date(_first(guard.table(value).get("date-parts")))


def _authors(people: list[Any]) -> tuple[str, ...]:
    names = []
    for person in map(guard.table, people[:500]):
        family, given = guard.text(person.get("family"), 80), guard.text(person.get("given"), 80)
        name = f"{family}, {given}" if family and given else family or guard.text(person.get("name"), 120)
        if name:
            names.append(name)
    return tuple(names)


def _related(relation: dict[str, Any], kind: str) -> tuple[str, ...]:
    found = (guard.table(r) for r in guard.listed(relation.get(kind)))
    dois = (guard.doi(r.get("id")) for r in found if r.get("id-type") == "doi")
    return tuple(dict.fromkeys(f"doi:{d.lower()}" for d in dois if d))
