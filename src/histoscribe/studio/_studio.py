"""Studio: what one server holds: items, threads, limits, records; and nothing of HTTP."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.core.files import cache_dir, digest
from histoscribe.studio._error import StudioError
from histoscribe.studio._limits import Limits
from histoscribe.studio._pool import Pool
from histoscribe.studio.items._find import Given, find
from histoscribe.studio.items._item import Items

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Studio"]


@dataclass(eq=False)
class Studio:
    """Everything behind one server.

    Attributes
    ----------
    given
        What was given, sorted by kind.
    work
        Folder of uploads and results.
    demo
        True where nothing was given and generated sections are shown.
    limits
        Bounds.
    results
        Folder of stored runs, for boards and the code ladder; None for those of the package.
    """

    given: Given
    work: Path
    demo: bool = False
    limits: Limits = field(default_factory=Limits)
    results: Path | None = None

    def __post_init__(self) -> None:
        self.items = Items()
        for kind, spec, stack in self.given.items:
            self.items.add(kind, spec, stack)
        cores = os.cpu_count() or 1
        # Pictures and vectors do not wait for sections that are being read or for tests of thousands of genes.
        self.fast = Pool(min(4, cores + 1), waiting=self.limits.waiting, name="fast")
        self.slow = Pool(2, waiting=64, name="slow")
        self._opener: threading.Thread | None = None

    @classmethod
    def of(cls, paths: Sequence[str], *, work: Path | None = None, results: Path | None = None) -> Studio:
        """Look at what was given; see `find` for what that may be.

        Parameters
        ----------
        paths
            Specifications.
        work
            Folder for uploads and results; default one in the user's cache, the same for the same paths.
        results
            Folder of stored runs; default those of the package.
        """
        given = find(paths)
        name = digest(*(spec for _, spec, _ in given.items), *map(str, given.bundles))
        return cls(given, work or cache_dir() / "studio" / "work" / name, results=results)

    def open_all(self) -> None:
        """Begin to open every item, one after the other, in the background."""
        if self._opener is None:
            self._opener = threading.Thread(target=self._open_all, name="opener", daemon=True)
            self._opener.start()

    def _open_all(self) -> None:
        for item in self.items:
            try:
                self.items.open(item)
            except StudioError:
                continue  # the item holds what went wrong, and the list shows it

    def close(self) -> None:
        """Close files and threads."""
        self.fast.close()
        self.slow.close()
        self.items.close()
