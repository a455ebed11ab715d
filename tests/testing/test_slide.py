import pickle

import numpy as np
import pytest

from histoscribe.core.pixels import PixelSource
from histoscribe.testing import ArraySlide


@pytest.fixture
def slide(rng):
    return ArraySlide(rng.integers(0, 256, (40, 60, 3), dtype=np.uint8), mpp=0.5)


def test_array_is_a_pixel_source(slide):
    assert isinstance(slide, PixelSource)
    assert slide.size == (60, 40)
    assert slide.mpp == 0.5


def test_whole_pixels_come_back_unchanged(slide):
    region = slide.region(3, 5, width=10, height=8, out=(10, 8))
    assert np.array_equal(region.pixels, slide.pixels[5:13, 3:13])
    assert region.padded == 0.0


def test_outside_repeats_the_edge_and_is_counted(slide):
    region = slide.region(-10, 0, width=20, height=20, out=(20, 20))
    assert region.padded == pytest.approx(0.5)
    assert (region.pixels[:, :10] == slide.pixels[:20, :1]).all()


def test_digest_names_content_and_survives_pickling(slide):
    again = pickle.loads(pickle.dumps(slide))
    assert again.digest() == slide.digest() != ArraySlide(255 - slide.pixels, mpp=0.5).digest()
    assert again.path == slide.path
