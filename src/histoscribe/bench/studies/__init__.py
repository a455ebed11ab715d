"""Studies: benchmarks that ask something else than the expression of a section; one file and one line each."""

from __future__ import annotations

from histoscribe.bench.studies._study import Entry, Study
from histoscribe.core.registry import Registry

__all__ = ["STUDIES", "Entry", "Study"]

STUDIES = Registry(
    "study",
    {
        "dlpfc-3d": "histoscribe.bench.studies.dlpfc_3d:Dlpfc3d",
        "heart-iss-composition": "histoscribe.bench.studies.heart_iss_composition:HeartIssComposition",
        "her2st-3d": "histoscribe.bench.studies.her2st_3d:Her2st3d",
        "her2st-3d-asign-protocol": "histoscribe.bench.studies.her2st_3d_asign:Her2st3dAsign",
        "her2st-c-3d": "histoscribe.bench.studies.her2st_c_3d:Her2stC3d",
        "her2st-composition-from-histology": "histoscribe.bench.studies.her2st_composition:Her2stComposition",
        "ra3d": "histoscribe.bench.studies.ra3d:Ra3d",
        "synthetic-3d": "histoscribe.bench.studies.synthetic_3d:Synthetic3d",
        "synthetic-bulk": "histoscribe.bench.studies.synthetic_bulk:SyntheticBulk",
        "synthetic-composition": "histoscribe.bench.studies.synthetic_composition:SyntheticComposition",
        "synthetic-few-label": "histoscribe.bench.studies.synthetic_few_label:SyntheticFewLabel",
    },
)
