"""Controls and ceilings on real sections of one donor, without images."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.align import align_footprints
from histoscribe.bench import evaluate
from histoscribe.core.target import choose_panel
from histoscribe.io import read
from histoscribe.methods import expression

pytestmark = pytest.mark.shared


@pytest.fixture(scope="module")
def sections(shared_data):
    return [
        read("st-array", shared_data / "her2st", section=name, donor="C", image="none") for name in ("C3", "C4", "C5")
    ]


def test_sister_sections_align_by_outline_within_the_turns_that_the_field_reports(sections):
    """Mask-only registration of her2st needs turns within 15 degrees."""
    for sister in sections[:2]:
        motion = align_footprints(sister.xy_um, sections[2].xy_um, pitch_um=200.0)
        assert abs(motion.angle_deg) <= 15
        assert motion.overlap > 0.85


def test_the_sister_copy_and_the_depth_oracle_score_where_array_position_hardly_does(sections):
    """Measured on C5 with C2-C4: copy .244 (depth-partial .185), oracle .341, array .184; here with C3 and C4."""
    train, test = sections[:2], sections[2]
    model = expression("mean").fit(train, choose_panel(train, 250))
    prediction = model.predict(test)
    prediction.uns["histoscribe"]["mpp"] = test.mpp
    result = evaluate(prediction, test, training=train)
    table = result.table
    assert "same donor in training" in result.heading
    assert 0.18 < table.loc["sister-copy", "pcc_gene"] < 0.30
    assert table.loc["sister-copy", "depth_partial_pcc_gene"] > 0.12
    assert 0.25 < table.loc["log-depth-oracle", "pcc_gene"] < 0.45
    assert table.loc["log-depth-oracle", "depth_partial_pcc_gene"] == 0
    assert 0.6 < result.ceiling["pcc_gene"] < 0.8
    assert np.isnan(table.loc["colour-ridge", "pcc_gene"])
