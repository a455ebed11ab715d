"""Exemplars never come from the observation's own kind in training, and are the nearest that remain."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.core.errors import DataError
from histoscribe.methods._batches import Unit
from histoscribe.methods._exemplars import find_exemplars, remember


def memory_of(origin, rng):
    origin = np.asarray(origin)
    return {"key": rng.normal(size=(len(origin), 3)).astype(np.float32), "origin": origin}


@pytest.fixture
def two_donors(rng):
    """Donor 0: sections 0 and 1; donor 1: section 2; four observations each, in two strips."""
    rows = [(donor, section, strip) for donor, section in ((0, 0), (0, 1), (1, 2)) for strip in (0, 0, 1, 1)]
    return memory_of(rows, rng)


def retrieved(memory, origin, *, exclude="donor", k=3):
    key = np.zeros((len(origin), 3), dtype=np.float32)
    found = find_exemplars(memory, key, k=k, origin=np.asarray(origin), exclude=exclude)
    return [memory["origin"][row[row >= 0]] for row in found]


def test_exemplars_are_the_nearest_in_order(rng):
    memory = memory_of(np.zeros((30, 3), dtype=int), rng)
    key = rng.normal(size=(700, 3)).astype(np.float32)
    found = find_exemplars(memory, key, k=4, origin=None, exclude="donor")
    distance = np.linalg.norm(key[:, None] - memory["key"], axis=-1)
    np.testing.assert_array_equal(found, np.argsort(distance, axis=1)[:, :4])


def test_a_training_observation_sees_other_donors_only(two_donors):
    of_first, of_second = retrieved(two_donors, [(0, 0, 0), (1, 2, 1)])
    assert set(of_first[:, 0]) == {1}
    assert set(of_second[:, 0]) == {0}


def test_the_released_rule_lets_other_sections_of_the_donor_in(two_donors):
    (found,) = retrieved(two_donors, [(0, 0, 0)], exclude="section", k=8)
    assert set(found[:, 1]) == {1, 2}


def test_one_donor_sees_its_other_sections(two_donors):
    lone = {name: value[:8] for name, value in two_donors.items()}
    (found,) = retrieved(lone, [(0, 0, 0)], k=8)
    assert set(found[:, 1]) == {1}


def test_one_section_sees_its_other_strips(two_donors):
    lone = {name: value[:4] for name, value in two_donors.items()}
    (found,) = retrieved(lone, [(0, 0, 1)], k=8)
    assert set(found[:, 2]) == {0}


def test_prediction_may_use_all_of_the_memory(two_donors):
    found = find_exemplars(two_donors, np.zeros((1, 3), np.float32), k=12, origin=None, exclude="donor")
    assert sorted(found[0]) == list(range(12))


def test_lacking_exemplars_are_marked(two_donors):
    found = find_exemplars(two_donors, np.zeros((1, 3), np.float32), k=14, origin=None, exclude="donor")
    assert (found[0, 12:] == -1).all()


def test_one_strip_alone_is_refused(rng):
    with pytest.raises(DataError, match="one strip of one section"):
        retrieved(memory_of([(0, 0, 0)] * 5, rng), [(0, 0, 0)])


def test_what_validates_is_not_remembered(rng):
    y = rng.random((4, 2)).astype(np.float32)
    views = {"key": rng.random((4, 3))}
    unit = Unit(0, np.arange(4), views, y, y, np.ones(4), np.zeros((4, 3), dtype=int))
    memory = remember([unit], [np.array([True, False, True, False])], lambda u: u.views["key"])
    np.testing.assert_array_equal(memory["y"], y[[0, 2]])
    np.testing.assert_allclose(memory["key"], views["key"][[0, 2]], rtol=1e-6)
    assert len(memory["origin"]) == 2
