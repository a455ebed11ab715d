"""Make a record from what services say: where each field was read, and what they disagree on."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.catalogue.identifiers import ARXIV_DOI, arxiv_of, doi_of, normalise_title, slug
from histoscribe.catalogue.naming import free_id, venue_named, venues_of_doi
from histoscribe.catalogue.schema import Claim, Conflict, Method, Modality, Paper, Venue, Version
from histoscribe.catalogue.services import SERVICES, ServiceError
from histoscribe.catalogue.services.relevance import terms_of, weigh
from histoscribe.catalogue.services.work import paper_keys
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from histoscribe.catalogue.services import Service, Web, Work
    from histoscribe.catalogue.store import Catalogue
    from histoscribe.catalogue.vocabulary import Vocabulary

__all__ = ["canonical_venue", "known_as", "look_up", "new_id", "paper_from", "versions_of"]

_OPEN = "The services disagree; the first in order of trust is written until a person decides."


def look_up(
    identifier: str, services: Sequence[Service], web: Web, *, say: Callable[[str], None] = lambda _: None
) -> list[Work]:
    """Ask every service for one work.

    Parameters
    ----------
    identifier
        DOI, arXiv id, or an address that holds one.
    services, web
        Whom to ask, and with which client.
    say
        Receives one line for each service that fails; the others suffice.

    Raises
    ------
    DataError
        If `identifier` is neither, or no service knows it.
    ServiceError
        If none that answers knows it, and others failed.
    """
    arxiv, doi = arxiv_of(identifier), doi_of(identifier)
    if arxiv is None and doi is None:
        msg = f"{identifier!r} holds neither a DOI nor an arXiv id. Give e.g. 10.1038/s41592-024-0 or 2412.04072."
        raise DataError(msg)
    dois = [doi] if doi else [f"{ARXIV_DOI}{arxiv}"]
    works: list[Work] = []
    failed = []
    for service in services:
        try:
            works += service.lookup(web, dois=dois, arxivs=[arxiv] if arxiv else [])
        except ServiceError as err:
            failed.append(str(err))
            say(str(err))
    wanted = {f"doi:{d.lower()}" for d in dois} | ({f"arxiv:{arxiv}"} if arxiv else set())
    # A service that answers with another work than the one asked for must not fill the record.
    works = [w for w in works if w.own & wanted]
    if not works and failed:
        msg = f"{identifier} was not found, and {len(failed)} of {len(services)} services failed, first: {failed[0]}"
        raise ServiceError(msg)
    if not works:
        msg = f"no service knows {identifier}. Check it, or write the record by hand."
        raise DataError(msg)
    return works


def known_as(works: Sequence[Work], catalogue: Catalogue) -> str | None:
    """Return the id of the catalogued paper that these works are, or None."""
    keys = {key for work in works for key in work.keys}
    return next((p.id for p in catalogue.papers.values() if paper_keys(p) & keys), None)


def paper_from(
    works: Sequence[Work],
    catalogue: Catalogue,
    *,
    today: str,
    tasks: Sequence[str] = (),
    role: Literal["core", "related", "background"] | None = None,
) -> Paper:
    """Write one record from all tellings of a work.

    Parameters
    ----------
    works
        What services say; at least one.
    catalogue
        For venue names, the vocabulary and free ids.
    today
        Date of the look-up, ``YYYY-MM-DD``.
    tasks, role
        A person's choice; default what the title suggests.

    Returns
    -------
    A record whose `provenance` names the address in which each field was read.
    """
    order = list(SERVICES)
    ranked = sorted(works, key=lambda w: order.index(w.source) if w.source in order else len(order))
    cited = _cited(ranked)
    articles = [w for w in cited if w.kind == "article"]
    vocabulary = catalogue.vocabulary
    asked = weigh(cited[0], vocabulary)
    fields, provenance, conflicts = _facts(cited, catalogue)
    arxiv = next((w for w in ranked if w.arxiv), None)
    if arxiv:
        fields["arxiv"], provenance["arxiv"] = arxiv.arxiv, [arxiv.address]
    doi = fields.get("doi")
    url = f"https://doi.org/{doi}" if doi else cited[0].address
    if not articles and arxiv:
        url = f"https://arxiv.org/abs/{arxiv.arxiv}"
    status = {"article": "published", "preprint": "preprint", "other": "unknown"}[cited[0].kind]
    if notices := [w.address for w in cited if w.taken_back]:
        status, provenance["status"] = "retracted", notices
    method = _method(fields["title"])
    return Paper(
        **fields,
        id=new_id(fields["title"], fields.get("year"), catalogue, method=method),
        url=url,
        status=status,
        role=role or asked.role,
        tasks=[vocabulary.resolve("task", t) for t in tasks] or list(asked.tasks),
        approach=terms_of(fields["title"], "approach", vocabulary),
        method=Method(name=method) if method else None,
        modality=_modality(fields["title"], vocabulary),
        versions=versions_of(ranked),
        provenance=provenance | {"tasks": ["here" if tasks else "title"], "url": ["identifier"]},
        verified={"doi": [cited[0].address]} if doi else {},
        conflicts=conflicts,
        last_verified=today,
    )


def _cited(ranked: Sequence[Work]) -> list[Work]:
    """Return the tellings of the version to cite, an article before a preprint; versions are never mixed."""
    first = next(w for kind in ("article", "preprint", "other") for w in ranked if w.kind == kind)
    same = [w for w in ranked if w.kind == first.kind]
    return [w for w in same if not (w.doi and first.doi) or w.doi.lower() == first.doi.lower()]


def _facts(cited: Sequence[Work], catalogue: Catalogue) -> tuple[dict[str, Any], dict[str, Any], list[Conflict]]:
    """Choose each field from the first service that has it; keep what the others say otherwise."""
    readers: dict[str, Callable[[Work], Any]] = {
        "title": lambda w: w.title,
        "authors": lambda w: list(w.authors),
        "year": lambda w: w.year,
        "venue": lambda w: canonical_venue(w, catalogue),
        "doi": lambda w: w.doi,
        "volume": lambda w: w.volume,
        "pages": lambda w: w.pages,
    }
    fields: dict[str, Any] = {"year": None, "venue": None}
    provenance: dict[str, Any] = {}
    conflicts = []
    for field, read in readers.items():
        told = [(w, value) for w in cited if (value := read(w))]
        if not told:
            continue
        fields[field] = told[0][1]
        provenance[field] = [w.address for w, value in told if _same(field, value, told[0][1])]
        if field in {"title", "year", "venue"} and len(provenance[field]) < len(told):
            claims = [Claim(source=w.address, value=value) for w, value in told]
            conflicts.append(Conflict(field=field, claims=claims, reason=_OPEN))
    if fields["venue"]:
        fields["venue"] = Venue(name=fields["venue"])
    return fields, provenance, conflicts


def _same(field: str, one: Any, other: Any) -> bool:
    if field == "title":
        one, other = sorted((normalise_title(one), normalise_title(other)), key=len)
        return other.startswith(one)
    return one.lower() == other.lower() if isinstance(one, str) else one == other


def canonical_venue(work: Work, catalogue: Catalogue) -> str | None:
    """Return the venue as ``venues.yaml`` spells it: by name or alias, else by DOI; else as the service spells it."""
    # "2024 IEEE/CVF Conference on ... (CVPR)", "bioRxiv (Cold Spring Harbor Laboratory)"
    parts = re.fullmatch(r"(.*?)\s*\(([^()]*)\)", work.venue or "")
    if named := venue_named(catalogue, (work.venue, *(parts.groups() if parts else ()))):
        return named
    owners = venues_of_doi(catalogue, work.doi or "")
    # bioRxiv and medRxiv share their prefixes; their entry for both says that the server was not told.
    both = [n for n in owners if " or " in n]
    if work.kind == "article" and all(catalogue.venues[n]["kind"] == "preprint" for n in owners):
        return work.venue
    return owners[0] if len(owners) == 1 else both[0] if both else work.venue


def new_id(title: str, year: int | None, catalogue: Catalogue, *, method: str | None = None) -> str:
    """Return a free id: name of the method or beginning of the title, and the year."""
    stem = slug(method or title)[:48].strip("-") or "paper"
    return free_id(catalogue, f"{stem}-{year}" if year else stem)


def _method(title: str) -> str | None:
    """Take ``BLEEP`` from ``BLEEP: a title``; a word that is merely capitalised is no name."""
    found = re.match(r"([A-Za-z0-9][\w+-]{1,24})\s?[:\u2013\u2014]\s", title)
    name = found.group(1) if found else ""
    return name if re.search(r"[A-Z].*[A-Z]|[a-z].*[A-Z]|\d", name) and not name.isdigit() else None


def _modality(title: str, vocabulary: Vocabulary) -> Modality:
    facets = {"platforms": "platform", "organs": "organ", "species": "species"}
    return Modality(**{field: terms_of(title, facet, vocabulary) for field, facet in facets.items()})


def versions_of(works: Sequence[Work]) -> list[Version]:
    """Return one version for each identifier that the works name, preprints first."""
    found: dict[str, Version] = {}
    for w in works:
        if w.kind == "other" or not (w.doi or w.arxiv):
            continue
        key = (w.doi or f"{ARXIV_DOI}{w.arxiv}").lower()
        old = found.get(key)
        if old is None or (old.arxiv is None and w.arxiv):
            found[key] = Version(kind=w.kind, doi=w.doi, arxiv=w.arxiv, date=w.date or (old.date if old else None))
    for w in works:
        for kind, keys in (("preprint", w.preprints), ("article", w.articles)):
            for key in keys:
                bare = key.removeprefix("doi:")
                if key.startswith("doi:") and bare not in found:
                    found[bare] = Version(kind=kind, doi=bare)  # type: ignore[arg-type]
    return sorted(found.values(), key=lambda v: v.kind != "preprint")
