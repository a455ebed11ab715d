"""Who this process is among those of a distributed launcher, without importing PyTorch."""

from __future__ import annotations

import os

__all__ = ["rank", "world_size"]


def rank() -> int:
    """Return this process's number under a launcher such as `torchrun`, else 0; number 0 writes files."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Return how many processes work together."""
    return int(os.environ.get("WORLD_SIZE", "1"))
