"""Cell composition from H&E alone: ridge on tiles and their surroundings, moved to the nearest composition."""

from __future__ import annotations

from typing import ClassVar

from histoscribe.core.card import Card
from histoscribe.core.composition import CompositionTarget
from histoscribe.methods._ridge import RidgePredictor

__all__ = ["HistologyComposition"]


class HistologyComposition(RidgePredictor):
    """Linear map from frozen features of a tile and of a three times wider one to the shares of cell types.

    Shares are learned as they are, and predictions moved to the nearest composition, which in squared error can only
    bring them nearer to any true one. Types come with held-out correlations, so that those which the stain does not
    show are not trusted. Parameters: `RidgePredictor`.
    Source: the image stage of POLARIS (polaris-2023).
    """

    card: ClassVar[Card] = Card(
        name="histology-composition",
        summary="Cell composition from H&E alone: ridge on a tile and its surroundings, nearest composition.",
        paper="polaris-2023",
        deviations=(
            "Learns measured or deconvolved proportions; the paper learns counts through its fitted profiles.",
            "Ungated frozen features with a tuned ridge; the paper has an MAE ViT-L and a linear map without penalty.",
            "Tiles of 112 and 336 um; the paper cuts crops of fixed pixels for each tissue, and crops 3 times as wide.",
            "Gives intervals and flags from held-out donors (sections or strips where there are no more); the paper "
            "has neither, and no script for a new slide.",
        ),
    )
    learns: ClassVar[tuple[str, ...]] = (CompositionTarget.kind,)
    default_size_um: ClassVar[tuple[float, ...]] = (112.0, 336.0)
