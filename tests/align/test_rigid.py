"""Footprint alignment finds a planted rotation and shift."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.align import Rigid, align_footprints, spacing_um
from histoscribe.core.errors import DataError


def footprint(rng, *, pitch=200.0):
    """An L-shaped section on a jittered square array, um: its outline has no symmetry."""
    xy = np.stack(np.meshgrid(np.arange(30.0), np.arange(24.0)), axis=-1).reshape(-1, 2)
    xy = xy[(xy[:, 0] < 10) | (xy[:, 1] > 12)]
    return (xy + rng.normal(size=xy.shape) * 0.05) * pitch


@pytest.mark.parametrize("angle", [0.0, 7.0, -33.0, 90.0, 171.0])
def test_a_planted_motion_is_undone_to_a_fraction_of_a_spot(angle, rng):
    fixed = footprint(rng)
    planted = Rigid(angle, fixed.mean(0), np.array([4_300.0, -2_150.0]), 1.0)
    moved = planted(fixed)
    found = align_footprints(moved, fixed, pitch_um=200.0)
    residual = np.linalg.norm(found(moved) - fixed, axis=1)
    assert found.overlap > 0.9
    assert np.median(residual) < 0.3 * 200
    assert abs((found.angle_deg + angle + 180) % 360 - 180) <= 1.5


def test_a_rigid_motion_keeps_distances_and_turns_x_towards_y():
    turn = Rigid(90.0, np.zeros(2), np.array([10.0, 0.0]), 1.0)
    np.testing.assert_allclose(turn(np.array([[1.0, 0.0], [0.0, 1.0]])), [[10.0, 1.0], [9.0, 0.0]], atol=1e-12)


def test_a_round_section_is_not_turned(rng):
    xy = np.stack(np.meshgrid(np.arange(-15.0, 16), np.arange(-15.0, 16)), axis=-1).reshape(-1, 2)
    xy = xy[np.linalg.norm(xy, axis=1) < 12] * 100
    found = align_footprints(xy + 777.0, xy, pitch_um=100.0)
    assert found.angle_deg == 0
    np.testing.assert_allclose(found.shift, -777.0, atol=30)


def test_spacing_is_the_pitch_and_too_few_points_are_refused(rng):
    assert spacing_um(footprint(rng)) == pytest.approx(200, rel=0.12)
    with pytest.raises(DataError, match="1 observations have no spacing"):
        spacing_um(np.zeros((1, 2)))
    with pytest.raises(DataError, match="2 and 9 observations outline no tissue"):
        align_footprints(np.zeros((2, 2)), np.zeros((9, 2)), pitch_um=1.0)
