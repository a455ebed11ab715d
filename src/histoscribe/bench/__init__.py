"""The verdict: splits that cannot leak, controls, and scores with their intervals and notes."""

from __future__ import annotations

from histoscribe.bench._evaluate import evaluate
from histoscribe.bench._evaluation import Evaluation
from histoscribe.bench.controls import CONTROLS
from histoscribe.bench.runner import run_suite
from histoscribe.bench.splits import Split, check_disjoint, donor_folds, leave_one_donor_out, spatial_strips
from histoscribe.bench.suite import Suite, load_suite
from histoscribe.bench.training import training_from_prediction

__all__ = [
    "CONTROLS",
    "Evaluation",
    "Split",
    "Suite",
    "check_disjoint",
    "donor_folds",
    "evaluate",
    "leave_one_donor_out",
    "load_suite",
    "run_suite",
    "spatial_strips",
    "training_from_prediction",
]
