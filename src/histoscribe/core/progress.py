"""One progress bar for all long work: rate and time left, on stderr, silent where nobody looks."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["listening", "progress"]

#: Told of every bar of this process, in place of a terminal: label, unit, done, total.
_listeners: list[Callable[[str, str, int, int], None]] = []


@contextmanager
def listening(listener: Callable[[str, str, int, int], None]) -> Iterator[None]:
    """Tell `listener` (label, unit, done, total) of every bar in the block, which shows none."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


@contextmanager
def progress(
    label: str, total: int, *, unit: str = "it", done: int = 0, show: bool | None = None
) -> Iterator[Callable[..., None]]:
    """Show a bar for `total` steps of which `done` were finished before; the block gets ``advance(n, note="")``.

    Parameters
    ----------
    label, unit
        What is being done, and what is counted (``"tiles"``).
    total, done
        Number of steps, and how many an earlier run already finished (they do not count in the rate).
    show
        True or False to force it; by default only where stderr is a terminal.
    """
    if _listeners:
        yield _telling(label, unit, done, total)
        return
    if not (sys.stderr.isatty() if show is None else show):
        yield lambda n, note="": None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=total, completed=done, rate="")

        def advance(n: int, note: str = "") -> None:
            bar.advance(task, n)
            speed = bar.tasks[0].speed
            rate = f"{speed:.3g} {unit}/s" if speed else ""
            bar.update(task, rate=rate, **({"description": f"{label}, {note}"} if note else {}))

        yield advance


def _telling(label: str, unit: str, done: int, total: int) -> Callable[..., None]:
    def advance(n: int, note: str = "") -> None:
        nonlocal done
        done += n
        _listeners[-1](f"{label}, {note}" if note else label, unit, done, total)

    advance(0)
    return advance
