"""Synthetic sections of known truth, and contract checks for methods, encoders and readers; public, for plug-ins."""

from __future__ import annotations

from histoscribe.testing._feature_sections import FEATURES, make_feature_sections
from histoscribe.testing._genes import CLASSES, DEFAULT_GENES
from histoscribe.testing._plant import plant_on_features
from histoscribe.testing._sections import make_donors, make_section
from histoscribe.testing._slide import ArraySlide
from histoscribe.testing._truth import Truth
from histoscribe.testing._write import write_visium

__all__ = [
    "CLASSES",
    "DEFAULT_GENES",
    "FEATURES",
    "ArraySlide",
    "Truth",
    "make_donors",
    "make_feature_sections",
    "make_section",
    "plant_on_features",
    "write_visium",
]
