"""A published target goes through fitting, a file, evaluation and its controls as one."""

from __future__ import annotations

import json

import numpy as np
import pytest

from histoscribe.bench import evaluate
from histoscribe.bench._match import target_of
from histoscribe.core.target import Target
from histoscribe.methods import expression
from histoscribe.methods.bundle import Bundle, provenance
from histoscribe.methods.calibration import calibrate

TRIPLEX = Target(library="panel", base="10", smooth="array-3x3")


@pytest.fixture(scope="module")
def fitted(sections):
    """The training mean of three donors, fitted on the published target of ten genes."""
    train = sections[:3]
    model = expression("mean").fit(train, [str(g) for g in train[0].table.var_names[:10]], target=TRIPLEX)
    return train, model


def test_a_bundle_remembers_the_whole_target(fitted, tmp_path):
    train, model = fitted
    path = Bundle(model, calibrate(model, train), provenance(train)).save(tmp_path / "mean.bundle")
    assert Bundle.load(path).predictor.target_ == TRIPLEX


def test_evaluation_and_its_record_use_the_target_of_the_prediction(fitted, sections):
    train, model = fitted
    test = sections[4]
    prediction = model.predict(test)
    prediction.uns["histoscribe"]["mpp"] = test.mpp
    assert target_of(prediction) == TRIPLEX
    assert json.loads(prediction.uns["histoscribe"]["target"]) == TRIPLEX.to_dict()
    result = evaluate(prediction, test, training=train)
    truth = TRIPLEX(test, model.genes_).astype(np.float64)
    assert result.table.loc["mean", "mse"] == pytest.approx(((truth - model.train_mean_) ** 2).mean(), rel=1e-5)
    assert result.table.loc["training-mean", "mse"] == pytest.approx(result.table.loc["mean", "mse"], rel=1e-6)
    assert Target.from_dict(result.record.target) == TRIPLEX


def test_the_ceiling_of_a_smoothed_truth_is_higher(sections):
    test = sections[4]
    ceilings = []
    for smooth in ("none", "array-3x3"):
        target = Target(library="panel", base="10", smooth=smooth)
        model = expression("mean").fit(sections[:3], [str(g) for g in test.table.var_names[:10]], target=target)
        prediction = model.predict(test)
        prediction.uns["histoscribe"]["mpp"] = test.mpp
        ceilings.append(evaluate(prediction, test, training=sections[:3]).ceiling["pcc_gene"])
    assert ceilings[1] > ceilings[0]
