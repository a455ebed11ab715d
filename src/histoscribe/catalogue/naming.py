"""Find a venue by its names or a DOI, and a free id for a new record."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from histoscribe.catalogue.store import Catalogue

__all__ = ["free_id", "venue_named", "venues_of_doi"]


def venue_named(catalogue: Catalogue, names: Iterable[str | None]) -> str | None:
    """Return the venue that bears one of `names` as its name or alias, as ``venues.yaml`` spells it."""
    given = {name.casefold() for name in names if name}
    for canonical, entry in catalogue.venues.items():
        if given & {n.casefold() for n in (canonical, *entry.get("aliases", []))}:
            return canonical
    return None


def venues_of_doi(catalogue: Catalogue, doi: str) -> list[str]:
    """Return the venues whose DOI prefix fits `doi` best: none, one, or several that share a prefix."""
    doi = doi.lower()
    fits = {
        name: max((len(d) for d in venue.get("doi", []) if doi.startswith(d)), default=0)
        for name, venue in catalogue.venues.items()
    }
    return [name for name, length in fits.items() if length and length == max(fits.values())]


def free_id(catalogue: Catalogue, base: str) -> str:
    """Return `base`, numbered from 2 where it is taken, by a record or by an unfinished draft on disk."""
    key, number = base, 1
    while key in catalogue.papers or (catalogue.folder / "papers" / f"{key}.yaml").exists():
        number += 1
        key = f"{base}-{number}"
    return key
