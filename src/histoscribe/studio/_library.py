"""Library: the catalogue as the studio shows it: papers, data sets, ladder, search, what can be run."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError
from histoscribe.studio._error import StudioError
from histoscribe.studio._kept import kept

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.catalogue.index import Hit, Index
    from histoscribe.catalogue.schema import Dataset, Paper
    from histoscribe.catalogue.site._view import View
    from histoscribe.catalogue.store import Catalogue
    from histoscribe.core.records import RunRecord
    from histoscribe.studio._records import Records

__all__ = ["Library"]


@dataclass(frozen=True)
class _Code:
    """What the registries say of papers: who follows each, what its run runs, and whom each stored run speaks for."""

    implemented: dict[str, list[str]]
    plans: dict[str, str]
    papers: dict[str, list[str]]


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
        self._code_lock = threading.Lock()
        self._of_code: tuple[str, _Code] | None = None
        self._view: tuple[str, View] | None = None
        # A connection of SQLite belongs to the thread that opened it.
        self._local = threading.local()

    @cached_property
    def catalogue(self) -> Catalogue:
        """All records of papers and data sets."""
        from histoscribe.catalogue import Catalogue

        with self._lock:
            return Catalogue.load()

    @property
    def implemented(self) -> Mapping[str, list[str]]:
        """Paper id to the names of the methods and encoders of ours that follow it."""
        return self._code().implemented

    def runs_as(self, key: str) -> str:
        """Return the method that the run of a paper runs.

        Raises
        ------
        StudioError
            Status 404 where there is no such paper, 409 where nothing of it is implemented.
        """
        self.paper(key)
        if key not in self._code().plans:
            what = "nothing of this paper is implemented here."
            raise StudioError(409, what, where=key, todo="Choose a paper that is marked as implemented.")
        return self._code().plans[key]

    def _code(self) -> _Code:
        """Return what the registries say of papers; they import everything, so it is kept."""
        state = self._records.state
        with self._code_lock:
            if self._of_code is None or self._of_code[0] != state:
                found = kept("papers", state, lambda: _of_code(self._records.runs()))
                self._of_code = state, _Code(**found)
            return self._of_code[1]

    def view(self) -> View:
        """Return the catalogue with the ladder of the stored runs as they are now."""
        from histoscribe.catalogue.ladder import ladder
        from histoscribe.catalogue.site._view import View

        state, runs, code = self._records.state, self._records.runs(), self._code()
        catalogue = self.catalogue

        def papers_of(run: RunRecord) -> list[str]:
            return code.papers.get(_named(run), [])

        with self._lock:
            if self._view is None or self._view[0] != state:
                places = ladder(catalogue.papers, runs, papers_of=papers_of)
                self._view = (state, View(catalogue, places, set(code.implemented)))
            return self._view[1]

    def search(self, query: str, kind: str) -> list[Hit]:
        """Return every record of a kind that meets a query, best first."""
        from histoscribe.catalogue.query import Filters

        return self._index().search(query, Filters(kind=kind), limit=100_000)

    def _index(self) -> Index:
        from histoscribe.catalogue.index import open_index

        state = self._records.state
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


def _of_code(runs: Sequence[RunRecord]) -> dict[str, Any]:
    from histoscribe.methods.papers import cards_of, implemented, plan

    ways = implemented()
    return {
        "implemented": {key: sorted({_shown(way) for way in found}) for key, found in ways.items()},
        "plans": {key: plan(key).method for key in implemented(fetched=True)},
        "papers": {_named(run): list(cards_of(run)) for run in runs},
    }


def _named(run: RunRecord) -> str:
    return f"{run.benchmark}/{run.method}/{run.id}"


def _shown(way: Any) -> str:
    """Name what is of the paper: the method, or the encoder of a way that only lends ridge to it."""
    from histoscribe.methods.papers import _ENCODER, _METHOD

    return way.encoder if way.method == _METHOD and way.encoder != _ENCODER else way.method
