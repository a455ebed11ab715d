"""Where a capture array ends while its tissue may go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from histoscribe.core import keys

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["continuation"]


@dataclass(frozen=True)
class _Array:
    """First and last column and row, and how many units apart neighbours in a row and in a column are."""

    columns: tuple[int, int]
    rows: tuple[int, int]
    step: tuple[int, int]
    pitch_um: float


#: Staggered arrays end half a step apart in every second row: their last two columns are edges.
_ARRAYS = {
    # 1,007 spots: 31 x 33 without 16 in the corners (Stahl et al. 2016, stahl2016).
    "st-array": _Array((2, 32), (2, 34), (1, 1), 200.0),
    # 4,992 spots of the 6.5 mm capture area.
    "visium": _Array((0, 127), (0, 77), (2, 1), 100.0),
}


def continuation(section: Section) -> np.ndarray:
    """Continue the tissue past those edges of the capture area that it reaches.

    Observations in an edge column or row are repeated one step further out; where no array is known (or
    observations lie past its edges, so that it is another one) there is nothing to continue.

    Returns
    -------
    ``(k, 2)`` float64 um; empty where the tissue reaches no edge.
    """
    none = np.zeros((0, 2))
    array = _ARRAYS.get(section.platform)
    if array is None or not {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(section.table.obs) or section.n_obs < 3:
        return none
    place = section.table.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].apply(pd.to_numeric, errors="coerce").to_numpy(float)
    if not np.isfinite(place).all() or abs((section.pitch_um or 0.0) / array.pitch_um - 1) > 0.1:
        return none
    low, high = (np.array([array.columns[i], array.rows[i]]) for i in (0, 1))
    if (place < low).any() or (place > high).any():
        return none
    outward = []
    for axis in (0, 1):
        edge = array.step[axis] - 1
        for sign, at_edge in ((-1, place[:, axis] <= low[axis] + edge), (1, place[:, axis] >= high[axis] - edge)):
            further = place[at_edge].copy()
            further[:, axis] += sign * array.step[axis]
            outward.append(further)
    further = np.concatenate(outward)
    if not len(further):
        return none
    ones = np.ones((len(place), 1))
    to_um = np.linalg.lstsq(np.hstack([place, ones]), section.xy_um, rcond=None)[0]
    return np.hstack([further, np.ones((len(further), 1))]) @ to_um
