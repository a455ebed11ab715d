"""Studies of cell composition: what is scored, and that stored records are views of them."""

from pathlib import Path

import numpy as np
import pytest

from histoscribe.bench.studies import STUDIES
from histoscribe.bench.studies._board import load_study_records, make_study_boards
from histoscribe.bench.studies._deconvolution import KnownMixture, deconvolvers, run_deconvolver
from histoscribe.bench.studies.synthetic_composition import SyntheticComposition
from histoscribe.methods import COMPOSITION, Reference
from histoscribe.testing import make_spots

RESULTS = Path(__file__).resolve().parents[2] / "results"
NAMES = ("heart-iss-composition", "her2st-composition-from-histology", "synthetic-composition")


@pytest.fixture(scope="module")
def case():
    planted = make_spots(n_spots=40, n_types=3, n_genes=40, cells_per_type=(40, 60), seed=1)
    planted.spots.obs["one"] = "all"
    contrast = planted.layer_factors[1] - planted.layer_factors[0]
    reference = Reference.from_cells(planted.cells, "cell_type")
    return KnownMixture("tiny", planted.spots, reference, planted.truth, {"spots": "made"}, contrast=contrast)


def run(case, label):
    entry = next(e for e in deconvolvers(2) if e.label == label)
    return run_deconvolver(SyntheticComposition(), entry, case, seed=0, synthetic=True)


def test_equal_shares_score_what_they_must(case):
    record = run(case, "uniform")
    scores = record.scores["uniform"]
    assert scores["composition_rmse"] == pytest.approx(np.sqrt(((case.truth - 1 / 3) ** 2).mean()))
    assert scores["composition_pcc_type"] == 0
    assert record.kind == "control"
    assert "end_over_best" not in scores


def test_hindsight_looks_at_the_fit_that_is_reported(case):
    record = run(case, "polaris, 2 layers")
    scores = record.scores["polaris, 2 layers"]
    assert 1 <= scores["end_over_best"] <= scores["end_over_best_all_stages"]
    assert scores["layer_contrast_pcc"] > 0.8
    assert 0 < scores["composition_coverage_90"] <= 1
    assert record.params["layers"] == "layer"
    assert record.split == {"case": "tiny", "layers": 2}


@pytest.mark.parametrize("name", NAMES)
def test_every_record_that_is_stored_is_a_row_of_its_study(name):
    study = STUDIES.get(name)()
    labels = {e.label for e in study.entries}
    records = load_study_records(RESULTS, name)
    assert {label for r in records for label in r.scores} <= labels
    assert {m for r in records for s in r.scores.values() for m in s} <= set(study.metrics)
    controls = {e.label for e in study.entries if e.control}
    rows = [row for board in make_study_boards([study], RESULTS) for table in board.tables for row in table.rows]
    assert all(row.control == (row.label in controls) for row in rows)


def test_every_deconvolver_has_a_row():
    assert {e.method for e in deconvolvers(2)} == set(COMPOSITION)
