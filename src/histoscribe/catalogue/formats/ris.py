"""RIS, through rispy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.formats.entry import Entry, Kind
from histoscribe.catalogue.identifiers import arxiv_of, doi_of
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["read", "write"]

_TYPES: dict[Kind, str] = {"article": "JOUR", "conference": "CPAPER", "preprint": "UNPB", "other": "GEN"}
_KINDS: dict[str, Kind] = {"JOUR": "article", "CPAPER": "conference", "CONF": "conference", "UNPB": "preprint"}


def write(entries: Iterable[Entry]) -> str:
    """Write entries as RIS."""
    import rispy

    return rispy.dumps([_ris(entry) for entry in entries], skip_unknown_tags=True, enforce_list_tags=True)


def _ris(entry: Entry) -> dict[str, Any]:
    first, _, last = (entry.pages or "").partition("-")
    fields = {
        "type_of_reference": _TYPES[entry.kind],
        "id": entry.key,
        "title": entry.title,
        "authors": list(entry.authors) or None,
        "year": str(entry.year) if entry.year is not None else None,
        "secondary_title": entry.venue,
        "volume": entry.volume,
        "start_page": first or None,
        "end_page": last or None,
        "doi": entry.doi,
        "accession_number": f"arXiv:{entry.arxiv}" if entry.arxiv else None,
        # A semicolon parts two addresses in RIS.
        "urls": [entry.url.replace(";", "%3B")] if entry.url else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def read(text: str) -> list[Entry]:
    """Read RIS.

    Raises
    ------
    DataError
        If it is not RIS.
    """
    import rispy

    try:
        found = rispy.loads(text)
    except (rispy.parser.ParseError, KeyError, IndexError, ValueError, OSError) as err:
        msg = f"the file is not RIS ({err}). Each record begins with 'TY  - ' and ends with 'ER  - '."
        raise DataError(msg) from err
    if not found and text.strip():
        msg = "the file holds no RIS record. Each begins with 'TY  - ' and ends with 'ER  - '."
        raise DataError(msg)
    return [_entry(values, number) for number, values in enumerate(found, start=1)]


def _entry(values: Mapping[str, Any], number: int) -> Entry:
    def first(*names: str) -> str | None:
        return next((str(values[name]).strip() for name in names if values.get(name)), None)

    authors = values.get("authors") or values.get("first_authors") or []
    year = re.search(r"\d{4}", first("year", "publication_year", "date") or "")
    pages = "-".join(page for page in (first("start_page"), first("end_page")) if page)
    urls = values.get("urls") or []
    doi = doi_of(first("doi") or "")
    return Entry(
        key=first("id", "label") or f"ris-{number}",
        kind=_KINDS.get(first("type_of_reference") or "", "other"),
        title=first("title", "primary_title") or "",
        authors=tuple(str(name).strip() for name in authors),
        year=int(year.group()) if year else None,
        venue=first("secondary_title", "journal_name", "alternate_title3", "alternate_title1"),
        volume=first("volume"),
        pages=pages or None,
        doi=doi,
        arxiv=arxiv_of(first("accession_number") or "") or next(filter(None, map(arxiv_of, urls)), None)
        if "arxiv" in (first("accession_number") or "").lower() or not doi
        else None,
        url=urls[0].replace("%3B", ";") if urls else None,
    )
