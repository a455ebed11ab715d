"""Registration of sections to each other; every transform is in um."""

from __future__ import annotations

from histoscribe.align.folder import motions_of, read_stack, write_stack
from histoscribe.align.image import ImageRegistration, register_images
from histoscribe.align.pair import PairAlignment, align_pair
from histoscribe.align.picture import Picture, section_picture, warp_picture
from histoscribe.align.quality import AlignmentQuality
from histoscribe.align.rigid import align_footprints
from histoscribe.align.stack import align_stack
from histoscribe.align.transform import Affine, Rigid, Transform, fit_rigid, transform_from_dict
from histoscribe.core.spacing import spacing_um

__all__ = [
    "Affine",
    "AlignmentQuality",
    "ImageRegistration",
    "PairAlignment",
    "Picture",
    "Rigid",
    "Transform",
    "align_footprints",
    "align_pair",
    "align_stack",
    "fit_rigid",
    "motions_of",
    "read_stack",
    "register_images",
    "section_picture",
    "spacing_um",
    "transform_from_dict",
    "warp_picture",
    "write_stack",
]
