"""The verdict says first what a reader must not miss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from histoscribe.reports._atlas import Atlas
from histoscribe.reports._verdict import number, verdict
from reports.example import predict


def say(prediction, evaluation=None):
    statements = verdict(Atlas.of(prediction), evaluation, None)
    return [(s.level, " ".join(part.plain("en") for part in s.parts)) for s in statements]


def scored(evaluation, **rows):
    """Put other numbers of pcc_gene and depth_partial_pcc_gene into the table: name=(pcc, partial)."""
    table = evaluation.table.copy()
    for name, (pcc, partial) in rows.items():
        row = table.index[0] if name == "method" else name.replace("_", "-")
        table.loc[row, "available"] = True
        table.loc[row, ["pcc_gene", "depth_partial_pcc_gene"]] = pcc, partial
    kept = [table.index[0], *(n.replace("_", "-") for n in rows if n != "method")]
    return replace(evaluation, table=table.loc[kept])


def test_a_control_that_wins_is_said_first(prediction, evaluation):
    level, text = say(prediction, scored(evaluation, method=(0.3, 0.2), colour_ridge=(0.35, 0.1)))[0]
    assert level == "bad"
    assert text.startswith("The model is beaten by a control: colour alone reaches pcc_gene 0.350 against 0.300")


def test_the_worst_defeat_is_listed_first(prediction, evaluation):
    rows = scored(evaluation, method=(0.3, 0.2), colour_ridge=(0.31, 0.1), array_knn=(0.2, 0.4))
    text = say(prediction, rows)[0][1]
    assert text.startswith("The model is beaten by 2 controls: position alone reaches depth_partial_pcc_gene 0.400")


def test_a_reference_that_no_new_slide_has_is_named_but_not_called_a_control(prediction, evaluation):
    rows = scored(evaluation, method=(0.3, 0.2), colour_ridge=(0.2, 0.1), log_depth_oracle=(0.4, 0.0))
    level, text = say(prediction, rows)[0]
    assert level == "warn"
    assert "one reference does: measured depth alone reaches pcc_gene 0.400" in text


def test_no_victory_of_a_control_is_said_with_the_best_of_them(prediction, evaluation):
    rows = scored(evaluation, method=(0.3, 0.2), colour_ridge=(0.2, 0.1), array_knn=(0.1, 0.15))
    level, text = say(prediction, rows)[0]
    assert level == "good"
    assert "The best control, colour alone, reaches 0.200 and 0.100" in text


def test_a_control_that_does_as_well_is_no_victory(prediction, evaluation):
    rows = scored(evaluation, method=(0.3, 0.2), colour_ridge=(0.298, 0.199))
    level, text = say(prediction, rows)[0]
    assert level == "warn"
    assert text.startswith("A control does as well as the model: colour alone reaches pcc_gene 0.298")


def test_a_score_that_depth_explains_is_called_so(prediction, evaluation):
    rows = scored(evaluation, method=(0.3, 0.05), log_depth_oracle=(0.29, 0.0))
    assert any(
        level == "bad" and "Sequencing depth explains the score" in text for level, text in say(prediction, rows)
    )
    kept = scored(evaluation, method=(0.3, 0.25), log_depth_oracle=(0.29, 0.0))
    assert not any("Sequencing depth explains" in text for _, text in say(prediction, kept))


def test_trust_comes_second_with_its_count(prediction, evaluation):
    for judged in (None, evaluation):
        level, text = say(prediction, judged)[1]
        assert level == "good"
        assert text.startswith("6 of 12 genes can be trusted.")
        assert "5 donors were held out" in text


def test_no_trusted_gene_is_bad(measured):
    prediction = predict(measured)
    prediction.var["trusted"] = False
    level, text = say(prediction)[1]
    assert level == "bad"
    assert text.startswith("No gene of 12 can be trusted.")


def test_one_training_donor_says_nothing_about_a_new_patient(measured):
    said = say(predict(measured, calibration_unit="section", n_units=3, level=0.7))
    assert any("One training donor only." in text for _, text in said)
    assert said[1][0] == "warn"
    assert not any("One training donor only." in text for _, text in say(predict(measured)))


@pytest.mark.parametrize(("share", "level"), [(45.0, "bad"), (19.0, "good")])
def test_an_unlike_slide_is_a_warning(measured, share, level):
    said = say(predict(measured, ood_slide=share))
    assert any(lv == level and f"{share:.0f} % of its tiles" in text for lv, text in said)


def test_bad_news_comes_before_the_rest(measured):
    levels = [level for level, _ in say(predict(measured, ood_slide=60.0, calibration_unit="section"))][2:]
    assert levels == sorted(levels, key=lambda level: level != "bad")
    assert levels[0] == "bad"


def test_intervals_state_level_and_units(measured):
    said = " ".join(text for _, text in say(predict(measured, level=0.8, n_units=5)))
    assert "Intervals hold 80 % of the places. 5 donors allow no finer level" in said
    none = " ".join(text for _, text in say(predict(measured, level=-1.0, n_units=1)))
    assert "No intervals. 1 donor " in none


@pytest.mark.parametrize(
    ("value", "text"), [(-0.031, "−0.03"), (0.0, "0.00"), (-0.0, "0.00"), (-0.004, "0.00"), (np.nan, "–")]
)
def test_numbers_are_written_with_a_true_minus(value, text):
    assert number(value) == text
