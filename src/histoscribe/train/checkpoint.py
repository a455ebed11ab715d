"""The state of training on disk: written whole or not at all, read again after a kill."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from histoscribe.core.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

__all__ = ["Checkpoint"]


class Checkpoint:
    """One file that holds the newest state; without a path, nothing is kept."""

    def __init__(self, path: Path | None, *, every_s: float) -> None:
        self._path, self._every_s = path, every_s
        self._last = time.monotonic()

    def load(self, device: torch.device) -> dict[str, Any] | None:
        """Return what was saved last, or None where there is nothing or what there is cannot be read."""
        import pickle

        import torch

        if self._path is None or not self._path.is_file():
            return None
        try:
            return torch.load(self._path, map_location=device, weights_only=True)
        except (RuntimeError, EOFError, OSError, LookupError, ValueError, pickle.UnpicklingError):
            # Of another version or damaged: beginning again loses time, never correctness.
            return None

    def save(self, state: Callable[[], dict[str, Any]]) -> None:
        """Write the state where the last save is old enough."""
        import torch

        if self._path is None or time.monotonic() - self._last < self._every_s:
            return
        with atomic_path(self._path) as temporary:
            torch.save(state(), temporary)
        self._last = time.monotonic()

    def remove(self) -> None:
        """Forget the state: training has ended."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)
