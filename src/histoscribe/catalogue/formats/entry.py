"""Entry: the bibliographic facts that every format can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.catalogue.schema import Paper

__all__ = ["Entry", "Kind"]

Kind = Literal["article", "conference", "preprint", "other"]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One cited work.

    Attributes
    ----------
    key
        Citation key; our record id.
    kind
        What it appeared as.
    authors
        ``Family, Given`` each, or one name without comma for a group; ``others`` last where the list was cut.
    venue
        Journal, proceedings or preprint server.
    """

    key: str
    kind: Kind
    title: str
    authors: tuple[str, ...] = ()
    year: int | None = None
    venue: str | None = None
    volume: str | None = None
    pages: str | None = None
    doi: str | None = None
    arxiv: str | None = None
    url: str | None = None

    @classmethod
    def of(cls, paper: Paper, venues: Mapping[str, Mapping[str, Any]]) -> Entry:
        """Take the facts of a record; a preprint's own DOI is cited only where the preprint is what is cited."""
        name = paper.venue.name if paper.venue else None
        form = venues.get(name or "", {}).get("kind")
        kinds: dict[str | None, Kind] = {
            "journal": "article",
            "conference": "conference",
            "workshop": "conference",
            "preprint": "preprint",
        }
        return cls(
            key=paper.id,
            kind=kinds.get(form, "preprint" if paper.status == "preprint" else "other"),
            title=paper.title,
            authors=tuple(paper.authors),
            year=paper.year,
            venue=name,
            volume=paper.volume,
            pages=paper.pages,
            doi=paper.doi,
            arxiv=paper.arxiv,
            url=paper.url,
        )
