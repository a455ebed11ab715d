"""Registration of sections to each other; every transform is in um."""

from __future__ import annotations

from histoscribe.align.pair import PairAlignment, align_pair
from histoscribe.align.quality import AlignmentQuality
from histoscribe.align.rigid import align_footprints, spacing_um
from histoscribe.align.stack import align_stack
from histoscribe.align.transform import Affine, Rigid, Transform, fit_rigid, transform_from_dict

__all__ = [
    "Affine",
    "AlignmentQuality",
    "PairAlignment",
    "Rigid",
    "Transform",
    "align_footprints",
    "align_pair",
    "align_stack",
    "fit_rigid",
    "spacing_um",
    "transform_from_dict",
]
