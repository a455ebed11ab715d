"""A vision transformer's first layer: raw pixels cut into squares, one token each."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["Squares"]


class Squares(nn.Module):
    """``(b, 3, h, w)`` RGB of 0-255 -> ``(b, 1024, h / 32, w / 32)``: one linear layer on squares of 32 px.

    Source: EGN's vision transformer (egn-2023): 32 px, width 1024.
    """

    dim, side_px = 1024, 32

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Conv2d(3, self.dim, self.side_px, self.side_px)

    def maps(self, pixels: torch.Tensor) -> torch.Tensor:
        """Embed every square."""
        return self.embed(pixels.float() / 127.5 - 1.0)
