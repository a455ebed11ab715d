"""GraphSAGE with mean aggregation over a list of neighbours, and the nearest occupied places of a lattice."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from histoscribe.nn.lattice import lattice_neighbours

__all__ = ["SageMean", "nearest_places", "neighbour_mean"]


def nearest_places(lattice: torch.Tensor, *, k: int, reach: float) -> torch.Tensor:
    """Find the k nearest other observations within `reach` lattice steps of each.

    Of places equally far the upper one comes first, then the left one, so that the order of the observations plays no
    part. Source: Hist2ST's graph (hist2st-2022), which takes the first in file order.

    Parameters
    ----------
    lattice
        ``(n, 2)`` int64 row and column, no place twice.
    k
        At most this many.
    reach
        Largest Euclidean distance, in lattice steps.

    Returns
    -------
    ``(n, k)`` int64 index, -1 where there are fewer.
    """
    steps = range(-int(reach), int(reach) + 1)
    around = [(r * r + c * c, r, c) for r in steps for c in steps if 0 < r * r + c * c <= reach * reach]
    offsets = torch.tensor([(r, c) for _, r, c in sorted(around)], dtype=torch.int64, device=lattice.device)
    found = lattice_neighbours(lattice, offsets)  # (n, places within reach), nearest first
    empty_last = torch.sort((found < 0).to(torch.int8), dim=1, stable=True).indices[:, :k]
    return found.gather(1, empty_last)


def neighbour_mean(x: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
    """Average ``(n, d)`` over ``(m, k)`` indices, -1 for none; zeros where there is no neighbour at all."""
    there = (neighbours >= 0).to(x.dtype)
    total = (x[neighbours.clamp(min=0)] * there[..., None]).sum(1)  # (m, k, d) -> (m, d)
    return total / there.sum(1, keepdim=True).clamp(min=1.0)


class SageMean(nn.Module):
    """``h = relu(W [x, mean of the neighbours' x])``, then scaled to length 1.

    Source: Hamilton et al. 2017, algorithm 1 with the mean aggregator.

    Parameters
    ----------
    n_in, n_out
        Sizes of a token.
    own
        Join a token's own features to its neighbours' mean; Hist2ST's released layer (False) looks at the neighbours
        alone.
    normalise
        Scale the output to length 1.
    """

    def __init__(self, n_in: int, n_out: int, *, own: bool = True, normalise: bool = True) -> None:
        super().__init__()
        self.own, self.normalise = own, normalise
        self.linear = nn.Linear(2 * n_in if own else n_in, n_out, bias=False)
        nn.init.xavier_uniform_(self.linear.weight)

    def forward(self, x: torch.Tensor, neighbours: torch.Tensor) -> torch.Tensor:
        """Transform ``(n, d)`` tokens by their ``(n, k)`` neighbours, -1 for none."""
        around = neighbour_mean(x, neighbours)
        h = functional.relu(self.linear(torch.cat([x, around], dim=1) if self.own else around))
        return functional.normalize(h, dim=1) if self.normalise else h
