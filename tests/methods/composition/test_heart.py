"""The developing heart, whose proportions are known: at least as good as the reference measured."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from histoscribe.methods import composition

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "composition.py"


@pytest.mark.shared
@pytest.mark.parametrize(("kind", "method", "limit"), [("internal", "polaris", 0.0975), ("external", "polaris", 0.124)])
def test_heart_is_deconvolved_within_the_error_that_was_set_as_goal(shared_data, kind, method, limit):
    spec = importlib.util.spec_from_file_location("composition_benchmark", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    case = next(c for c in script.heart(shared_data, seed=0) if c["case"].startswith(kind))
    model = composition(method, held_out=0)
    found = model.fit(case["spots"], case["reference"], layers="layer").obsm["composition"]
    assert np.sqrt(((found - case["truth"]) ** 2).mean()) <= limit
