"""Training: one readable loop, what it validates on, how it augments, and how it goes on after a kill."""

from __future__ import annotations

from histoscribe.train.augment import SYMMETRIES, transform_view
from histoscribe.train.distributed import Ranks
from histoscribe.train.loop import Outcome, train
from histoscribe.train.options import Training
from histoscribe.train.validation import hold_out
from histoscribe.train.windows import spatial_windows

__all__ = ["SYMMETRIES", "Outcome", "Ranks", "Training", "hold_out", "spatial_windows", "train", "transform_view"]
