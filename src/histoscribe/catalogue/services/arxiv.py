"""arXiv: the preprints of machine learning and computer vision.

Source: the arXiv API user's manual (Atom 1.0, start/max_results paging, 3 s between requests).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from histoscribe.catalogue.identifiers import arxiv_of
from histoscribe.catalogue.services import guard
from histoscribe.catalogue.services.web import ServiceError
from histoscribe.catalogue.services.work import Page, Work, walk

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from histoscribe.catalogue.services.web import Web

__all__ = ["Arxiv"]

#: What `search` asks for; a date range is added.
QUERY = (
    '(abs:"spatial transcriptomics" OR abs:"spatially resolved transcriptomics" OR abs:"spatial gene expression") '
    'AND (abs:histology OR abs:histopathology OR abs:"histological images" OR abs:"whole slide" OR abs:pathology '
    'OR abs:"H&E")'
)
_ATOM = "{http://www.w3.org/2005/Atom}"
_ARXIV = "{http://arxiv.org/schemas/atom}"
_TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
_STEP = 100


class Arxiv:
    """arXiv's API; one request in 3 s, as its terms ask."""

    key, label = "arxiv", "arXiv"
    gap_s = 3.0

    def __init__(self, base: str = "https://export.arxiv.org/api/") -> None:
        self.base = base.rstrip("/")

    def search(self, web: Web, *, since: str, limit: int) -> Iterator[Page]:
        """Yield pages of works first submitted on or after `since` (``YYYY-MM-DD``), the newest first."""
        query = f"{QUERY} AND submittedDate:[{since.replace('-', '')}0000 TO 999912312359]"

        def fetch(start: str) -> Page:
            order = {"sortBy": "submittedDate", "sortOrder": "descending"}
            asked = {"search_query": query, "start": start, "max_results": str(_STEP), **order}
            return self._page(web, asked, int(start))

        yield from walk(fetch, "0", limit=limit, who=self.label)

    def lookup(self, web: Web, *, dois: Sequence[str] = (), arxivs: Sequence[str] = ()) -> list[Work]:
        """Return the works with these arXiv ids, or with arXiv's own DOIs."""
        ids = list(dict.fromkeys([*arxivs, *filter(None, map(arxiv_of, dois))]))
        works = []
        for at in range(0, len(ids), _STEP):
            asked = {"id_list": ",".join(ids[at : at + _STEP]), "max_results": str(_STEP)}
            works += self._page(web, asked, 0).works
        return works

    def _page(self, web: Web, asked: dict[str, str], start: int) -> Page:
        reply = web.get(f"{self.base}/query", asked, accept="application/atom+xml", gap_s=self.gap_s)
        root = guard.read_xml(reply, self.label)
        if root.tag != f"{_ATOM}feed":
            msg = f"{self.label} answered with XML that is no Atom feed. Try again later."
            raise ServiceError(msg)
        entries = root.findall(f"{_ATOM}entry")
        for entry in entries:
            # Errors come as a feed with status 200 and one entry.
            if "/api/errors" in (_text(entry, f"{_ATOM}id") or ""):
                why = _text(entry, f"{_ATOM}summary") or "no reason given"
                msg = f"{self.label} refuses the query ({why}). Check the ids."
                raise ServiceError(msg)
        works = [w for w in map(self._work, entries) if w]
        told = _text(root, _TOTAL)
        total = int(told) if told and told.isascii() and told.isdigit() and len(told) < 10 else None
        end = start + len(entries)
        return Page(works, str(end) if entries and total and end < total else None, len(entries) - len(works), total)

    def _work(self, entry: Element) -> Work | None:
        title = guard.text(entry.findtext(f"{_ATOM}title"))
        number = arxiv_of(entry.findtext(f"{_ATOM}id") or "")
        if title is None or number is None:
            return None
        day = guard.date(_text(entry, f"{_ATOM}published"))
        article = guard.doi(_text(entry, f"{_ARXIV}doi"))
        remark = (_text(entry, f"{_ARXIV}comment") or "").casefold()
        people = entry.findall(f"{_ATOM}author")[:500]
        return Work(
            source=self.key,
            address=f"https://arxiv.org/abs/{number}",
            title=title,
            doi=f"10.48550/arXiv.{number}",
            arxiv=number,
            authors=tuple(filter(None, (_name(_text(p, f"{_ATOM}name")) for p in people))),
            year=guard.year(day),
            date=day,
            venue="arXiv",
            kind="preprint",
            retracted="has been withdrawn" in remark,
            articles=(f"doi:{article.lower()}",) if article else (),
            abstract=guard.text(entry.findtext(f"{_ATOM}summary"), 5000) or "",
        )


def _text(element: Element, tag: str) -> str | None:
    return guard.text(element.findtext(tag))


def _name(whole: str | None) -> str | None:
    """Turn ``Given van Family`` into ``van Family, Given``: arXiv does not part the names."""
    if whole is None or " " not in whole:
        return whole
    parts = whole.split(" ")
    at = next((i for i, part in enumerate(parts[1:-1], 1) if part.islower()), len(parts) - 1)
    if parts[-1].rstrip(".") in {"Jr", "Sr", "II", "III"} and at > 1:
        at -= 1
    return f"{' '.join(parts[at:])}, {' '.join(parts[:at])}"
