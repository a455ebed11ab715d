"""Transforms keep one small interface: call, matrix, inverse, then, to and from JSON values."""

from __future__ import annotations

import json

import numpy as np
import pytest

from histoscribe.align import Affine, Rigid, fit_rigid, transform_from_dict
from histoscribe.core.errors import DataError

TURN = Rigid(30.0, np.array([100.0, -50.0]), np.array([7.0, 11.0]))
STRETCH = Affine(np.array([[1.1, 0.2], [-0.1, 0.9]]), np.array([3.0, -4.0]))


@pytest.mark.parametrize("motion", [TURN, STRETCH])
def test_the_matrix_the_inverse_and_the_json_values_are_the_same_motion(motion, rng):
    xy = rng.normal(size=(20, 2)) * 1000
    by_matrix = (motion.matrix @ np.column_stack([xy, np.ones(20)]).T).T[:, :2]
    np.testing.assert_allclose(by_matrix, motion(xy), atol=1e-9)
    np.testing.assert_allclose(motion.inverse()(motion(xy)), xy, atol=1e-9)
    again = transform_from_dict(json.loads(json.dumps(motion.to_dict())))
    assert type(again) is type(motion)
    np.testing.assert_allclose(again(xy), motion(xy), atol=1e-9)


@pytest.mark.parametrize("first", [TURN, STRETCH])
@pytest.mark.parametrize("second", [TURN, STRETCH])
def test_then_applies_the_second_after_the_first_and_stays_rigid_if_both_are(first, second, rng):
    xy = rng.normal(size=(20, 2)) * 1000
    both = first.then(second)
    np.testing.assert_allclose(both(xy), second(first(xy)), atol=1e-9)
    assert isinstance(both, Rigid) == (isinstance(first, Rigid) and isinstance(second, Rigid))


def test_the_best_rigid_motion_is_found_and_never_mirrors(rng):
    xy = rng.normal(size=(30, 2)) * [800, 300]
    found = fit_rigid(xy, TURN(xy))
    assert found.angle_deg == pytest.approx(30)
    np.testing.assert_allclose(found(xy), TURN(xy), atol=1e-9)
    mirrored = fit_rigid(xy, xy * [-1, 1])
    assert np.linalg.det(mirrored.matrix[:2, :2]) == pytest.approx(1)


def test_stretch_is_read_off_an_affine_map():
    assert Affine(np.diag([0.9, 1.2]), np.zeros(2)).stretch() == pytest.approx((0.9, 1.2))


@pytest.mark.parametrize("values", [{}, {"kind": "rigid"}, {"kind": "bent"}, {"kind": "affine", "linear": "x"}])
def test_values_that_are_no_transform_are_refused(values):
    with pytest.raises(DataError, match="transform"):
        transform_from_dict(values)


def test_a_map_that_flattens_the_plane_is_refused():
    with pytest.raises(DataError, match="no invertible map"):
        Affine(np.zeros((2, 2)), np.zeros(2))
