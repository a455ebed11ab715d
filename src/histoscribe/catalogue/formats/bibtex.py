"""BibTeX, through pybtex; capitals are kept, special signs are escaped, any LaTeX accent is read."""

from __future__ import annotations

import codecs
import io
import re
from typing import TYPE_CHECKING

from histoscribe.catalogue.formats.entry import Entry, Kind
from histoscribe.catalogue.identifiers import arxiv_of, doi_of
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pybtex.database import Entry as BibEntry
    from pybtex.database import Person

__all__ = ["read", "write"]

_TYPES: dict[Kind, str] = {
    "article": "article",
    "conference": "inproceedings",
    "preprint": "misc",
    "other": "misc",
}
_VENUE_FIELD = {"article": "journal", "inproceedings": "booktitle", "misc": "howpublished"}

#: Signs that mean something to LaTeX; the words for braces keep every field balanced.
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\textbraceleft{}",
    "}": r"\textbraceright{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
}
_UNESCAPE = re.compile("|".join(re.escape(tex) for tex in sorted(_ESCAPES.values(), key=len, reverse=True)))
_PLAIN = {tex: sign for sign, tex in _ESCAPES.items()}


def _escape(text: str) -> str:
    return "".join(_ESCAPES.get(sign, sign) for sign in text)


def _unescape(text: str) -> str:
    """Turn LaTeX text into plain text."""
    # Signs that were escaped are set aside first, so that a brace in a title survives the removal of grouping braces.
    aside: list[str] = []

    def keep(found: re.Match[str]) -> str:
        aside.append(_PLAIN[found.group()])
        return chr(0xE000 + len(aside) - 1)

    text = _UNESCAPE.sub(keep, text)
    if "\\" in text:
        text = codecs.decode(text, "ulatex+utf-8")
    text = text.replace("{", "").replace("}", "").replace("~", " ")
    text = "".join(aside[ord(c) - 0xE000] if 0xE000 <= ord(c) < 0xE000 + len(aside) else c for c in text)
    return " ".join(text.split())


def write(entries: Iterable[Entry]) -> str:
    """Write entries as BibTeX, UTF-8."""
    import latexcodec  # noqa: F401 (registers the codec that reading needs)
    from pybtex.database import BibliographyData
    from pybtex.database.output.bibtex import Writer

    class _Writer(Writer):
        def _encode(self, text: str) -> str:  # escaped above, where grouping braces are still told apart
            return text

        def quote(self, s: str) -> str:
            return f"{{{s}}}"

    data = BibliographyData({entry.key: _bib(entry) for entry in entries})
    stream = io.StringIO()
    _Writer(encoding="UTF-8").write_stream(data, stream)
    return stream.getvalue()


def _bib(entry: Entry) -> BibEntry:
    from pybtex.database import Entry as BibEntry

    kind = _TYPES[entry.kind]
    fields = {
        # The second pair of braces keeps capitals such as "HEST" in every style.
        "title": f"{{{_escape(entry.title)}}}",
        "year": str(entry.year) if entry.year is not None else None,
        _VENUE_FIELD[kind]: _escape(entry.venue) if entry.venue else None,
        "volume": _escape(entry.volume) if entry.volume else None,
        "pages": _escape(entry.pages).replace("-", "--") if entry.pages else None,
        "doi": entry.doi,
        "eprint": entry.arxiv,
        "archiveprefix": "arXiv" if entry.arxiv else None,
        "url": _url(entry.url),
        "note": "Preprint" if entry.kind == "preprint" else None,
    }
    persons = {"author": [_person(name) for name in entry.authors]} if entry.authors else {}
    return BibEntry(kind, fields=[(k, v) for k, v in fields.items() if v], persons=persons)


def _url(url: str | None) -> str | None:
    # In an address a brace or backslash has a spelling of its own; LaTeX's would break the link.
    return url.replace("\\", "%5C").replace("{", "%7B").replace("}", "%7D") if url else None


def _person(name: str) -> Person:
    from pybtex.database import Person

    if name == "others":
        return Person("others")
    family, comma, given = name.partition(", ")
    # A group's name, or one with "and" in it, stays in one piece.
    if not comma or re.search(r"\band\b", name) or "," in given:
        return Person(last=f"{{{_escape(name)}}}")
    return Person(last=_piece(family), first=_piece(given))


def _piece(name: str) -> str:
    text = _escape(name)
    # A lowercase word would be taken for a particle ("van") and moved.
    return f"{{{text}}}" if any(word[:1].islower() for word in name.split()) else text


def read(text: str) -> list[Entry]:
    """Read BibTeX.

    Raises
    ------
    DataError
        If it is not BibTeX; the line is named.
    """
    import latexcodec  # noqa: F401
    from pybtex.database import parse_string
    from pybtex.scanner import PybtexSyntaxError
    from pybtex.utils import OrderedCaseInsensitiveDict

    try:
        data = parse_string(text, "bibtex", macros=OrderedCaseInsensitiveDict(), min_crossrefs=2)
    except PybtexSyntaxError as err:
        msg = f"line {err.lineno} is not BibTeX ({err}). Mend it, or export the file again."
        raise DataError(msg) from err
    except Exception as err:
        from pybtex.exceptions import PybtexError

        if not isinstance(err, PybtexError):
            raise
        msg = f"the file is not BibTeX ({err}). Mend it, or export it again."
        raise DataError(msg) from err
    return [_entry(key, bib) for key, bib in data.entries.items()]


def _entry(key: str, bib: BibEntry) -> Entry:
    fields = {name.lower(): value for name, value in bib.fields.items()}
    plain = {name: _unescape(value) for name, value in fields.items()}
    url = fields.get("url", "").strip() or None
    doi = doi_of(plain.get("doi", "")) or None
    arxiv = arxiv_of(plain.get("eprint", "")) or arxiv_of(plain.get("journal", ""))
    kind = _kind(bib.type.lower(), plain, arxiv)
    venue = plain.get("journal") or plain.get("booktitle") or plain.get("howpublished")
    pages = plain.get("pages", "").replace("--", "-").replace("\u2013", "-") or None
    year = re.search(r"\d{4}", plain.get("year", "") or plain.get("date", ""))
    return Entry(
        key=key,
        kind=kind,
        title=plain.get("title", ""),
        authors=tuple(_name(person) for person in bib.persons.get("author", [])),
        year=int(year.group()) if year else None,
        venue=venue or None,
        volume=plain.get("volume") or None,
        pages=pages,
        doi=doi,
        arxiv=arxiv,
        url=url,
    )


def _kind(kind: str, plain: dict[str, str], arxiv: str | None) -> Kind:
    if kind == "article" and "arxiv" not in plain.get("journal", "").lower():
        return "article"
    if kind in {"inproceedings", "conference", "incollection", "proceedings"}:
        return "conference"
    preprint = plain.get("note", "") == "Preprint" or (arxiv and kind in {"article", "unpublished", "online"})
    return "preprint" if preprint else "other"


def _name(person: Person) -> str:
    family = " ".join(_unescape(p) for p in [*person.prelast_names, *person.last_names])
    family = ", ".join([family, *(_unescape(p) for p in person.lineage_names)])
    given = " ".join(_unescape(p) for p in [*person.first_names, *person.middle_names])
    return f"{family}, {given}" if given else family
