"""Ridge regression on frozen features, with the shrinkage that published baselines leave untuned."""

from __future__ import annotations

from typing import ClassVar

from histoscribe.core.card import Card
from histoscribe.methods._ridge import RidgePredictor

__all__ = ["Ridge"]


class Ridge(RidgePredictor):
    """Linear map from features to expression, one strength per feature block, unpenalised intercept.

    Source: Hoerl and Kennard 1970 (hoerl-kennard-1970). Parameters and what is learned: `RidgePredictor`.
    """

    card: ClassVar[Card] = Card(
        name="ridge",
        summary="Ridge on frozen features; strength per feature block chosen by inner grouped cross-validation.",
        paper="hoerl-kennard-1970",
        deviations=("Strength chosen within groups after removing each group's mean residual.",),
    )
