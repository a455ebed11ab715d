"""Studies: benchmarks that ask something else than the expression of a section; one file and one line each."""

from __future__ import annotations

from histoscribe.bench.studies._study import Entry, Study
from histoscribe.core.registry import Registry

__all__ = ["STUDIES", "Entry", "Study"]

STUDIES = Registry(
    "study",
    {
        "her2st-3d-asign-protocol": "histoscribe.bench.studies.her2st_3d_asign:Her2st3dAsign",
        "synthetic-bulk": "histoscribe.bench.studies.synthetic_bulk:SyntheticBulk",
    },
)
