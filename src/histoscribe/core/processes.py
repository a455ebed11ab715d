"""Cores that may be used, and who this process is among those of a launcher, without importing PyTorch."""

from __future__ import annotations

import os

__all__ = ["free_cores", "rank", "world_size"]


def rank() -> int:
    """Return this process's number under a launcher such as `torchrun`, else 0; number 0 writes files."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Return how many processes work together."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def free_cores() -> int:
    """Return how many cores this process may use: those it is bound to, where the system says so."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
