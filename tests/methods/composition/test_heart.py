"""The developing heart, whose proportions are known: at least as good as the reference measured."""

import numpy as np
import pytest

from histoscribe.bench.studies.heart_iss_composition import heart_cases
from histoscribe.methods import composition


@pytest.mark.shared
@pytest.mark.parametrize(("kind", "method", "limit"), [("internal", "polaris", 0.0975), ("external", "polaris", 0.124)])
def test_heart_is_deconvolved_within_the_error_that_was_set_as_goal(shared_data, kind, method, limit):
    case = next(c for c in heart_cases(shared_data, 0) if c.name.startswith(kind))
    model = composition(method, held_out=0)
    found = model.fit(case.spots, case.reference, layers="layer").obsm["composition"]
    assert np.sqrt(((found - case.truth) ** 2).mean()) <= limit
