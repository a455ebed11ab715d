"""Read what a service sent without trusting it: JSON and XML of the form expected, or one clear line."""

from __future__ import annotations

import html
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any
from xml.parsers import expat

from histoscribe.catalogue.identifiers import doi_of, is_doi
from histoscribe.catalogue.services.web import ServiceError

if TYPE_CHECKING:
    from histoscribe.catalogue.services.web import Reply

__all__ = ["date", "doi", "listed", "read_json", "read_xml", "table", "text", "year"]

_DEPTH = 100


def _expect(reply: Reply, kind: str, who: str) -> None:
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in media:
        found = "an HTML page" if "html" in media or reply.body[:200].lstrip()[:1] == b"<" else repr(media[:60])
        msg = (
            f"{who} answered with {found} instead of {kind.upper()}: it is down, or a proxy stands between. Try later."
        )
        raise ServiceError(msg)


def read_json(reply: Reply, who: str) -> dict[str, Any]:
    """Return the table in a JSON answer.

    Raises
    ------
    ServiceError
        If the media type or the content is anything else.
    """
    _expect(reply, "json", who)
    try:
        value = json.loads(reply.body)
    except (ValueError, RecursionError) as err:
        why = re.sub(r"[^\x20-\x7e]", "?", str(err))[:80]
        msg = f"{who} answered with broken JSON ({why}). Nothing was kept of it; try again later."
        raise ServiceError(msg) from err
    if not isinstance(value, dict):
        msg = f"{who} answered with a JSON {type(value).__name__} where its documentation has a table. Report it."
        raise ServiceError(msg)
    return value


def read_xml(reply: Reply, who: str) -> ET.Element:
    """Return the root of an XML answer without document type, so that no entity can be declared or fetched.

    Raises
    ------
    ServiceError
        If the media type or the content is anything else, it declares a document type, or is nested absurdly.
    """
    _expect(reply, "xml", who)
    depth = 0

    def refuse(*_: object) -> None:
        msg = f"{who} answered with an XML document type, which can hide an entity bomb. Nothing was read of it."
        raise ServiceError(msg)

    def enter(*_: object) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEPTH:
            msg = f"{who} answered with XML nested deeper than {_DEPTH}. Nothing was read of it."
            raise ServiceError(msg)

    def leave(*_: object) -> None:
        nonlocal depth
        depth -= 1

    # A first pass that builds nothing: it stops at the document type, before any entity can expand.
    scout = expat.ParserCreate()
    scout.StartDoctypeDeclHandler = scout.EntityDeclHandler = refuse
    scout.StartElementHandler, scout.EndElementHandler = enter, leave
    try:
        scout.Parse(reply.body, True)  # noqa: FBT003
        return ET.fromstring(reply.body)
    except (expat.ExpatError, ET.ParseError, ValueError, LookupError) as err:
        msg = f"{who} answered with broken XML ({err}). Nothing was kept of it; try again later."
        raise ServiceError(msg) from err


def table(value: Any) -> dict[str, Any]:
    """Return `value` where it is a table, else an empty one."""
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    """Return `value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []


def text(value: Any, limit: int = 500) -> str | None:
    """Return plain text: no markup, control or direction characters, single blanks, at most `limit` characters."""
    if not isinstance(value, str):
        return None
    # Twice: services escape markup that was escaped already.
    plain = html.unescape(html.unescape(value[: 4 * limit + 400]))
    plain = re.sub(r"</?(jats:)?(i|b|u|em|strong|italic|bold|su[bp]|scp?)>", "", plain, flags=re.IGNORECASE)
    plain = re.sub(r"</?[a-zA-Z][^<>]{0,200}>", " ", plain)
    plain = "".join(" " if c.isspace() else c for c in plain if c.isspace() or unicodedata.category(c)[0] != "C")
    plain = " ".join(unicodedata.normalize("NFC", plain).split())
    return plain[:limit].rstrip() or None


def doi(value: Any) -> str | None:
    """Return a bare DOI from a DOI or its address; None where it is none."""
    found = doi_of(value) if isinstance(value, str) else None
    return found if found and is_doi(found) and len(found) <= 200 and found.isprintable() else None


def year(value: Any) -> int | None:
    """Return a year between 1900 and 2100, from a number or the beginning of a date."""
    found = re.match(r"\d{4}(?!\d)", str(value)) if isinstance(value, int | str) else None
    return int(found.group()) if found and 1900 <= int(found.group()) <= 2100 else None


def date(value: Any) -> str | None:
    """Return ``YYYY``, ``YYYY-MM`` or ``YYYY-MM-DD`` from a date, time or list of numbers; None where it is none."""
    if isinstance(value, list):
        value = "-".join(f"{n:02d}" for n in value[:3] if isinstance(n, int))
    found = re.match(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?", value) if isinstance(value, str) else None
    return found.group() if found and year(found.group()) else None
