"""Atom feed of papers, newest first."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from histoscribe.catalogue.formats.tables import link_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = ["atom_text"]

_NS = "http://www.w3.org/2005/Atom"


def _date(paper: Paper) -> str:
    """Date of an entry: last verification, else the first day of its year; nothing depends on the clock."""
    text = paper.last_verified or f"{paper.year or 1970}"
    return f"{(text + '-01-01')[:10]}T00:00:00Z"


def atom_text(catalogue: Catalogue, papers: Sequence[Paper]) -> str:
    """Write papers as an Atom 1.0 feed; the text depends on the records alone."""
    ET.register_namespace("", _NS)
    feed = ET.Element(f"{{{_NS}}}feed")
    ordered = sorted(papers, key=lambda p: (_date(p), p.year or 0, p.id), reverse=True)
    _add(feed, "title", "HistoScribe catalogue")
    _add(feed, "id", "tag:histoscribe.readthedocs.io,2026:papers")
    _add(feed, "updated", max((_date(p) for p in papers), default="1970-01-01T00:00:00Z"))
    author = ET.SubElement(feed, f"{{{_NS}}}author")
    _add(author, "name", "The HistoScribe developers")
    for paper in ordered:
        entry = ET.SubElement(feed, f"{{{_NS}}}entry")
        _add(entry, "title", paper.title)
        _add(entry, "id", f"tag:histoscribe.readthedocs.io,2026:papers/{paper.id}")
        _add(entry, "updated", _date(paper))
        for name in paper.authors:
            _add(ET.SubElement(entry, f"{{{_NS}}}author"), "name", name)
        if link := link_of(paper):
            ET.SubElement(entry, f"{{{_NS}}}link", href=link)
        for task in paper.tasks:
            ET.SubElement(entry, f"{{{_NS}}}category", term=task, label=catalogue.vocabulary.label("task", task))
        _add(entry, "summary", " ".join(filter(None, (paper.venue.name if paper.venue else "", paper.note))))
    ET.indent(feed)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(feed, encoding="unicode") + "\n"


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, f"{{{_NS}}}{name}").text = text
