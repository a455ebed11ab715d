"""A cache of decoded tiles that is bounded in bytes, for several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    import numpy as np

__all__ = ["TileCache"]


class TileCache:
    """Keeps the arrays used last, at most `max_bytes` of them."""

    def __init__(self, max_bytes: int = 64_000_000) -> None:
        self.max_bytes = max_bytes
        self.bytes = 0
        self._items: OrderedDict[Hashable, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Return the array called `key`, made by `make` where it is not there; two threads may both make it."""
        with self._lock:
            found = self._items.get(key)
            if found is not None:
                self._items.move_to_end(key)
                return found
        made = make()
        made.setflags(write=False)
        with self._lock:
            old = self._items.pop(key, None)
            self._items[key] = made
            self.bytes += made.nbytes - (0 if old is None else old.nbytes)
            while self.bytes > self.max_bytes and len(self._items) > 1:
                _, dropped = self._items.popitem(last=False)
                self.bytes -= dropped.nbytes
        return made

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._items.clear()
            self.bytes = 0

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.max_bytes,)
