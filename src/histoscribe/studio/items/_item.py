"""Items: what the studio was given, each under an id that says nothing of its path; opened once, when needed."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from histoscribe.core.errors import HistoScribeError
from histoscribe.core.files import digest
from histoscribe.io import parse_spec
from histoscribe.slide._cache import TileCache
from histoscribe.studio._error import ErrorParts, StudioError, parts_of
from histoscribe.studio.items._layers import same_slide, values_alone, values_of_pair
from histoscribe.studio.items._open import open_prediction, open_section, open_slide_item

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from histoscribe.studio.items._find import Kind
    from histoscribe.studio.items._opened import Opened
    from histoscribe.studio.values._values import Values

__all__ = ["Item", "Items"]

State = Literal["waiting", "opening", "ready", "failed"]
#: JPEG bytes of decoded tiles and thumbnails, of all slides together.
_CACHE_BYTES = 64_000_000


@dataclass(eq=False)
class Item:
    """One item.

    Attributes
    ----------
    id
        16 hex digits of kind and specification.
    kind, spec, stack
        What it is, what is read, and the stack it belongs to.
    state, error
        Whether it was opened, and what went wrong.
    """

    id: str
    kind: Kind
    spec: str
    stack: str | None = None
    state: State = "waiting"
    error: ErrorParts | None = None
    opened: Opened | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def file(self) -> str:
        """Base name of the file or folder."""
        return self.spec.partition("?")[0].rstrip("/").rpartition("/")[2]

    @property
    def path(self) -> Path:
        """File or folder."""
        return Path(parse_spec(self.spec)[1])

    @property
    def name(self) -> str:
        """Name for people: the section's, once it was read."""
        return self.opened.name if self.opened else self.file.split(".")[0]


class Items:
    """All items of a studio; safe in several threads.

    Parameters
    ----------
    roots
        Files and folders below which the slide that a prediction names may be read.
    """

    def __init__(self, roots: Sequence[Path] = ()) -> None:
        self._roots = tuple(roots)
        self._items: dict[str, Item] = {}
        self._lock = threading.Lock()
        self._pairs: dict[tuple[str, str], tuple[Values, Values, str] | str] = {}
        self.cache = TileCache(_CACHE_BYTES)

    def __iter__(self) -> Iterator[Item]:
        return iter(list(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    def add(self, kind: Kind, spec: str, stack: str | None = None) -> Item:
        """Add an item, or return the one of this specification."""
        key = digest(kind, spec)
        with self._lock:
            return self._items.setdefault(key, Item(key, kind, spec, stack))

    def get(self, key: str) -> Item:
        """Return the item called `key`.

        Raises
        ------
        StudioError
            Status 404 where there is none.
        """
        if key not in self._items:
            raise StudioError(404, "there is no such item.", where="items", todo="Ask for one that /api/items lists.")
        return self._items[key]

    def remove(self, item: Item) -> None:
        """Forget an item."""
        with self._lock:
            self._items.pop(item.id, None)

    def open(self, item: Item) -> Opened:
        """Return what is shown of an item; the first call reads it, which can take seconds.

        Raises
        ------
        StudioError
            If its file cannot be read, was replaced, or is gone.
        """
        with item.lock:
            if item.opened is None:
                item.state = "opening"
                try:
                    item.opened = self._read(item)
                except (HistoScribeError, OSError, ValueError, KeyError) as err:
                    item.state, item.error = "failed", _parts(err, item)
                    raise StudioError(422, item.error.what, where=item.file, todo=item.error.todo) from err
                item.state, item.error = "ready", None
        item.opened.check()
        return item.opened

    def _read(self, item: Item) -> Opened:
        if item.kind == "prediction":
            return open_prediction(item.spec, self.cache, roots=self._roots)
        return (open_slide_item if item.kind == "slide" else open_section)(item.spec, self.cache)

    def partners(self, item: Item) -> list[Item]:
        """Return the other opened items on the same slide."""
        opened = item.opened
        if opened is None:
            return []
        return [o for o in self if o is not item and o.opened is not None and same_slide(opened, o.opened)]

    def values(self, item: Item) -> tuple[Values, list[str]]:
        """Return an item's genes by layer, with those of its partner, and notes on how the two were matched."""
        opened = self.open(item)
        wanted = {"prediction": "section", "section": "prediction"}.get(item.kind)
        notes = []
        for other in self.partners(item):
            if other.kind == wanted and other.opened is not None and other.opened.own is not None:
                pair = (item, other) if item.kind == "prediction" else (other, item)
                found = self._pair(*pair)
                if isinstance(found, str):
                    notes.append(found)
                    continue
                return found[0 if item.kind == "prediction" else 1], [found[2]]
        key = (item.id, "")
        if key not in self._pairs:
            alone = values_alone(opened)
            self._pairs[key] = (alone, alone, "")
        kept = self._pairs[key]
        assert not isinstance(kept, str)
        return kept[0], notes

    def _pair(self, prediction: Item, section: Item) -> tuple[Values, Values, str] | str:
        """Return the values of a pair, or why the two do not fit."""
        key = (prediction.id, section.id)
        if key not in self._pairs:
            assert prediction.opened is not None
            assert section.opened is not None
            try:
                self._pairs[key] = values_of_pair(prediction.opened, section.opened)
            except HistoScribeError as err:
                self._pairs[key] = parts_of(err, where=section.name).what
        return self._pairs[key]

    def close(self) -> None:
        """Close all files."""
        for item in self:
            if item.opened is not None:
                item.opened.close()


def _parts(err: Exception, item: Item) -> ErrorParts:
    if isinstance(err, HistoScribeError):
        return parts_of(err, where=item.file)
    return parts_of(HistoScribeError(f"it cannot be read ({err}). Check the file."), where=item.file)
