"""Start the record of a new paper: fill in what identifiers and files tell, say what is missing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.identifiers import arxiv_of, arxiv_year, doi_of, normalise_title, slug
from histoscribe.catalogue.naming import free_id, venue_named, venues_of_doi
from histoscribe.catalogue.schema import Paper
from histoscribe.catalogue.yamlfile import load_yaml, write_yaml
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.catalogue.formats import Entry
    from histoscribe.catalogue.store import Catalogue

__all__ = ["Draft", "draft_entry", "draft_identifier", "known_paper", "save_draft"]

#: What a person or the network half still has to fill in, besides what the schema requires.
_WISHED = ("authors", "code", "modality", "datasets", "approach", "method")


@dataclass(frozen=True)
class Draft:
    """A record that is not complete yet.

    Attributes
    ----------
    values
        Fields as they will stand in the file; required ones that are not known are null.
    missing
        Required fields that are null.
    wished
        Other fields that make the record useful and are empty.
    """

    values: dict[str, Any]
    missing: list[str] = field(default_factory=list)
    wished: list[str] = field(default_factory=list)


def known_paper(
    catalogue: Catalogue, *, doi: str | None = None, arxiv: str | None = None, title: str | None = None
) -> str | None:
    """Return the id of the record that carries one of the identifiers or the title, finished or not."""
    wanted = normalise_title(title) if title else None
    for key, dois, numbers, known in _identities(catalogue):
        if (doi and doi.lower() in dois) or (arxiv and arxiv in numbers) or (wanted and wanted == known):
            return key
    return None


def _identities(catalogue: Catalogue) -> Iterator[tuple[str, set[str], set[str], str]]:
    """Yield id, DOIs, arXiv ids and normalised title of every record, drafts that do not validate yet included."""
    for paper in catalogue.papers.values():
        dois = {d.lower() for d in (paper.doi, *(v.doi for v in paper.versions)) if d}
        numbers = {a for a in (paper.arxiv, *(v.arxiv for v in paper.versions)) if a}
        yield paper.id, dois, numbers, normalise_title(paper.title)
    for path in sorted({problem.path for problem in catalogue.problems}):
        try:
            value = load_yaml(path)
        except DataError:
            continue  # not YAML at all: `papers check` names it, and it can hide no identifier that we could read
        if isinstance(value, dict):
            doi, arxiv, title = (str(value.get(name) or "") for name in ("doi", "arxiv", "title"))
            yield path.stem, {doi.lower()} - {""}, {arxiv} - {""}, normalise_title(title) or path.name


def draft_identifier(catalogue: Catalogue, text: str) -> Draft:
    """Start a record from a DOI or arXiv id, in any usual spelling; no network is used.

    Raises
    ------
    DataError
        If `text` is neither, or the paper is already there.
    """
    arxiv = arxiv_of(text)
    doi = None if arxiv else doi_of(text)
    if not (arxiv or doi):
        msg = f"{text!r} is neither a DOI (10.…/…) nor an arXiv id (YYMM.NNNNN). Copy it from the paper's page."
        raise DataError(msg)
    key = f"arxiv:{arxiv}" if arxiv else f"doi:{(doi or '').lower()}"
    known = catalogue.authority.get(key, {})
    return _draft(
        catalogue,
        title=known.get("title"),
        year=known.get("year") or (arxiv_year(arxiv) if arxiv else None),
        venue=known.get("venue") or (_venue_of(catalogue, doi) if doi else "arXiv"),
        doi=doi,
        arxiv=arxiv,
        url=f"https://arxiv.org/abs/{arxiv}" if arxiv else f"https://doi.org/{doi}",
        source="identifier",
    )


def draft_entry(catalogue: Catalogue, entry: Entry, *, source: str) -> Draft:
    """Start a record from an imported entry; `source` is an address or key that its facts come from."""
    venue = venue_named(catalogue, [entry.venue]) or (_venue_of(catalogue, entry.doi) if entry.doi else None)
    return _draft(
        catalogue,
        title=entry.title or None,
        year=entry.year,
        venue=venue or ("arXiv" if entry.arxiv and not entry.doi else None),
        doi=entry.doi,
        arxiv=entry.arxiv,
        url=entry.url,
        source=source,
        authors=list(entry.authors),
        volume=entry.volume,
        pages=entry.pages,
    )


def _draft(catalogue: Catalogue, *, title: str | None, source: str, **facts: Any) -> Draft:
    doi, arxiv, year, venue = facts.get("doi"), facts.get("arxiv"), facts.get("year"), facts.get("venue")
    there = known_paper(catalogue, doi=doi, arxiv=arxiv, title=title)
    if there is not None:
        msg = f"the catalogue has this paper already, as {there!r}. Look at it with `histoscribe papers show`."
        raise DataError(msg)
    kind = catalogue.venues.get(venue or "", {}).get("kind")
    values: dict[str, Any] = {
        "id": _new_id(catalogue, title or arxiv or doi or "paper", year),
        "title": title,
        "year": year,
        "venue": {"name": venue} if venue else None,
        "status": "preprint" if kind == "preprint" else "published" if kind else "unknown",
        "role": None,
        "tasks": _tasks(catalogue, title) if title else None,
        "doi": doi,
        "arxiv": arxiv,
        **{name: facts.get(name) for name in ("url", "authors", "volume", "pages")},
    }
    if arxiv:
        values["versions"] = [{"kind": "preprint", "arxiv": arxiv, "doi": f"10.48550/arXiv.{arxiv}"}]
    required = [name for name, info in Paper.model_fields.items() if info.is_required()]
    values = {name: value for name, value in values.items() if value not in (None, []) or name in required}
    values["provenance"] = {"record": [source]}
    missing = [name for name in required if values.get(name) is None]
    return Draft(values, missing, [name for name in _WISHED if name not in values])


def _tasks(catalogue: Catalogue, title: str) -> list[str] | None:
    terms, _ = catalogue.vocabulary.parse(title)
    return list(dict.fromkeys(t.key for group in terms for t in group if t.facet == "task")) or None


def _new_id(catalogue: Catalogue, name: str, year: int | None) -> str:
    # "HEST-1k: A data set ..." is known by what stands before the colon.
    head = name.partition(":")[0] if ":" in name[:40] else name
    base = slug(head)[:50].strip("-") or "paper"
    base = base if year is None or base.endswith(str(year)) else f"{base}-{year}"
    return free_id(catalogue, base)


def _venue_of(catalogue: Catalogue, doi: str) -> str | None:
    names = venues_of_doi(catalogue, doi)
    # A server that two preprint archives share is named as such in the table.
    return next((name for name in names if " or " in name), names[0] if names else None)


def save_draft(catalogue: Catalogue, draft: Draft) -> Path:
    """Write a draft to its file; `papers check` then says line by line what is missing.

    Raises
    ------
    DataError
        If the file is there already.
    """
    path = catalogue.folder / "papers" / f"{draft.values['id']}.yaml"
    if path.exists():
        msg = f"{path} is there already. Take it away or mend it."
        raise DataError(msg)
    write_yaml(path, draft.values)
    return path
