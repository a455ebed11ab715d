"""Studies: benchmarks whose question is not "the expression of a section from its slide"; one file and one line each."""

from __future__ import annotations

from histoscribe.bench.studies._study import Entry, Study
from histoscribe.core.registry import Registry

__all__ = ["STUDIES", "Entry", "Study"]

STUDIES = Registry(
    "study",
    {},
)
