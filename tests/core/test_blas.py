"""Small systems are solved by one thread, and whatever was set before is set again."""

from __future__ import annotations

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from histoscribe.core.blas import threads_for


def blas_threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}


@pytest.mark.parametrize(("n", "inside"), [(100, {1}), (1999, {1}), (2000, {2}), (50_000, {2})])
def test_a_small_system_gets_one_thread_and_the_rest_as_before(n, inside):
    with threadpool_limits(2, "blas"):
        if blas_threads() != {2}:
            pytest.skip("this machine's BLAS has one thread")
        with threads_for(n):
            assert blas_threads() == inside
        assert blas_threads() == {2}
