"""Controls find what is planted for them, see only what they may, and say why they cannot run."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe import metrics
from histoscribe.align import Rigid
from histoscribe.bench import CONTROLS, evaluate
from histoscribe.bench._evaluate import _run
from histoscribe.bench._inputs import make_case
from histoscribe.bench.controls import Control, Output
from histoscribe.core import keys
from histoscribe.core.target import Target
from histoscribe.testing import make_feature_sections, make_section


@pytest.fixture
def case(sections, predict):
    def make(test, training):
        genes = list(test.table.var_names[:12])
        given = (tuple(training), "no training section was given")
        return make_case(predict(test), test, genes=genes, target=Target(), training=given, seed=0)

    return make


def run(name, *cases):
    return _run(CONTROLS.get(name), cases, target=Target(), seed=0)


@pytest.mark.parametrize("name", CONTROLS)
def test_control_is_registered_under_its_own_name_with_a_label(name):
    control = CONTROLS.get(name)
    assert control.name == name
    assert control.label
    assert control.summary.endswith(".")


def test_only_the_oracle_sees_the_depth_of_the_test_section_and_nobody_its_counts(case, sections):
    seen = {}

    def spy(task):
        seen["obs"], seen["layers"] = set(task.tests[0].table.obs), set(task.tests[0].table.layers)
        return Output([np.zeros((s.n_obs, 12)) for s in task.tests])

    _run(
        Control(name="spy", summary="", kind="control", label="", run=spy),
        [case(*split(sections))],
        target=Target(),
        seed=0,
    )
    assert keys.DEPTH not in seen["obs"]
    assert not seen["layers"]
    assert [n for n in CONTROLS if CONTROLS.get(n).uses_depth] == ["log-depth-oracle"]


def doubled(section, **changes):
    """The section with twice its counts: the same tissue would be refused as training, the same map is not."""
    table = section.table.copy()
    table.layers[keys.COUNTS] = table.layers[keys.COUNTS] * 2
    table.obs[keys.DEPTH] *= 2
    return section.replace(table=table, **changes)


def split(sections):
    return sections[0], sections[1:]


def test_the_training_mean_is_the_zero_of_r2_and_of_every_correlation(case, sections):
    scores = run("training-mean", case(*split(sections))).scores[0]
    assert scores["r2_train_mean"].mean == 0
    assert scores["pcc_gene"].mean == 0
    assert scores["pcc_gene"].constant.all()
    assert scores["pcc_spot"].mean > 0.5  # why that axis is never to be quoted alone


def test_the_depth_oracle_scores_on_depth_genes_and_exactly_0_once_depth_is_removed(predict):
    sections = make_feature_sections(3, 100, seed=2, n_genes=0, n_null=0, n_depth=12)
    table = evaluate(predict(sections[0]), sections[0], training=sections[1:]).table
    assert table.loc["log-depth-oracle", "pcc_gene"] > 0.4
    assert table.loc["log-depth-oracle", "depth_partial_pcc_gene"] == 0
    assert table.loc["log-depth-oracle", "mse"] < table.loc["training-mean", "mse"]


def test_without_training_the_oracle_is_a_bare_pattern_and_its_errors_stay_empty(predict, sections):
    row = evaluate(predict(sections[0]), sections[0], training=()).table.loc["log-depth-oracle"]
    assert row["label"].endswith("pattern only")
    assert np.isfinite(row["pcc_gene"])
    assert np.isnan([row["mse"], row["r2_train_mean"], row["variance_ratio"], row["pcc_spot"]]).all()


def test_array_neighbours_copy_what_sits_at_the_same_array_place(case, sections):
    """A sister with the same expression: only the averaging over 10 neighbours separates it from the truth."""
    twin = doubled(sections[0], name="twin", donor="twin")
    own = run("array-knn", case(sections[0], [twin])).scores[0]["pcc_gene"].mean
    stranger = run("array-knn", case(sections[0], sections[1:])).scores[0]["pcc_gene"].mean
    assert own > 0.3
    assert abs(stranger) < own / 2


def test_the_sister_copy_undoes_a_motion_that_the_array_does_not_know(case):
    """An L of tissue, turned by 30 degrees and shifted, with shuffled array coordinates."""
    test = make_feature_sections(1, 400, seed=5)[0]
    test = test.subset((test.xy_um[:, 0] < 900) | (test.xy_um[:, 1] > 1100))
    sister = doubled(test, name="sister")
    sister.table.obsm[keys.SPATIAL] = Rigid(30.0, test.xy.mean(0), np.array([5000.0, 800.0]), 1.0)(test.xy)
    sister.table.obs[[keys.ARRAY_ROW, keys.ARRAY_COL]] = 0
    copy = run("sister-copy", case(test, [sister])).scores[0]["pcc_gene"]
    # The best that averaging 7 neighbours of the truth itself can give.
    from scipy.spatial import cKDTree

    truth = Target()(test, list(test.table.var_names[:12]))
    smooth = truth[cKDTree(test.xy).query(test.xy, k=7)[1]].mean(1)
    ideal = metrics.pcc_gene(truth, smooth).mean()
    assert ideal > 0.3
    assert copy.mean > 0.9 * ideal


def test_the_sister_copy_needs_another_section_of_the_donor(case, sections, from_file):
    assert "training holds no section of donor synthetic-donor-1" in run("sister-copy", case(*split(sections))).reason
    whole = from_file(sections[0], "abc")
    left, right = whole.subset(range(32)), whole.subset(range(32, 64))
    assert "only another part of section synthetic-1" in run("sister-copy", case(left, [right])).reason


def test_outlines_that_do_not_fit_are_not_copied(case):
    test = make_feature_sections(1, 100, seed=5)[0]
    strip = doubled(test.subset(test.xy_um[:, 0] < 200), name="strip")
    assert "overlap by only" in run("sister-copy", case(test, [strip])).reason


def test_missing_array_images_or_training_become_the_reason_in_the_row(case, sections):
    bare = [s.subset(np.arange(s.n_obs)) for s in sections]
    for s in bare:
        del s.table.obs[keys.ARRAY_ROW]
    reason = run("array-knn", case(bare[0], bare[1:])).reason
    assert "sections synthetic-2, synthetic-3, synthetic-4 and 3 more without array coordinates" in reason
    assert "without an image at hand" in run("colour-ridge", case(*split(sections))).reason
    for name in ("array-knn", "colour-ridge", "sister-copy"):
        assert run(name, case(sections[0], [])).reason == "no training section was given"


def test_a_control_that_fails_on_one_of_several_sections_has_no_score_at_all(case, sections):
    sister = sections[1].replace(name="sister of 1", donor=sections[0].donor)
    row = run("sister-copy", case(sections[0], [sister]), case(sections[2], sections[3:]))
    assert not row.scores
    assert row.reason.endswith("(first at test section synthetic-3)")


def test_colour_ridge_reads_stroma_off_the_colours_of_another_donor(case):
    sections = [make_section(donor, seed=1, genes={"stroma": 6, "null": 6}, size_um=1300.0) for donor in range(4)]
    one = case(sections[0], sections[1:])
    row = run("colour-ridge", one)
    assert row.reason == ""
    planted = [g.startswith("STROMA") for g in one.genes]
    assert row.scores[0]["pcc_gene"].values[planted].mean() > 0.3
