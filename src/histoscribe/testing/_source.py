"""Generators that benchmark suites can name: sections of known truth, with the score a perfect predictor reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from histoscribe.testing._sections import make_donors
from histoscribe.testing._truth import Truth

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import numpy as np

    from histoscribe.core.section import Section
    from histoscribe.core.target import Target

__all__ = ["SYNTHETIC_DONORS", "SyntheticSource"]


@dataclass(frozen=True)
class SyntheticSource:
    """Sections made by one function of this package; see `histoscribe.bench.sources.Source`."""

    make: Callable[..., list[Section]]

    def sections(self, **options: Any) -> list[Section]:
        """Return the sections; `options` are the function's own."""
        return self.make(**options)

    def ceiling(self, section: Section, genes: Sequence[str], target: Target) -> np.ndarray:
        """Return the ``(g,)`` correlation of the noise-free with the measured target; 0 without signal."""
        return Truth.of(section, genes, target=target).ceiling()


SYNTHETIC_DONORS = SyntheticSource(make_donors)
