"""The verdict: numbers by hand, donors as the unit, sentences that fit the numbers, nothing lost on disk."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from scipy import stats

from histoscribe import metrics
from histoscribe.bench import Evaluation, evaluate
from histoscribe.bench._notes import depth_sentence
from histoscribe.bench._scoring import donor_mean
from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.records import RunRecord
from histoscribe.core.target import Target
from histoscribe.metrics import METRICS
from histoscribe.testing import make_feature_sections


@pytest.fixture(scope="session")
def pairs(sections):
    return sections[:4], sections[4:]


@pytest.fixture
def result(pairs, predict):
    tests, training = pairs
    return evaluate([predict(s, seed=i) for i, s in enumerate(tests)], tests, training=training)


def test_means_go_over_sections_then_donors_and_the_interval_is_over_donors():
    # Donor A: sections .0 and .2, mean .1; donor B: .3. Mean .2, sd .1414, half width t(.975, 1) * .1414 / sqrt(2).
    mean, lower, upper = donor_mean([0.0, 0.3, 0.2], ["A", "B", "A"])
    assert mean == pytest.approx(0.2)
    assert upper - mean == pytest.approx(12.7062 * 0.1, rel=1e-4)
    assert mean - lower == pytest.approx(upper - mean)


def test_one_donor_has_no_interval_however_many_sections_and_spots():
    mean, lower, upper = donor_mean([0.1, 0.3], ["A", "A"])
    assert mean == pytest.approx(0.2)
    assert np.isnan([lower, upper]).all()


def test_a_section_without_a_value_does_not_count():
    assert donor_mean([np.nan, 0.3, 0.1], ["A", "B", "C"])[0] == pytest.approx(0.2)
    assert np.isnan(donor_mean([np.nan], ["A"])[0])


def test_the_table_starts_with_the_method_and_lists_every_control(result):
    assert list(result.table.index) == [
        "toy",
        "array-knn",
        "colour-ridge",
        "log-depth-oracle",
        "sister-copy",
        "training-mean",
    ]
    assert set(METRICS) <= set(result.table.columns)
    assert result.table.loc[~result.table["available"], "reason"].str.len().min() > 10
    assert (result.table.loc[result.table["available"], "reason"] == "").all()


def test_the_method_row_is_what_the_metrics_give_section_by_section(result, pairs, predict):
    tests, _ = pairs
    values, partial = [], []
    for i, section in enumerate(tests):
        prediction = predict(section, seed=i)
        genes = list(prediction.var_names)
        truth = Target()(section, genes)
        values.append(metrics.pcc_gene(truth, prediction.X).mean())
        partial.append(metrics.depth_partial_pcc_gene(truth, prediction.X, section.depth).mean())
    row = result.table.loc["toy"]
    assert row["pcc_gene"] == pytest.approx(np.mean(values))
    assert row["depth_partial_pcc_gene"] == pytest.approx(np.mean(partial))
    half = stats.t.ppf(0.975, 3) * np.std(values, ddof=1) / 2
    assert row["pcc_gene_upper"] == pytest.approx(np.mean(values) + half)


def test_truth_is_unsmoothed_and_normalised_by_the_library_over_all_genes(sections, predict):
    section = sections[0]
    genes = list(section.table.var_names[:12])
    counts = section.table[:, genes].layers[keys.COUNTS].toarray()
    perfect = np.log1p(1e4 * counts / section.depth[:, None])
    row = evaluate(predict(section, values=perfect), section, training=()).table.loc["toy"]
    assert row["pcc_gene"] == pytest.approx(1.0)
    assert row["mse"] == pytest.approx(0.0, abs=1e-12)
    inside = np.log1p(1e4 * counts / counts.sum(1, keepdims=True))
    assert evaluate(predict(section, values=inside), section, training=()).table.loc["toy", "mse"] > 0.1


def test_the_order_of_observations_and_genes_in_the_prediction_changes_nothing(sections, predict, rng):
    section, prediction = sections[0], predict(sections[0])
    shuffled = prediction[rng.permutation(64)][:, rng.permutation(12)].copy()
    a, b = (evaluate(p, section, training=()) for p in (prediction, shuffled))
    np.testing.assert_allclose(
        a.table.loc["toy", list(METRICS)].astype(float), b.table.loc["toy", list(METRICS)].astype(float)
    )
    np.testing.assert_allclose(a.per_gene["pcc_gene"], b.per_gene["pcc_gene"].loc[a.per_gene.index])


def test_constant_predictions_score_exactly_0_and_are_reported(sections, predict):
    section = sections[0]
    values = Target()(section, list(section.table.var_names[:12]))
    values[:, :3] = 1.7
    result = evaluate(predict(section, values=values), section, training=())
    assert result.table.loc["toy", "pcc_gene"] == pytest.approx(9 / 12)
    assert result.per_gene["constant_prediction"].sum() == 3
    assert any(note.startswith("3 genes are predicted constant") for note in result.notes)


def test_a_gene_without_counts_is_left_out_of_correlations_and_reported(sections, predict):
    section = sections[0].subset(np.arange(64))
    counts = section.table.layers[keys.COUNTS].tolil()
    counts[:, 2] = 0
    section.table.layers[keys.COUNTS] = counts.tocsr()
    result = evaluate(predict(section, noise=0.3), section, training=())
    assert result.per_gene["varies"].tolist().count(False) == 1
    assert result.per_gene.notna().all(axis=None)
    assert any(note.startswith("1 genes are constant in the truth") for note in result.notes)
    assert result.table.loc["toy", "pcc_gene"] == pytest.approx(
        result.per_gene.loc[result.per_gene["varies"], "pcc_gene"].mean()
    )


def test_one_donor_gets_no_interval_and_the_notes_say_so(sections, predict):
    result = evaluate(predict(sections[0]), sections[0], training=sections[1:])
    bounds = [c for c in result.table.columns if c.endswith(("_lower", "_upper"))]
    assert result.table[bounds].isna().all(axis=None)
    assert any("One donor: no confidence interval" in note for note in result.notes)


def test_a_control_that_wins_is_said_before_everything_else(sections, predict):
    # Twice the counts: the same expression everywhere, and yet no copy, which would be refused.
    table = sections[0].table.copy()
    table.layers[keys.COUNTS] = table.layers[keys.COUNTS] * 2
    table.obs[keys.DEPTH] *= 2
    twin = sections[0].replace(table=table, name="twin", donor="twin")
    result = evaluate(predict(sections[0], noise=30.0), sections[0], training=[twin])
    assert result.notes[0].startswith("The control array-knn (position alone) beats toy: pcc_gene 0.")
    good = evaluate(predict(sections[0], noise=0.1), sections[0], training=[twin])
    assert good.notes[0].startswith("No available control")


def test_a_score_that_is_depth_is_called_depth(predict):
    sections = make_feature_sections(3, 100, seed=2, n_genes=0, n_null=0, n_depth=12)
    test = sections[0]
    through_depth = np.log(test.depth)[:, None] + 0.1 * np.random.default_rng(0).normal(size=(100, 12))
    found = evaluate(predict(test, values=through_depth), test, training=sections[1:]).notes
    assert any("depth explains the score" in note for note in found)
    own = evaluate(predict(test, noise=0.2), test, training=sections[1:]).notes
    assert not any("depth explains the score" in note for note in own)


@pytest.mark.parametrize(
    ("oracle", "own", "partial", "said"),
    [
        (
            0.23,
            0.24,
            0.02,
            "0.230 vs 0.240 of m (pcc_gene): depth explains the score; with depth removed m keeps 0.020.",
        ),
        (0.10, 0.24, 0.02, "much of the score is depth"),
        (0.34, 0.24, 0.17, "depth alone would score more, but with depth removed m keeps 0.170, so there is signal"),
        (0.23, 0.24, 0.17, "depth alone would score nearly as much, but"),
        (0.10, 0.24, 0.20, "0.100 vs 0.240 of m (pcc_gene); with depth removed m keeps 0.200."),
        (0.10, -0.01, 0.0, "0.100 vs -0.010 of m (pcc_gene); with"),
    ],
)
def test_depth_is_blamed_by_what_it_reaches_and_by_what_is_left_without_it(oracle, own, partial, said):
    assert said in depth_sentence("m", oracle, own, partial)[0]


def test_trust_flags_and_intervals_are_judged_where_there_are_any(sections, predict):
    section = sections[0]
    prediction = predict(section, noise=0.2, level=0.8, calibration_unit="donor")
    values = np.asarray(prediction.X)
    prediction.var[keys.TRUSTED] = np.arange(12) < 6
    prediction.layers[keys.LOWER], prediction.layers[keys.UPPER] = values - 0.2 * 1.2816, values + 0.2 * 1.2816
    result = evaluate(prediction, section, training=())
    assert result.coverage["stated"] == 0.8
    assert result.coverage["measured"] == pytest.approx(0.8, abs=0.05)
    assert any("hold 7" in n or "hold 8" in n for n in result.notes)
    assert any("6 of 6 trusted genes have a positive depth_partial_pcc_gene" in n for n in result.notes)
    assert not evaluate(predict(section), section, training=()).coverage


def test_the_ceiling_is_that_of_count_splitting(result, sections):
    genes = list(result.per_gene.index)
    expected = [metrics.reliability(s.table[:, genes].layers[keys.COUNTS], s.depth, seed=0) for s in sections[:4]]
    np.testing.assert_allclose(result.per_gene["reliability"], np.mean(expected, axis=0))
    assert result.ceiling["pcc_gene"] == pytest.approx(np.sqrt(expected).mean())


def test_an_evaluation_comes_back_from_disk_as_it_was(result, tmp_path):
    result.save(tmp_path / "verdict")
    again = Evaluation.load(tmp_path / "verdict")
    assert again.to_dict() == result.to_dict()
    assert again.method == "toy"
    assert json.dumps(again.to_dict(), allow_nan=False)
    assert not list((tmp_path / "verdict").glob(".*partial"))
    record = RunRecord.load(tmp_path / "verdict" / f"record-{result.record.id}.json")
    assert record.scores["toy"]["pcc_gene"] == result.table.loc["toy", "pcc_gene"]
    assert "not_applicable" in record.scores["sister-copy"]
    with pytest.raises(DataError, match="is JSON but not an evaluation"):
        (tmp_path / "other.json").write_text("{}")
        Evaluation.load(tmp_path / "other.json")


def test_the_record_says_what_was_compared(result, pairs):
    tests, training = pairs
    record = result.record
    assert record.split["test_donors"] == [s.donor for s in tests]
    assert record.split["train_donors"] == [s.donor for s in training]
    assert record.n == {
        "donors": 4,
        "sections": 4,
        "observations": 256,
        "observations_unmatched": 0,
        "genes": 12,
        "genes_left_out": 0,
        "genes_constant": 0,
    }
    assert record.synthetic
    assert result.heading.startswith("SYNTHETIC DATA: toy on 4 section(s) of 4 donor(s)")
    assert record.seconds > 0


def test_the_same_call_gives_the_same_numbers(sections, predict):
    a, b = (evaluate(predict(sections[0]), sections[0], training=sections[1:]) for _ in range(2))
    left, right = a.to_dict(), b.to_dict()
    for value in (left, right):
        for volatile in ("seconds", "created"):
            value["record"].pop(volatile)
    assert left == right


def test_mixed_units_and_a_controls_name_are_refused(sections, predict):
    other = predict(sections[1], unit="ln(1 + counts per 1e+06)")
    with pytest.raises(DataError, match="different units"):
        evaluate([predict(sections[0]), other], sections[:2])
    with pytest.raises(DataError, match="'sister-copy' is the name of a control"):
        evaluate(predict(sections[0]), sections[0], method_name="sister-copy")


def test_one_section_is_judged_in_about_a_second(sections, predict):
    start = time.perf_counter()
    evaluate(predict(sections[0]), sections[0], training=sections[1:])
    assert time.perf_counter() - start < 2.0
