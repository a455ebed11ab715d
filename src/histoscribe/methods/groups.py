"""Who is held out together: donors; sections where there is one donor; spatial blocks where there is one section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.section import Section

__all__ = ["N_BLOCKS", "Unit", "grouping", "strips"]

#: ``"none"`` stands for a model that nothing was held out for.
Unit = Literal["donor", "section", "block", "none"]

#: Strips of a lone section: enough to choose a strength, each wide enough that most of it is far from its border.
N_BLOCKS = 5


def grouping(sections: Sequence[Section]) -> tuple[Unit, list[np.ndarray]]:
    """Give each observation the label of the group it is held out with.

    Parameters
    ----------
    sections
        Training sections.

    Returns
    -------
    The unit, and one ``(n,)`` object array of labels per section. With two donors or more the unit is the donor; with
    one donor and several sections the section (neighbouring sections look alike, so scores are optimistic for a new
    donor); with a single section a strip of equal observation count along its longer side.
    """
    if len({s.donor for s in sections}) > 1:
        return "donor", [np.full(s.n_obs, s.donor, dtype=object) for s in sections]
    if len(sections) > 1:
        return "section", [np.full(s.n_obs, s.name, dtype=object) for s in sections]
    return "block", [np.array([f"{sections[0].name} strip {i + 1}" for i in strips(sections[0])], dtype=object)]


def strips(section: Section) -> np.ndarray:
    """Return ``(n,)`` int: which of `N_BLOCKS` strips of equal count along its longer side an observation lies in."""
    xy = section.xy
    along = xy[:, int(np.argmax(np.ptp(xy, axis=0)))]
    # Ties (spots of one array column) must stay together, so rank by value, not by position in the file.
    edges = np.quantile(along, np.linspace(0, 1, N_BLOCKS + 1)[1:-1])
    return np.searchsorted(edges, along, side="right")
