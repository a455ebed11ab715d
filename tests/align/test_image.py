"""Images: pictures, masks and points move alike, and registration finds a planted motion where it can."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from align.slides import PLANTED, pair_of_slides
from histoscribe.align import Affine, Picture, Rigid, align_pair, align_stack, register_images, warp_picture
from histoscribe.core.errors import HistoScribeError


@pytest.fixture(scope="module")
def slides():
    return pair_of_slides()


@pytest.fixture(scope="module")
def start(slides):
    return align_pair(*slides, genes="never").motion


def error_um(motion, moving):
    return float(np.median(np.linalg.norm(motion(moving.xy_um) - PLANTED.inverse()(moving.xy_um), axis=1)))


@pytest.mark.parametrize(
    "motion",
    [
        Rigid(25.0, np.array([300.0, 200.0]), np.array([60.0, -40.0])),
        Affine(np.diag([1.1, 0.9]), np.array([5.0, 30.0])),
    ],
)
def test_a_picture_its_tissue_and_its_points_move_alike(motion):
    xy = np.array([[250.0, 150.0], [350.0, 250.0], [300.0, 180.0]])
    pixels = np.full((100, 150, 3), 255, np.uint8)
    tissue = np.zeros((100, 150), bool)
    for x, y in xy / 4:
        pixels[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = 0
        tissue[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = True
    picture = Picture(pixels, tissue, 4.0, np.zeros(2))
    # Another frame, scale and size.
    like = Picture(np.zeros((260, 300, 3), np.uint8), np.zeros((260, 300), bool), 2.0, np.array([-50.0, -100.0]))
    moved = warp_picture(picture, motion, like=like)
    for x, y in (motion(xy) - like.origin_um) / like.mpp:
        assert moved.pixels[int(y), int(x)].max() < 60
        assert moved.tissue[int(y), int(x)]
    assert moved.tissue.sum() * 4 == pytest.approx(tissue.sum() * 16 * abs(np.linalg.det(motion.matrix)), rel=0.15)


def test_a_stack_registered_by_intensity_finds_what_the_outline_misses(slides, start):
    pytest.importorskip("SimpleITK")
    moving, fixed = slides
    stack, (report,) = align_stack([fixed, moving], images="intensity")
    assert error_um(start, moving) > 25
    assert report.source == "intensity"
    assert report.quality.image_gain > 0.05
    assert np.median(np.linalg.norm(stack.xy_um[1] - PLANTED.inverse()(moving.xy_um), axis=1)) < 5


def test_key_points_find_what_the_outline_misses(slides, start):
    pytest.importorskip("skimage")
    moving, fixed = slides
    found = register_images(moving, fixed, start, images="keypoints", pitch_um=100.0)
    assert found.source == "keypoints"
    assert error_um(found.motion, moving) < 5
    assert found.after > found.before + 0.05


def test_a_registration_that_does_not_help_is_not_kept(slides):
    pytest.importorskip("skimage")
    moving, fixed = slides
    truth = PLANTED.inverse()
    found = register_images(moving, fixed, truth, images="keypoints", pitch_um=100.0)
    assert found.source == "observations"
    assert found.motion is truth
    assert found.after == found.before


@pytest.mark.parametrize(("images", "package"), [("intensity", "SimpleITK"), ("keypoints", "skimage.feature")])
def test_a_missing_package_names_the_extra_and_the_way_round(images, package, slides, start, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(HistoScribeError, match=r"histoscribe\[registration\].*images='never'"):
        register_images(*slides, start, images=images, pitch_um=100.0)
