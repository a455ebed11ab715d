"""What needs the observations' lattice: position encoding by convolution, and neighbour lookup."""

from __future__ import annotations

import torch
from torch import nn

__all__ = ["LatticeConv", "lattice_neighbours"]


def lattice_neighbours(lattice: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """Find the observation at each offset of each observation.

    Parameters
    ----------
    lattice
        ``(n, 2)`` int64 row and column, no place twice.
    offsets
        ``(k, 2)`` int64.

    Returns
    -------
    ``(n, k)`` int64 index, -1 where the place is empty.
    """
    reach = int(offsets.abs().max()) if len(offsets) else 0
    shifted = lattice - lattice.min(0).values + reach
    width = int(shifted[:, 1].max()) + reach + 1
    code = shifted[:, 0] * width + shifted[:, 1]
    order = torch.argsort(code)
    ranked = code[order]
    # Shifted by the reach, a neighbour's code stays in its own row: no wrap-around at the border.
    wanted = code[:, None] + offsets[:, 0] * width + offsets[:, 1]
    found = torch.searchsorted(ranked, wanted).clamp(max=len(code) - 1)
    return torch.where(ranked[found] == wanted, order[found], -1)


class LatticeConv(nn.Module):
    """Atypical position encoding: each token plus a depthwise 3 x 3 convolution over the occupied places around it.

    ``z_s = x_s + b + sum_o w_o * x_(s+o)``; empty places count as zero. By index, so that the order of the observations
    does not matter and none is lost. Source: TRIPLEX's APEG (triplex-2024).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(9, width).uniform_(-1 / 3, 1 / 3))  # as Conv2d: 1 / sqrt(9)
        self.bias = nn.Parameter(torch.zeros(width))
        steps = torch.tensor([-1, 0, 1])
        self.register_buffer("offsets", torch.cartesian_prod(steps, steps), persistent=False)

    def forward(self, x: torch.Tensor, lattice: torch.Tensor) -> torch.Tensor:
        """Encode ``(n, d)`` tokens at ``(n, 2)`` places."""
        around = lattice_neighbours(lattice, self.offsets)  # (n, 9)
        padded = torch.cat([x, x.new_zeros(1, x.shape[1])])  # row -1: an empty place
        return x + self.bias + sum(padded[around[:, o]] * self.weight[o] for o in range(9))
