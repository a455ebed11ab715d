"""Count the nuclei of each class in each observation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.core import keys
from histoscribe.core.errors import ScaleError

if TYPE_CHECKING:
    from histoscribe.core.section import Section
    from histoscribe.io._outlines import Polygons

__all__ = ["count_cells"]


def count_cells(section: Section, cells: Polygons, *, factor: float = 1.0, square: bool = False) -> None:
    """Write into `obs` how many nuclei have their centre within each observation.

    ``nuclei`` holds all and ``nuclei_<class>`` those of one class. Observations do not overlap, so a nucleus is
    counted once or, between spots, not at all.

    Parameters
    ----------
    section
        A section whose `spot_um` is known; its table is changed.
    cells
        Outlines, px.
    factor
        px of the section's image per px of the outlines.
    square
        Observations are squares of side `spot_um`, not discs of that diameter.

    Raises
    ------
    ScaleError
        If the size of an observation is not known.
    """
    if section.spot_um is None:
        msg = (
            f"section {section.name!r}: the size of its observations is not known, so nuclei cannot be counted in "
            "them. Read it without cells=true."
        )
        raise ScaleError(msg)
    centres = cells.centroids * factor
    known = np.isfinite(centres).all(1)
    near, index = cKDTree(section.xy).query(
        np.where(known[:, None], centres, 0.0), p=np.inf if square else 2, distance_upper_bound=_reach(section)
    )
    hit = known & np.isfinite(near)
    obs = section.table.obs
    obs["nuclei"] = np.bincount(index[hit], minlength=section.n_obs)
    for name in () if cells.classes is None else sorted(set(cells.classes)):
        column = f"nuclei_{re.sub(r'[^0-9a-z]+', '_', name.lower()).strip('_') or 'unnamed'}"
        found = np.bincount(index[hit & (cells.classes == name)], minlength=section.n_obs)
        obs[column] = found + (obs[column].to_numpy() if column in obs else 0)
    ours = section.table.uns[keys.UNS]
    ours["notes"] = [*ours["notes"], f"{int(hit.sum())} of {len(cells)} nuclei have their centre in an observation"]


def _reach(section: Section) -> float:
    """Return the largest distance from a centre that still lies within, px; `query` wants it a little larger."""
    return float(np.nextafter(section.spot_um / 2 / section.mpp, np.inf))
