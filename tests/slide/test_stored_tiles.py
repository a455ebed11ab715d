"""A slide that is known only in stored squares: exact where they are asked for, honest where they are not."""

from __future__ import annotations

import pickle

import h5py
import numpy as np
import pytest
from PIL import Image

from histoscribe.core.errors import SlideError
from histoscribe.slide.stored_tiles import StoredTiles

SIDE = 16


@pytest.fixture
def slide(tmp_path, rng):
    """Two squares of noise: one around (20.3, 20), one around (50, 20); the third in the file is not used."""
    images = rng.integers(0, 255, (3, SIDE, SIDE, 3), dtype=np.uint8)
    path = tmp_path / "tiles.h5"
    with h5py.File(path, "w") as file:
        file["img"] = images
    return StoredTiles(path, np.array([[20.3, 20.0], [50.0, 20.0]]), np.array([2, 0]), mpp=0.5), images


def square(slide, x, y, side, out):
    return slide.region(x - side / 2, y - side / 2, width=side, height=side, out=(out, out))


def test_a_stored_square_comes_back_to_the_bit_wherever_its_centre_lies(slide):
    tiles, images = slide
    found = square(tiles, 20.3, 20.0, SIDE, SIDE)
    assert np.array_equal(found.pixels, images[2])
    assert found.padded == 0
    assert np.array_equal(square(tiles, 50, 20, SIDE, SIDE).pixels, images[0])


def test_a_smaller_square_is_cut_out_of_it(slide):
    tiles, images = slide
    assert np.array_equal(square(tiles, 50, 20, 8, 8).pixels, images[0][4:12, 4:12])
    halved = np.asarray(Image.fromarray(images[0]).resize((8, 8), Image.Resampling.BICUBIC))
    assert np.array_equal(square(tiles, 50, 20, SIDE, 8).pixels, halved)


def test_a_larger_rectangle_is_put_together_and_says_what_is_unknown(slide):
    tiles, images = slide
    found = tiles.region(12, 12, width=46, height=16, out=(46, 16))
    assert np.array_equal(found.pixels[:, :16], images[2])
    assert np.array_equal(found.pixels[:, 30:], images[0])
    assert (found.pixels[:, 16:30] == 255).all()
    assert found.padded == pytest.approx(14 / 46, abs=0.01)


def test_its_size_reaches_to_the_last_square(slide):
    tiles, _ = slide
    assert tiles.size == (58, 28)
    assert tiles.mpp == 0.5
    assert tiles.thumbnail(max_px=29).shape == (14, 29, 3)


def test_a_copy_reads_the_same(slide):
    tiles, images = slide
    copy = pickle.loads(pickle.dumps(tiles))
    tiles.close()
    assert np.array_equal(square(copy, 50, 20, SIDE, SIDE).pixels, images[0])
    assert np.array_equal(square(tiles, 50, 20, SIDE, SIDE).pixels, images[0])
    assert copy.digest() == tiles.digest()


def test_a_damaged_file_and_an_impossible_rectangle_are_named(slide, tmp_path):
    tiles, _ = slide
    with pytest.raises(SlideError, match="finite places"):
        tiles.region(0, 0, width=np.nan, height=1, out=(1, 1))
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(SlideError, match=r"text\.h5 cannot be read as HDF5"):
        StoredTiles(tmp_path / "text.h5", np.zeros((1, 2)), np.zeros(1), mpp=0.5)
