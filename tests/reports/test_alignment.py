"""Pictures of an alignment show both sections, and their images where there are any."""

from __future__ import annotations

import numpy as np
import pytest

from align.made import cut, in_tissue, motion
from align.slides import PLANTED, pair_of_slides
from histoscribe.align import align_pair
from histoscribe.reports._draw import png
from histoscribe.reports.alignment import alignment_figure, overlay


@pytest.fixture(scope="module")
def pair():
    moving, fixed = cut(in_tissue, motion(50, 800, 0), 1, name="b"), cut(in_tissue, motion(), 0, name="a")
    return moving, fixed, align_pair(moving, fixed)


def test_outlines_are_drawn_before_and_after_with_the_verdict(pair):
    figure = alignment_figure(*pair)
    assert [ax.get_title() for ax in figure.axes] == ["before: centres put together", "after"]
    assert "b (green) to a (magenta), by observations: OK" in figure.get_suptitle()
    moving, fixed, report = pair
    drawn = [np.asarray(c.get_offsets()) for c in figure.axes[1].collections if len(c.get_offsets()) > 10]
    np.testing.assert_allclose(drawn[0], fixed.xy_um)
    np.testing.assert_allclose(drawn[1], report.motion(moving.xy_um))
    assert len(png(figure)) > 10_000


def test_the_overlay_is_grey_where_images_agree_and_coloured_where_they_do_not():
    moving, fixed = pair_of_slides()
    shades = {}
    for name, found in (("aligned", PLANTED.inverse()), ("apart", PLANTED)):
        picture = overlay(moving, fixed, found)[0]
        shades[name] = float(np.abs(picture[..., 0] - picture[..., 1]).mean())
    assert shades["aligned"] < 0.6 * shades["apart"]
