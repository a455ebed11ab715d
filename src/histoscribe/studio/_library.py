"""Library: the catalogue as the studio shows it: papers, data sets, ladder, search, what can be run."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError
from histoscribe.core.files import digest
from histoscribe.studio._error import StudioError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.catalogue.index import Hit, Index
    from histoscribe.catalogue.schema import Dataset, Paper
    from histoscribe.catalogue.site._view import View
    from histoscribe.catalogue.store import Catalogue
    from histoscribe.studio._records import Records

__all__ = ["Library"]


class Library:
    """The catalogue and the stored runs behind its ladder; read when first asked for.

    Parameters
    ----------
    records
        Stored runs.
    """

    def __init__(self, records: Records) -> None:
        self._records = records
        self._lock = threading.Lock()
        self._view: tuple[str, View] | None = None
        # A connection of SQLite belongs to the thread that opened it.
        self._local = threading.local()

    @cached_property
    def catalogue(self) -> Catalogue:
        """All records of papers and data sets."""
        from histoscribe.catalogue import Catalogue

        with self._lock:
            return Catalogue.load()

    @cached_property
    def implemented(self) -> Mapping[str, list[str]]:
        """Paper id to the names of the methods and encoders of ours that follow it."""
        from histoscribe.methods.papers import implemented

        return {key: sorted({_shown(way) for way in ways}) for key, ways in implemented().items()}

    def view(self) -> View:
        """Return the catalogue with the ladder of the stored runs as they are now."""
        from histoscribe.catalogue.ladder import ladder
        from histoscribe.catalogue.site._view import View
        from histoscribe.methods.papers import cards_of

        runs = self._records.runs()
        state = _state(runs)
        catalogue = self.catalogue
        with self._lock:
            if self._view is None or self._view[0] != state:
                places = ladder(catalogue.papers, runs, papers_of=cards_of)
                self._view = (state, View(catalogue, places, set(self.implemented)))
            return self._view[1]

    def search(self, query: str, kind: str) -> list[Hit]:
        """Return every record of a kind that meets a query, best first."""
        from histoscribe.catalogue.query import Filters

        return self._index().search(query, Filters(kind=kind), limit=100_000)

    def _index(self) -> Index:
        from histoscribe.catalogue.index import open_index

        state = _state(self._records.runs())
        if getattr(self._local, "state", None) != state:
            self._local.index = open_index(None, ladder=lambda _: self.view().ladder, runs_key=f"studio-{state}")
            self._local.state = state
        return self._local.index

    def paper(self, key: str) -> Paper:
        """Return a paper, or raise status 404."""
        return self._find(self.catalogue.paper, key)

    def dataset(self, key: str) -> Dataset:
        """Return a data set, or raise status 404."""
        return self._find(self.catalogue.dataset, key)

    def _find(self, look: Any, key: str) -> Any:
        try:
            return look(key)
        except DataError as err:
            todo = "Search for it at /papers or /datasets."
            raise StudioError(
                404, f"the catalogue has nothing called {key[:80]!r}.", where=key[:80], todo=todo
            ) from err


def _state(runs: Any) -> str:
    return digest(*sorted(f"{r.benchmark}/{r.method}/{r.id}/{r.created}" for r in runs))


def _shown(way: Any) -> str:
    """Name what is of the paper: the method, or the encoder of a way that only lends ridge to it."""
    from histoscribe.methods.papers import _ENCODER, _METHOD

    return way.encoder if way.method == _METHOD and way.encoder != _ENCODER else way.method
