"""CSL-JSON: what Zotero, Pandoc and citation processors exchange."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.formats.entry import Entry, Kind
from histoscribe.catalogue.identifiers import arxiv_of, doi_of
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["read", "write"]

_TYPES: dict[Kind, str] = {
    "article": "article-journal",
    "conference": "paper-conference",
    "preprint": "article",
    "other": "document",
}
_KINDS = {name: kind for kind, name in _TYPES.items()} | {"manuscript": "preprint", "chapter": "conference"}


def write(entries: Iterable[Entry]) -> str:
    """Write entries as CSL-JSON."""
    return json.dumps([_csl(entry) for entry in entries], indent=2, ensure_ascii=False) + "\n"


def _csl(entry: Entry) -> dict[str, Any]:
    fields = {
        "id": entry.key,
        "type": _TYPES[entry.kind],
        "genre": "preprint" if entry.kind == "preprint" else None,
        "title": entry.title,
        "author": [_name(name) for name in entry.authors] or None,
        "issued": {"date-parts": [[entry.year]]} if entry.year is not None else None,
        "container-title": entry.venue,
        "volume": entry.volume,
        "page": entry.pages,
        "DOI": entry.doi,
        "archive": "arXiv" if entry.arxiv else None,
        "archive_location": entry.arxiv,
        "URL": entry.url,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _name(name: str) -> dict[str, str]:
    family, comma, given = name.partition(", ")
    return {"family": family, "given": given} if comma else {"literal": name}


def read(text: str) -> list[Entry]:
    """Read CSL-JSON: a list of items, or one item.

    Raises
    ------
    DataError
        If it is not JSON, or an item has no title.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as err:
        msg = f"line {err.lineno} is not JSON ({err.msg}). Export the file again as CSL-JSON."
        raise DataError(msg) from err
    items = value if isinstance(value, list) else [value]
    for number, item in enumerate(items, start=1):
        if not isinstance(item, dict) or not isinstance(item.get("title"), str):
            msg = f"item {number} has no title, so it is no CSL-JSON item. Export the file again as CSL-JSON."
            raise DataError(msg)
    return [_entry(item, number) for number, item in enumerate(items, start=1)]


def _entry(item: Mapping[str, Any], number: int) -> Entry:
    parts = (item.get("issued") or {}).get("date-parts") or [[None]]
    year = parts[0][0] if parts and parts[0] else None
    authors = [_joined(a) for a in item.get("author") or [] if isinstance(a, dict)]
    url = item.get("URL")
    return Entry(
        key=str(item.get("id") or f"csl-{number}"),
        kind=_KINDS.get(str(item.get("type")), "other"),
        title=item["title"],
        authors=tuple(filter(None, authors)),
        year=int(year) if year is not None and str(year).isdigit() else None,
        venue=item.get("container-title") or None,
        volume=_text(item.get("volume")),
        pages=_text(item.get("page")),
        doi=doi_of(str(item.get("DOI") or "")),
        arxiv=arxiv_of(str(item.get("archive_location") or "")),
        url=url if isinstance(url, str) and url else None,
    )


def _joined(author: Mapping[str, Any]) -> str:
    if author.get("literal"):
        return str(author["literal"])
    family = " ".join(str(author[n]) for n in ("non-dropping-particle", "family") if author.get(n))
    return f"{family}, {author['given']}" if author.get("given") else family


def _text(value: object) -> str | None:
    return str(value) if value not in (None, "") else None
