"""The eight symmetries of a square, applied to everything that a network sees of an observation together."""

from __future__ import annotations

from typing import Literal

import torch

__all__ = ["SYMMETRIES", "Kind", "transform_view"]

#: (quarter turns anticlockwise, then mirrored left to right): all eight symmetries, the identity first.
SYMMETRIES: tuple[tuple[int, bool], ...] = tuple((turns, mirrored) for mirrored in (False, True) for turns in range(4))

#: ``"pixels"``: ``(..., h, w)``; ``"tokens"``: ``(n, k * k, ...)`` of a k x k grid; ``"places"``: ``(n, 2)`` row and
#: column, or y and x; ``"fixed"``: does not turn.
Kind = Literal["pixels", "tokens", "places", "fixed"]


def transform_view(view: torch.Tensor, kind: Kind, symmetry: tuple[int, bool]) -> torch.Tensor:
    """Turn and mirror one view; the same symmetry on all views of an observation keeps them consistent.

    Parameters
    ----------
    view
        See `Kind`.
    symmetry
        One of `SYMMETRIES`.
    """
    turns, mirrored = symmetry
    if kind == "fixed" or (turns == 0 and not mirrored):
        return view
    if kind == "pixels":
        view = torch.rot90(view, turns, dims=(-2, -1))
        return view.flip(-1) if mirrored else view
    if kind == "tokens":
        k = round(view.shape[1] ** 0.5)
        index = torch.arange(view.shape[1], device=view.device).view(k, k)
        index = torch.rot90(index, turns, dims=(0, 1))
        return view[:, (index.flip(1) if mirrored else index).flatten()]
    row, column = view[:, 0], view[:, 1]
    for _ in range(turns):
        # A quarter turn anticlockwise takes (row, column) to (-column, row), rows running down.
        row, column = -column, row
    return torch.stack([row, -column if mirrored else column], dim=1)
