"""Europe PMC: journals of the life sciences and the preprints of bioRxiv, medRxiv and others.

Source: the service's REST documentation (search module, resultType core, cursorMark paging).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.services import guard
from histoscribe.catalogue.services.web import ServiceError
from histoscribe.catalogue.services.work import Page, Work, walk

if TYPE_CHECKING:
    from histoscribe.catalogue.services.web import Web

__all__ = ["EuropePMC"]

#: What `search` asks for; a date range is added.
QUERY = (
    '(TITLE_ABS:"spatial transcriptomics" OR TITLE_ABS:"spatially resolved transcriptomics" '
    'OR TITLE_ABS:"spatial gene expression" OR TITLE_ABS:"spatial omics") '
    'AND (TITLE_ABS:histology OR TITLE_ABS:histopathology OR TITLE_ABS:"histological images" OR TITLE_ABS:"H&E" '
    'OR TITLE_ABS:"whole slide" OR TITLE_ABS:"pathology images" OR TITLE_ABS:"pathology foundation model")'
)


class EuropePMC:
    """Europe PMC's search; at most 10 requests a second are allowed, 4 are sent."""

    key, label = "europepmc", "Europe PMC"
    gap_s = 0.25

    def __init__(self, base: str = "https://www.ebi.ac.uk/europepmc/webservices/rest/") -> None:
        self.base = base.rstrip("/")

    def search(self, web: Web, *, since: str, limit: int) -> Iterator[Page]:
        """Yield pages of works first published on or after `since` (``YYYY-MM-DD``)."""
        query = f"{QUERY} AND (FIRST_PDATE:[{since} TO 3000-12-31])"
        yield from walk(lambda token: self._page(web, query, token), "*", limit=limit, who=self.label)

    def lookup(self, web: Web, *, dois: Sequence[str] = (), arxivs: Sequence[str] = ()) -> list[Work]:
        """Return the works with these DOIs; arXiv ids are not known here."""
        del arxivs
        clauses = [f'DOI:"{doi}"' for doi in dois if '"' not in doi]
        return self._any_of(web, clauses)

    def by_number(self, web: Web, numbers: Sequence[str]) -> list[Work]:
        """Return the works with these ``SOURCE/id`` numbers, e.g. ``MED/123``."""
        pairs = [number.split("/", 1) for number in numbers if re.fullmatch(r"[A-Z]{3}/\w+", number)]
        return self._any_of(web, [f"(EXT_ID:{number} AND SRC:{source})" for source, number in pairs])

    def _any_of(self, web: Web, clauses: list[str]) -> list[Work]:
        works = []
        for start in range(0, len(clauses), 20):
            works += self._page(web, " OR ".join(clauses[start : start + 20]), "*").works
        return works

    def _page(self, web: Web, query: str, cursor: str) -> Page:
        asked = {"query": query, "format": "json", "resultType": "core", "pageSize": "100", "cursorMark": cursor}
        reply = web.get(f"{self.base}/search", asked, accept="application/json", gap_s=self.gap_s)
        value = guard.read_json(reply, self.label)
        results = guard.table(value.get("resultList")).get("result")
        if not isinstance(results, list):
            why = guard.text(value.get("errMsg"), 100) or "the reply has no resultList"
            msg = f"{self.label} did not answer the query ({why}). Try again later."
            raise ServiceError(msg)
        works = [w for w in (self._work(guard.table(r)) for r in results) if w]
        after = value.get("nextCursorMark")
        after = after if isinstance(after, str) and 0 < len(after) < 1000 and len(results) >= 100 else None
        total = value.get("hitCount")
        return Page(works, after, len(results) - len(works), total if isinstance(total, int) else None)

    def _work(self, r: dict[str, Any]) -> Work | None:
        title = guard.text(r.get("title"))
        source, number = r.get("source"), r.get("id")
        number_ok = isinstance(number, str) and re.fullmatch(r"\w{1,30}", number)
        if title is None or not isinstance(source, str) or not re.fullmatch(r"[A-Z]{3}", source) or not number_ok:
            return None
        preprint = source == "PPR"
        journal = guard.table(guard.table(r.get("journalInfo")).get("journal"))
        report = guard.table(r.get("bookOrReportDetails"))
        kinds = [str(k).casefold() for k in guard.listed(guard.table(r.get("pubTypeList")).get("pubType"))]
        links = guard.listed(guard.table(r.get("commentCorrectionList")).get("commentCorrection"))
        day = guard.date(r.get("firstPublicationDate"))
        return Work(
            source=self.key,
            address=f"https://europepmc.org/article/{source}/{number}",
            epmc=f"{source}/{number}",
            title=title[:-1] if title.endswith(".") and not title.endswith("..") else title,
            doi=guard.doi(r.get("doi")),
            authors=_authors(guard.listed(guard.table(r.get("authorList")).get("author"))),
            year=guard.year(r.get("pubYear")) or guard.year(day),
            date=day,
            venue=guard.text(report.get("publisher") if preprint else journal.get("title"), 200),
            kind="preprint" if preprint else "article",
            volume=guard.text(guard.table(r.get("journalInfo")).get("volume"), 30),
            pages=guard.text(r.get("pageInfo"), 40),
            retracted="retracted publication" in kinds or bool(_linked(links, "retraction in")),
            # "Preprint of" stands at the preprint and names the article; "Preprint in" the other way round.
            articles=_linked(links, "preprint of"),
            preprints=_linked(links, "preprint in"),
            abstract=guard.text(r.get("abstractText"), 5000) or "",
        )


def _authors(people: list[Any]) -> tuple[str, ...]:
    names = []
    for person in map(guard.table, people[:500]):
        family = guard.text(person.get("lastName"), 80)
        given = guard.text(person.get("firstName"), 80) or guard.text(person.get("initials"), 20)
        whole = guard.text(person.get("collectiveName"), 120) or guard.text(person.get("fullName"), 120)
        name = f"{family}, {given}" if family and given else family or whole
        if name:
            names.append(name)
    return tuple(names)


def _linked(links: list[Any], kind: str) -> tuple[str, ...]:
    found = []
    for link in map(guard.table, links):
        number = f"{link.get('source')}/{link.get('id')}"
        if str(link.get("type", "")).casefold().startswith(kind) and re.fullmatch(r"[A-Z]{3}/\w{1,30}", number):
            found.append(f"epmc:{number}")
    return tuple(found)
