"""Which training observations stop the training: a whole donor, section or strip out of the training set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["hold_out"]


def hold_out(groups: Sequence[np.ndarray], *, rng: np.random.Generator) -> list[np.ndarray]:
    """Choose the validation group among the training groups, never touching a test donor.

    Parameters
    ----------
    groups
        One ``(n,)`` array of labels per section: whom each observation is held out with (`methods.groups`: donors, or
        sections of a lone donor, or strips of a lone section).
    rng
        Draws the group.

    Returns
    -------
    One ``(n,)`` bool array per section, True for validation; all False where there is one group.
    """
    names = sorted({str(label) for labels in groups for label in labels})
    if len(names) < 2:
        return [np.zeros(len(labels), dtype=bool) for labels in groups]
    chosen = names[int(rng.integers(len(names)))]
    return [np.asarray([str(label) == chosen for label in labels]) for labels in groups]
