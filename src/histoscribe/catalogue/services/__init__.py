"""Keep the catalogue alive: ask services for new papers, versions and retractions, and whether links live.

Nothing here is needed to build, test or read the catalogue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from histoscribe.catalogue.services.arxiv import Arxiv
from histoscribe.catalogue.services.crossref import Crossref
from histoscribe.catalogue.services.europepmc import EuropePMC
from histoscribe.catalogue.services.openalex import OpenAlex
from histoscribe.catalogue.services.web import ServiceError, Web
from histoscribe.catalogue.services.work import Work
from histoscribe.core.errors import DataError
from histoscribe.core.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from histoscribe.catalogue.services.work import Page

__all__ = ["SERVICES", "Service", "ServiceError", "Web", "Work", "make_services"]


class Service(Protocol):
    """What each service can do."""

    key: str
    label: str
    base: str

    def search(self, web: Web, *, since: str, limit: int) -> Iterator[Page]:
        """Yield pages of works that are new since a day."""
        ...

    def lookup(self, web: Web, *, dois: Sequence[str] = (), arxivs: Sequence[str] = ()) -> list[Work]:
        """Return the works that it knows under these identifiers."""
        ...


#: Key to service; the order is that of trust where they disagree: who registers an identifier comes first.
SERVICES: Mapping[str, type[Service]] = {s.key: s for s in (Crossref, Arxiv, EuropePMC, OpenAlex)}


def make_services(names: Sequence[str] = (), *, bases: Mapping[str, str] | None = None) -> list[Service]:
    """Return services by key; default all.

    Parameters
    ----------
    names
        Keys of `SERVICES`.
    bases
        Key to another base address, e.g. of a mirror.

    Raises
    ------
    DataError
        If a name is unknown.
    """
    bases = bases or {}
    for name in (*names, *bases):
        if name not in SERVICES:
            msg = f"{name!r} is no service. {did_you_mean(name, list(SERVICES))}"
            raise DataError(msg)
    chosen = [s for key, s in SERVICES.items() if not names or key in names]
    return [s(bases[s.key]) if s.key in bases else s() for s in chosen]  # type: ignore[call-arg]
