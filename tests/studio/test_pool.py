"""The pool: who leaves while waiting is not worked for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from histoscribe.studio._pool import Gone, Pool


class Visitor:
    """A request whose client leaves when told to."""

    def __init__(self):
        self.leaves = asyncio.Event()

    async def receive(self):
        await self.leaves.wait()
        return {"type": "http.disconnect"}


def test_work_of_a_client_that_left_is_dropped():
    pool, busy, done = Pool(1, waiting=8, name="test"), threading.Event(), []

    async def visit():
        first, second = Visitor(), Visitor()
        working = asyncio.ensure_future(pool.run(first, busy.wait))
        left = asyncio.ensure_future(pool.run(second, done.append, "second"))
        await asyncio.sleep(0)
        second.leaves.set()
        with pytest.raises(Gone):
            await left
        busy.set()
        assert await working is True
        assert await pool.run(Visitor(), lambda: "third") == "third"

    asyncio.run(visit())
    pool.close()
    assert done == []
