"""Read ahead: one thread prepares the next items while the caller works on this one."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["read_ahead"]

_Item = TypeVar("_Item")
_Value = TypeVar("_Value")


def read_ahead(
    read: Callable[[_Item], _Value], items: Iterable[_Item], *, ahead: int = 4
) -> Iterator[tuple[_Item, _Value]]:
    """Yield ``(item, read(item))`` in order while one thread reads up to `ahead` later ones."""
    order = iter(items)
    reader = ThreadPoolExecutor(1, thread_name_prefix="histoscribe-read")
    try:
        queue = deque((item, reader.submit(read, item)) for item in islice(order, ahead))
        while queue:
            item, future = queue.popleft()
            value = future.result()
            queue.extend((later, reader.submit(read, later)) for later in islice(order, 1))
            yield item, value
    finally:
        reader.shutdown(cancel_futures=True)
