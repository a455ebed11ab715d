"""Stack: sections of one donor in one frame, in the order of their depth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.errors import CoordinateError

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["Stack"]


@dataclass(frozen=True, eq=False)
class Stack:
    """Aligned sections of one donor.

    Attributes
    ----------
    sections
        In order of depth.
    xy_um
        ``(n_i, 2)`` float64 centres of each section's observations in the stack's frame (x right, y down), um.
    z_um
        ``(L,)`` float64 depth of each section, um, increasing.

    Raises
    ------
    CoordinateError
        If donors differ, depths do not increase, or positions do not belong to the observations.
    """

    sections: tuple[Section, ...]
    xy_um: tuple[np.ndarray, ...]
    z_um: np.ndarray

    def __post_init__(self) -> None:
        object.__setattr__(self, "sections", tuple(self.sections))
        object.__setattr__(self, "xy_um", tuple(np.asarray(xy, dtype=np.float64) for xy in self.xy_um))
        object.__setattr__(self, "z_um", np.asarray(self.z_um, dtype=np.float64))
        n = len(self.sections)
        if not n or len(self.xy_um) != n or self.z_um.shape != (n,):
            msg = (
                f"{n} sections, {len(self.xy_um)} sets of positions, depths of shape {self.z_um.shape}. Give one each."
            )
            raise CoordinateError(msg)
        donors = sorted({s.donor for s in self.sections})
        if len(donors) > 1:
            msg = f"a stack is of one donor, but these sections are of {', '.join(donors)}. Make one stack for each."
            raise CoordinateError(msg)
        if not np.isfinite(self.z_um).all() or (np.diff(self.z_um) <= 0).any():
            msg = f"depths {self.z_um.tolist()} um do not increase. Order the sections by depth, one at each."
            raise CoordinateError(msg)
        for section, xy in zip(self.sections, self.xy_um, strict=True):
            if xy.shape != (section.table.n_obs, 2) or not np.isfinite(xy).all():
                msg = (
                    f"section {section.name}: {xy.shape} finite positions wanted for {section.table.n_obs} "
                    "observations. Give an x and a y, um, for each."
                )
                raise CoordinateError(msg)

    @property
    def donor(self) -> str:
        """Donor of all sections."""
        return self.sections[0].donor

    @property
    def names(self) -> list[str]:
        """Names of the sections, in order."""
        return [s.name for s in self.sections]

    def __len__(self) -> int:
        return len(self.sections)
