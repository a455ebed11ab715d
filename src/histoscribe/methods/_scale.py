"""The unit a network's loss is taken in: the target's own, or each gene scaled by its training range or sd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from torch import nn

from histoscribe.core.errors import RegistryError
from histoscribe.core.registry import did_you_mean

if TYPE_CHECKING:
    import torch

__all__ = ["Scale", "TargetScale", "fit_scale"]

#: ``"none"``; ``"minmax"``: each gene's training range becomes 0 to 1; ``"sd"``: its training mean 0 and sd 1.
Scale = Literal["none", "minmax", "sd"]


def fit_scale(y: np.ndarray, scale: Scale) -> dict[str, np.ndarray]:
    """Return ``"low"`` and ``"span"``, ``(g,)`` float32 each: the loss sees ``(y - low) / span``.

    A gene without spread keeps its unit.

    Parameters
    ----------
    y
        ``(m, g)`` target of the observations that may be learned from.
    """
    if scale == "none":
        low, span = np.zeros(y.shape[1]), np.ones(y.shape[1])
    elif scale == "minmax":
        low, span = y.min(0), np.ptp(y, axis=0)
    elif scale == "sd":
        low, span = y.mean(0, dtype=np.float64), y.std(0, dtype=np.float64)
    else:
        msg = f"there is no target scale called {scale!r}. {did_you_mean(scale, ['none', 'minmax', 'sd'])}"
        raise RegistryError(msg)
    span = np.where(span > 1e-6, span, 1.0)
    return {"low": low.astype(np.float32), "span": span.astype(np.float32)}


class TargetScale(nn.Module):
    """The scale as a part of the network; its arrays are saved as memory, not as weights."""

    def __init__(self, low: torch.Tensor, span: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("low", low, persistent=False)
        self.register_buffer("span", span, persistent=False)

    def into(self, y: torch.Tensor) -> torch.Tensor:
        """Bring ``(b, g)`` from the target's unit into the loss's."""
        return (y - self.low) / self.span

    def back(self, y: torch.Tensor) -> torch.Tensor:
        """Bring ``(b, g)`` from the loss's unit into the target's."""
        return y * self.span + self.low
