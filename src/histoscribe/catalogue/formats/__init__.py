"""Bibliographic formats: write the catalogue for other tools, read what they write."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.catalogue.formats import atom, bibtex, csl, ris, tables
from histoscribe.catalogue.formats.entry import Entry
from histoscribe.core.errors import DataError
from histoscribe.core.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = ["READERS", "WRITERS", "Entry", "export", "read_entries"]

#: Format to the function that writes entries, and the one that reads them back.
_ENTRY_WRITERS: dict[str, Callable[[Iterable[Entry]], str]] = {
    "bibtex": bibtex.write,
    "ris": ris.write,
    "csl-json": csl.write,
}
READERS: dict[str, Callable[[str], list[Entry]]] = {"bibtex": bibtex.read, "ris": ris.read, "csl-json": csl.read}

_TABLE_WRITERS = {"csv": tables.csv_text, "markdown": tables.markdown_text, "atom": atom.atom_text}

#: Names of all formats that `export` writes.
WRITERS = (*_ENTRY_WRITERS, *_TABLE_WRITERS)

_SUFFIXES = {".bib": "bibtex", ".ris": "ris", ".json": "csl-json"}


def export(catalogue: Catalogue, papers: Iterable[Paper], form: str) -> str:
    """Write papers as ``bibtex``, ``ris``, ``csl-json``, ``csv``, ``markdown`` or ``atom``."""
    if form in _ENTRY_WRITERS:
        return _ENTRY_WRITERS[form](Entry.of(paper, catalogue.venues) for paper in papers)
    if form in _TABLE_WRITERS:
        return _TABLE_WRITERS[form](catalogue, list(papers))
    msg = f"{form!r} is no export format. {did_you_mean(form, list(WRITERS))}"
    raise DataError(msg)


def read_entries(path: Path, form: str | None = None) -> list[Entry]:
    """Read a BibTeX, RIS or CSL-JSON file; the format follows from the suffix unless given.

    Raises
    ------
    DataError
        If the format is unknown, or the file is not of it.
    """
    form = form or _SUFFIXES.get(path.suffix.lower())
    if form not in READERS:
        msg = f"{path.name} is of no known format. Give --format {', '.join(READERS)}."
        raise DataError(msg)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as err:
        msg = f"{path} does not exist. Check the path."
        raise DataError(msg) from err
    except UnicodeDecodeError as err:
        msg = f"{path} is not UTF-8 text ({err.reason} at byte {err.start}). Save it as UTF-8."
        raise DataError(msg) from err
    try:
        return READERS[form](text)
    except DataError as err:
        err.add_note(f"while reading {path}")
        raise
