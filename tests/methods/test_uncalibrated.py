"""A bundle without calibration: it predicts and is reported on, but promises nothing."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.core import keys
from histoscribe.methods.apply import predict
from histoscribe.methods.bundle import Bundle
from histoscribe.methods.train import fit
from histoscribe.reports import report
from histoscribe.testing import make_section


@pytest.fixture(scope="module")
def prediction(tmp_path_factory):
    train = [make_section(d, size_um=600, mpp=4.0) for d in (0, 1)]
    bundle = fit(train, "ridge", encoder="colour", genes=5, calibrated=False)
    path = bundle.save(tmp_path_factory.mktemp("bundle") / "bare.bundle")
    return predict(make_section(2, size_um=600, mpp=4.0), Bundle.load(path))


def test_it_has_no_interval_and_trusts_no_gene(prediction):
    ours = prediction.uns[keys.UNS]
    assert (ours["level"], ours["calibration_unit"], ours["n_units"]) == (-1.0, "none", 0)
    assert keys.LOWER not in prediction.layers
    assert not prediction.var[keys.TRUSTED].any()
    assert np.isfinite(prediction.X).all()


def test_the_report_says_that_nothing_was_held_out(prediction, tmp_path):
    text = report(prediction, path=tmp_path / "report.html", slide=make_section(2, size_um=600, mpp=4.0).slide)
    assert "no interval" in text.read_text(encoding="utf-8").lower()
