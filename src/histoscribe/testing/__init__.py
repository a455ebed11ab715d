"""Synthetic sections of known truth, and contract checks for methods, encoders and readers; public, for plug-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.core.late import late_names

if TYPE_CHECKING:
    from histoscribe.testing._bulk import BULK_CASES, SYNTHETIC_BULK, PlantedBulk, make_bulk
    from histoscribe.testing._check_deconvolver import DECONVOLVER_CHECKS, check_deconvolver
    from histoscribe.testing._check_encoder import ENCODER_CHECKS, check_encoder
    from histoscribe.testing._check_imputer import IMPUTER_CHECKS, check_imputer
    from histoscribe.testing._check_method import METHOD_CHECKS, check_method
    from histoscribe.testing._check_reader import READER_CHECKS, check_reader
    from histoscribe.testing._check_slide_regressor import SLIDE_REGRESSOR_CHECKS, check_slide_regressor
    from histoscribe.testing._check_writer import WRITER_CHECKS, check_writer
    from histoscribe.testing._composition import PlantedSpots, make_spots
    from histoscribe.testing._feature_sections import FEATURES, make_feature_sections
    from histoscribe.testing._genes import CLASSES, DEFAULT_GENES
    from histoscribe.testing._plant import plant_on_features
    from histoscribe.testing._promises import ContractError
    from histoscribe.testing._sections import make_donors, make_section
    from histoscribe.testing._slide import ArraySlide
    from histoscribe.testing._source import SYNTHETIC_DONORS
    from histoscribe.testing._stack import PlantedStack, make_stack
    from histoscribe.testing._truth import Truth
    from histoscribe.testing._write import write_visium
    from histoscribe.testing._write_hest_bench import write_hest_bench

__all__ = [
    "BULK_CASES",
    "CLASSES",
    "DECONVOLVER_CHECKS",
    "DEFAULT_GENES",
    "ENCODER_CHECKS",
    "FEATURES",
    "IMPUTER_CHECKS",
    "METHOD_CHECKS",
    "READER_CHECKS",
    "SLIDE_REGRESSOR_CHECKS",
    "SYNTHETIC_BULK",
    "SYNTHETIC_DONORS",
    "WRITER_CHECKS",
    "ArraySlide",
    "ContractError",
    "PlantedBulk",
    "PlantedSpots",
    "PlantedStack",
    "Truth",
    "check_deconvolver",
    "check_encoder",
    "check_imputer",
    "check_method",
    "check_reader",
    "check_slide_regressor",
    "check_writer",
    "make_bulk",
    "make_donors",
    "make_feature_sections",
    "make_section",
    "make_spots",
    "make_stack",
    "plant_on_features",
    "write_hest_bench",
    "write_visium",
]

# Late: who draws a section does not need what checks a method.
_NAMES = {
    "_bulk": "BULK_CASES SYNTHETIC_BULK PlantedBulk make_bulk",
    "_check_deconvolver": "DECONVOLVER_CHECKS check_deconvolver",
    "_check_encoder": "ENCODER_CHECKS check_encoder",
    "_check_imputer": "IMPUTER_CHECKS check_imputer",
    "_check_method": "METHOD_CHECKS check_method",
    "_check_reader": "READER_CHECKS check_reader",
    "_check_slide_regressor": "SLIDE_REGRESSOR_CHECKS check_slide_regressor",
    "_check_writer": "WRITER_CHECKS check_writer",
    "_composition": "PlantedSpots make_spots",
    "_feature_sections": "FEATURES make_feature_sections",
    "_genes": "CLASSES DEFAULT_GENES",
    "_plant": "plant_on_features",
    "_promises": "ContractError",
    "_sections": "make_donors make_section",
    "_slide": "ArraySlide",
    "_source": "SYNTHETIC_DONORS",
    "_stack": "PlantedStack make_stack",
    "_truth": "Truth",
    "_write": "write_visium",
    "_write_hest_bench": "write_hest_bench",
}
__getattr__ = late_names(
    __name__, {name: f"{__name__}.{module}" for module, names in _NAMES.items() for name in names.split()}
)
