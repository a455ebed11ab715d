"""Probes with few labels: what is known of the vectors comes out, and no donor is on both sides."""

import numpy as np
import pytest

from histoscribe.bench.few_label import FEW_LABEL_METRICS, _split, few_label, retrieval_map
from histoscribe.bench.studies import STUDIES
from histoscribe.core.errors import DataError

LABELS = np.repeat([0, 1], 40)
DONORS = [f"d{i // 2}" for i in range(80)]  # two slides each


def vectors(distance, rng, d=6):
    z = rng.normal(size=(80, d))
    z[:, 0] += distance * (LABELS - 0.5)
    return z


def test_vectors_that_tell_classes_apart_score_1_and_noise_scores_a_half(rng):
    told = few_label(vectors(20.0, rng), LABELS, DONORS, k=5)
    noise = few_label(vectors(0.0, rng), LABELS, DONORS, k=5, draws=30)
    assert set(told) == set(noise) == set(FEW_LABEL_METRICS)
    for name in FEW_LABEL_METRICS:
        assert told[name].shape == (10,)
        assert told[name].mean() > 0.97
        assert abs(noise[name].mean() - 0.5) < 0.07


def test_more_labels_help_where_there_is_something_to_learn(rng):
    z = vectors(2.0, rng)
    few, many = (few_label(z, LABELS, DONORS, k=k)["auc"].mean() for k in (1, 25))
    assert many > few + 0.05


def test_the_same_seed_draws_the_same_slides_and_another_seed_others(rng):
    z = vectors(1.0, rng)
    np.testing.assert_array_equal(*(few_label(z, LABELS, DONORS, k=3, seed=7)["auc"] for _ in range(2)))
    assert (few_label(z, LABELS, DONORS, k=3, seed=7)["auc"] != few_label(z, LABELS, DONORS, k=3)["auc"]).any()


def test_no_donor_of_a_labelled_slide_is_in_the_test():
    groups = np.arange(80) // 2
    train, test = _split(LABELS, groups, 10, np.random.default_rng(0))
    assert not set(groups[train]) & set(groups[test])
    assert [int((LABELS[train] == c).sum()) for c in (0, 1)] == [10, 10]


def test_three_classes_are_scored_one_against_the_others(rng):
    labels = np.repeat(["a", "b", "c"], 20)
    z = 8.0 * np.eye(3)[np.repeat([0, 1, 2], 20)] + rng.normal(size=(60, 3))
    found = few_label(z, labels, [f"d{i}" for i in range(60)], k=4)
    assert found["auc"].mean() > 0.97
    assert found["prototype_auc"].mean() > 0.97


def test_retrieval_asks_other_donors_only():
    # Each slide's twin is of its own donor and class; among other donors the order is worked by hand.
    z = np.array([[1, 0], [1, 0], [0.9, 0.1], [0.9, 0.1], [0, 1], [0, 1], [0.1, 0.9], [0.1, 0.9]])
    same, _ = retrieval_map(z, [0, 0, 0, 0, 1, 1, 1, 1], list("aabbccdd"))
    crossed, chance = retrieval_map(z, [0, 0, 1, 1, 0, 0, 1, 1], list("aabbccdd"))
    assert same == pytest.approx(1.0)
    # Two of six are relevant, in places 3-4 (tied) or 5-6 of each query.
    assert crossed < 0.5
    assert chance == pytest.approx(2 / 6)


@pytest.mark.parametrize(
    ("labels", "k", "message"),
    [
        (LABELS, 41, "a class has 40"),
        (LABELS, 40, "lack a class"),
        (np.zeros(80), 1, "of 1 classes"),
        (LABELS[:70], 1, "with 70 labels"),
    ],
)
def test_too_few_slides_are_refused(rng, labels, k, message):
    with pytest.raises(DataError, match=message):
        few_label(vectors(1.0, rng), labels, DONORS, k=k)


def test_the_study_learns_on_other_sites_than_it_probes_and_hides_what_is_unmeasured():
    from histoscribe.bench.studies.synthetic_few_label import _slides

    learn, test, labels, expression = _slides("unmeasured", 3)
    assert not {b.site for b in learn} & {b.site for b in test}
    assert not {b.donor for b in learn} & {b.donor for b in test}
    assert len(labels) == len(test) == 120
    assert 0.3 < labels.mean() < 0.7
    assert expression.n_vars == 30  # of 60: those of the state that the class is not
    study = STUDIES.get("synthetic-few-label")()
    assert [e.method for e in study.entries if e.control] == ["mean-feature", "pca-mean"]
    assert 0 not in study.seeds  # settings were chosen there
