"""How many threads linear algebra may use."""

from __future__ import annotations

from contextlib import nullcontext
from functools import cache
from typing import TYPE_CHECKING, Any

from threadpoolctl import ThreadpoolController

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["threads_for"]

#: Rows of a square system below which one thread does. Threads of BLAS wait for each other by turning in circles: on
#: two cores that another process shares, factorising 540 rows took 12 ms with one thread and 384 ms with two, 1,500
#: rows 144 and 2,217 ms.
_SMALL = 2000


def threads_for(n: int) -> AbstractContextManager[Any]:
    """Return a context in which systems of `n` rows are solved by as many threads as they are worth."""
    return _controller().limit(limits=1, user_api="blas") if n < _SMALL else nullcontext()


@cache
def _controller() -> ThreadpoolController:
    """Return the libraries loaded so far: looking for them takes milliseconds, a limit microseconds."""
    return ThreadpoolController()
