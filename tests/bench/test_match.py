"""Prediction and measurement are brought onto the same places, or refused."""

from __future__ import annotations

import json

import numpy as np
import pytest

from histoscribe.bench import evaluate
from histoscribe.bench._match import match, scored_genes, target_of
from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, GeneError
from histoscribe.core.target import Target


def test_equal_names_match_in_any_order(sections, predict, rng):
    section, order = sections[0], rng.permutation(64)
    plain = predict(section)
    found = match(plain[order].copy(), section)
    assert found.how == "name"
    assert found.unmatched == 0
    np.testing.assert_array_equal(plain[order].obs_names[found.rows], section.table.obs_names)


def test_observations_without_a_prediction_are_left_out_and_counted(sections, predict):
    found = match(predict(sections[0], rows=np.arange(50)), sections[0])
    assert (found.section.n_obs, found.unmatched, found.how) == (50, 14, "name")


def test_other_names_match_by_the_nearest_place_in_um_across_scales(sections, predict):
    """The slide predicted on has 0.5 um/px, the measured image 1 um/px; the grid is 40 um off."""
    section = sections[0]
    prediction = predict(section, mpp=0.5)
    prediction.obs_names = [f"x{i}y0" for i in range(64)]
    prediction.obsm[keys.SPATIAL] = (section.xy_um + np.array([40.0, 0.0])) / 0.5
    found = match(prediction, section)
    assert (found.how, found.unmatched) == ("position", 0)
    assert found.distance_um == pytest.approx(40.0)
    np.testing.assert_array_equal(found.rows, np.arange(64))


def test_a_place_is_near_within_half_the_diagonal_of_a_grid_cell(sections, predict):
    section = sections[0]
    prediction = predict(section)
    prediction.obs_names = [f"x{i}y0" for i in range(64)]
    corner = prediction.copy()
    corner.obsm[keys.SPATIAL] = section.xy + 50.0
    assert match(corner, section).unmatched == 0
    beyond = prediction.copy()
    beyond.obsm[keys.SPATIAL] = section.xy + np.array([500.0, 72.0])
    # Moved by 5 of 8 columns, so 5 x 8 have left the grid; of the 3 columns inside, the first row lies 72 um before
    # it (71 are allowed) and every other row 28 um from the one before.
    assert match(beyond, section).unmatched == 5 * 8 + 3


def test_same_names_at_other_places_are_refused(sections, predict):
    prediction = predict(sections[0])
    prediction.obsm[keys.SPATIAL] = sections[0].xy * 3
    with pytest.raises(CoordinateError, match="named alike lie .* um apart"):
        match(prediction, sections[0])


def test_another_tissue_is_refused(sections, predict):
    prediction = predict(sections[0])
    prediction.obs_names = [f"x{i}y0" for i in range(64)]
    prediction.obsm[keys.SPATIAL] = sections[0].xy + 1e5
    with pytest.raises(CoordinateError, match="only 0 of 64 observations"):
        match(prediction, sections[0])


def test_a_prediction_without_scale_or_unit_is_refused(sections, predict):
    with pytest.raises(DataError, match="is not a prediction"):
        evaluate(sections[0].table, sections[0])
    with pytest.raises(DataError, match="the prediction is in 'z-score'"):
        evaluate(predict(sections[0], unit="z-score"), sections[0])
    assert target_of(predict(sections[0], unit="ln(1 + counts per 1e+06)")).scale == 1e6


def test_genes_that_are_not_measured_fall_out_and_none_left_is_refused(sections, predict):
    section = sections[0]
    prediction = predict(section)
    fewer = section.replace(table=section.table[:, 3:].copy())
    genes, dropped = scored_genes([prediction], [fewer])
    assert (genes, dropped) == (list(prediction.var_names[3:]), 3)
    with pytest.raises(GeneError, match="none of the 12 predicted genes"):
        scored_genes([prediction], [section.replace(table=section.table[:, 12:].copy())])


def test_unmeasured_sections_and_unequal_lists_are_refused(sections, predict):
    with pytest.raises(DataError, match="no measured expression to compare with"):
        match(predict(sections[0]), sections[0].blind())
    with pytest.raises(DataError, match="1 predictions and 2 measured sections do not pair up"):
        evaluate(predict(sections[0]), sections[:2])


def test_a_target_is_read_from_the_json_or_from_the_unit(sections, predict):
    target = Target(library="panel", base="10", smooth="array-3x3")
    assert target_of(predict(sections[0], unit=target.unit)) == target
    assert target_of(predict(sections[0], unit=target.unit, target=json.dumps(target.to_dict()))) == target
    with pytest.raises(DataError, match="Mend one"):
        target_of(predict(sections[0], unit="z-score", target=json.dumps(target.to_dict())))


def test_a_panel_library_is_refused_where_part_of_the_panel_is_not_measured(sections, predict):
    lacking = sections[0].replace(table=sections[0].table[:, 1:].copy())
    prediction = predict(sections[0], unit=Target(library="panel").unit)
    with pytest.raises(GeneError, match="divides by the whole panel"):
        evaluate(prediction, lacking, training=())


def test_a_3x3_mean_is_taken_over_the_whole_section_where_only_part_of_it_is_scored(sections, predict):
    target = Target(smooth="array-3x3")
    prediction = predict(sections[0], unit=target.unit, rows=np.arange(40))
    matched = match(prediction, sections[0])
    genes = list(prediction.var_names)
    assert matched.unmatched == 24
    assert np.array_equal(matched.target(target, genes), target(sections[0], genes)[:40])
    assert matched.reliability(target, genes).shape == (len(genes),)
