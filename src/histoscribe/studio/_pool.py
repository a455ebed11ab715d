"""Pool: work off the event loop, on few threads; who waits too long in line, or has left, is not served."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from histoscribe.studio._error import StudioError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

__all__ = ["Gone", "Pool"]


class Gone(Exception):  # noqa: N818  not an error: nobody is there to be told
    """The client closed the connection before its answer was made."""


class Pool:
    """A bounded number of threads and of requests that wait for one.

    Parameters
    ----------
    threads, waiting
        How many.
    name
        Prefix of the threads' names.
    """

    def __init__(self, threads: int, *, waiting: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)
        self._waiting, self._most = 0, waiting

    async def run(self, request: Request, work: Callable[..., Any], *args: Any) -> Any:
        """Return ``work(*args)``; work that has not begun is dropped when the client leaves.

        Raises
        ------
        StudioError
            Status 503 where too many wait.
        Gone
            If the client left.
        """
        if self._waiting >= self._most:
            raise StudioError(
                503, f"{self._waiting} requests wait already.", where="server", todo="Try again in a few seconds."
            )
        self._waiting += 1
        try:
            return await unless_gone(request, self._executor.submit(work, *args))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Drop what waits; what runs ends in its own time."""
        self._executor.shutdown(wait=False, cancel_futures=True)


async def unless_gone(request: Request, work: Any) -> Any:
    """Await a `concurrent.futures.Future`, but no longer than the client does."""
    answer = asyncio.wrap_future(work)
    left = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait({answer, left}, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        answer.cancel()
        raise Gone
    finally:
        left.cancel()


async def _left(request: Request) -> None:
    """Return when the client has closed the connection."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
