"""Studio: what one server holds: items, threads, limits, records; and nothing of HTTP."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.core.errors import HistoScribeError
from histoscribe.core.files import cache_dir, digest
from histoscribe.studio._bundles import Bundles
from histoscribe.studio._error import ErrorParts, StudioError, without_paths
from histoscribe.studio._library import Library
from histoscribe.studio._limits import Limits
from histoscribe.studio._pool import Pool
from histoscribe.studio._records import Records
from histoscribe.studio._roots import roots_of
from histoscribe.studio._start import Starts
from histoscribe.studio.items._demo import DemoMaker, demo_folder
from histoscribe.studio.items._find import Given, find
from histoscribe.studio.items._item import Items
from histoscribe.studio.jobs._jobs import Jobs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.studio.items._item import Item
    from histoscribe.studio.items._stacks import Layer

__all__ = ["Studio"]

#: Seconds after which boards and catalogue are read without being asked for.
_WARM_AFTER = 3.0


@dataclass(eq=False)
class Studio(Starts):
    """Everything behind one server.

    Attributes
    ----------
    given
        What was given, sorted by kind.
    work
        Folder of uploads and results.
    demo
        True where nothing was given: generated sections are made and shown.
    limits
        Bounds.
    results
        Folder of stored runs, for boards and the code ladder; None for those of the package.
    roots
        Below which a prediction's own slide may be read, beside `work`.
    """

    given: Given
    work: Path
    demo: bool = False
    limits: Limits = field(default_factory=Limits)
    results: Path | None = None
    roots: Sequence[Path] = ()

    def __post_init__(self) -> None:
        self.items = Items([*self.roots, self.work.resolve()])
        for kind, spec, stack in self.given.items:
            self.items.add(kind, spec, stack)
        # What was predicted here the last time, on the same items.
        for path in sorted((self.work / "predictions").glob("*.h5ad")):
            self.items.add("prediction", str(path))
        self.taken = set[Path]()
        self.records = Records(self.results, [*self.given.records, self.work / "results", self.work / "evaluations"])
        self.library = Library(self.records)
        self.bundles = Bundles(self.given.bundles)
        self.jobs = Jobs(waiting=self.limits.jobs_waiting)
        cores = os.cpu_count() or 1
        # Pictures and vectors do not wait for sections that are being read or for tests of thousands of genes.
        self.fast = Pool(min(4, cores + 1), waiting=self.limits.waiting, name="fast")
        self.slow = Pool(2, waiting=64, name="slow")
        #: Generated sections are being made; and what went wrong with that.
        self.making = self.demo
        self.making_error: ErrorParts | None = None
        self.maker: DemoMaker | None = None
        self._closing = threading.Event()
        self._opener: threading.Thread | None = None

    @classmethod
    def of(cls, paths: Sequence[str], *, work: Path | None = None, results: Path | None = None) -> Studio:
        """Look at what was given; see `find` for what that may be.

        Parameters
        ----------
        paths
            Specifications; none for generated sections, which `open_all` makes where they are not in the cache.
        work
            Folder for uploads and results; default one in the user's cache, the same for the same paths.
        results
            Folder of stored runs; default those of the package.
        """
        given = find(paths)
        roots = roots_of(paths, given) if paths else [demo_folder().resolve()]
        name = digest(*(spec for _, spec, _ in given.items), *map(str, given.bundles)) if paths else roots[0].name
        place = work or cache_dir() / "studio" / "work" / name
        return cls(given, place, demo=not paths, results=results, roots=roots)

    def layer_of(self, item: Item) -> Layer | None:
        """Return an item's place in its registered stack; None where it is in none."""
        stack = self.given.stacks.get(item.stack or "")
        return stack.layer_of(item.path) if stack else None

    def open_all(self) -> None:
        """Begin to open every item, one after the other, in the background."""
        if self._opener is None:
            self._opener = threading.Thread(target=self._open_all, name="opener", daemon=True)
            self._opener.start()

    def _open_all(self) -> None:
        if self.demo:
            self._make_demo()
        for item in self.items:
            self._open(item)
        # Imports and tables that the first visitor of these pages would wait seconds for; the first picture goes first.
        if not self._closing.wait(_WARM_AFTER):
            try:
                self.records.boards()
                self.library.view()
            except HistoScribeError:
                return  # whoever asks for them is told what is wrong

    def _open(self, item: Item) -> None:
        # Where it fails the item holds what went wrong, and the list shows it.
        with suppress(StudioError):
            self.items.open(item)

    def _make_demo(self) -> None:
        """Show each part of the demo as soon as it is made."""
        try:
            self.maker = self.maker or DemoMaker()
            for spec in self.maker.specs():
                found = find([spec])
                self.bundles.add(found.bundles)
                for kind, one, stack in found.items:
                    self._open(self.items.add(kind, one, stack))
        except (HistoScribeError, OSError) as err:
            todo = "Make room in the cache's folder, or set HISTOSCRIBE_CACHE to another, and start the studio again."
            what = f"they could not be made ({without_paths(str(err))})."
            self.making_error = ErrorParts(what=what, where="generated sections", todo=todo)
        self.making = False

    def close(self) -> None:
        """Close files and threads."""
        self._closing.set()
        if self.maker is not None:
            self.maker.close()
        self.jobs.close()
        self.fast.close()
        self.slow.close()
        self.items.close()
