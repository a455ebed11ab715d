"""Augmentation, validation groups and windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from histoscribe.train import SYMMETRIES, hold_out, spatial_windows, transform_view


def paint(places, size=5):
    """Draw one pixel per place (row, column), each with its own value."""
    image = torch.zeros(1, 1, size, size)
    for value, (row, column) in enumerate(places.tolist(), start=1):
        image[0, 0, row, column] = value
    return image


@pytest.mark.parametrize("symmetry", SYMMETRIES)
def test_pixels_tokens_and_places_turn_alike(symmetry):
    places = torch.tensor([[0, 1], [3, 4], [2, 0]])
    pixels = transform_view(paint(places), "pixels", symmetry)
    tokens = transform_view(paint(places).view(1, 25, 1), "tokens", symmetry).view(1, 1, 5, 5)
    turned = transform_view(places - 2, "places", symmetry) + 2  # about the middle of the 5 x 5 grid
    assert torch.equal(pixels, tokens)
    assert torch.equal(pixels, paint(turned))


def test_the_symmetries_are_eight_different_ones():
    image = torch.arange(9.0).view(1, 1, 3, 3)
    assert len({tuple(transform_view(image, "pixels", s).flatten().tolist()) for s in SYMMETRIES}) == 8


def test_a_fixed_view_does_not_turn():
    view = torch.arange(6.0).view(2, 3)
    assert torch.equal(transform_view(view, "fixed", (1, True)), view)


def test_a_whole_group_is_held_out():
    groups = [np.array(["a"] * 4), np.array(["b"] * 3), np.array(["a"] * 2)]
    for seed in range(6):
        held = hold_out(groups, rng=np.random.default_rng(seed))
        by_group = {
            g: {bool(h) for h, label in zip(np.concatenate(held), np.concatenate(groups), strict=True) if label == g}
            for g in "ab"
        }
        assert sorted(map(tuple, by_group.values())) == [(False,), (True,)]


def test_one_group_holds_nothing_out():
    assert not hold_out([np.array(["a"] * 4)], rng=np.random.default_rng(0))[0].any()


@given(n=st.integers(1, 60), most=st.integers(1, 20), seed=st.integers(0, 5))
def test_windows_are_a_partition_that_does_not_depend_on_order(n, most, seed):
    rng = np.random.default_rng(seed)
    xy = rng.normal(size=(n, 2))
    windows = spatial_windows(xy, most)
    assert sorted(np.concatenate(windows).tolist()) == list(range(n))
    assert max(map(len, windows)) <= most
    order = rng.permutation(n)
    other = spatial_windows(xy[order], most)
    assert {frozenset(w.tolist()) for w in windows} == {frozenset(order[w].tolist()) for w in other}


def test_no_limit_is_one_window():
    assert len(spatial_windows(np.zeros((7, 2)), 0)) == 1
