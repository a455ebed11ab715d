"""The verdict: splits that cannot leak, controls, and scores with their intervals and notes."""

from __future__ import annotations

from histoscribe.bench._evaluate import evaluate
from histoscribe.bench._evaluation import Evaluation
from histoscribe.bench.composition_scores import CompositionScores, evaluate_composition
from histoscribe.bench.controls import CONTROLS
from histoscribe.bench.identity import Duplicate, check_split, find_duplicates
from histoscribe.bench.runner import run_suite
from histoscribe.bench.splits import Split, check_disjoint, donor_folds, leave_one_donor_out, spatial_strips
from histoscribe.bench.suite import Suite, load_suite
from histoscribe.bench.training import training_from_prediction

__all__ = [
    "CONTROLS",
    "CompositionScores",
    "Duplicate",
    "Evaluation",
    "Split",
    "Suite",
    "check_disjoint",
    "check_split",
    "donor_folds",
    "evaluate",
    "evaluate_composition",
    "find_duplicates",
    "leave_one_donor_out",
    "load_suite",
    "run_suite",
    "spatial_strips",
    "training_from_prediction",
]
