import numpy as np
import pytest

from histoscribe import encode, tile
from histoscribe.core.errors import DataError, SlideError, StorageError
from histoscribe.core.features import Features
from histoscribe.io import read, write
from histoscribe.testing import make_section
from histoscribe.tiles import read_tiles


@pytest.fixture(scope="module")
def made():
    return make_section(size_um=500.0)


def test_features_and_tiles_come_back_and_read_the_same_pixels(made, tmp_path):
    ready = encode(tile(made, [56.0, 112.0], tile_px=224), "colour")
    found = read("h5ad", write(ready, tmp_path / "a.h5ad"))
    assert found.grid.digest() == ready.grid.digest()
    old, new = Features.of(ready.table), Features.of(found.table)
    assert new.spec == old.spec
    np.testing.assert_array_equal(new.matrix, old.matrix)
    for mine, theirs in zip(
        read_tiles(made.slide, ready.grid, 112.0, slice(0, 3)),
        read_tiles(found.slide, found.grid, 112.0, slice(0, 3)),
        strict=True,
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_roles_and_notes_come_back(made, tmp_path):
    found = read(None, write(made, tmp_path / "a.h5ad"))
    for role in ("name", "donor", "mpp", "platform", "species", "spot_um", "pitch_um"):
        assert getattr(found, role) == getattr(made, role)
    assert found.origin.reader == "h5ad"
    np.testing.assert_array_equal(found.table.layers["counts"].toarray(), made.table.layers["counts"].toarray())


def test_a_linked_slide_that_is_gone_is_missed_by_name(made, tmp_path):
    path = write(made, tmp_path / "here" / "a.h5ad")
    (tmp_path / "here").rename(tmp_path / "there")
    moved = tmp_path / "there" / path.name
    assert read("h5ad", moved).slide.path == tmp_path / "there" / "a.tif"
    (tmp_path / "there" / "a.tif").unlink()
    with pytest.raises(SlideError, match=r"a\.tif does not exist.*Give image=<path>, image=none.*image=hires"):
        read("h5ad", moved)


def test_the_reduced_image_has_its_own_scale(tmp_path):
    made = make_section(size_um=500.0, mpp=1.0)
    path = write(made, tmp_path / "a.h5ad", slide="none", thumbnail_px=250)
    assert read("h5ad", path).slide is None
    path = write(made, tmp_path / "b.h5ad", thumbnail_px=250)
    found = read("h5ad", path, image="hires")
    assert (found.mpp, found.slide.size) == (2.0, (250, 250))
    np.testing.assert_allclose(found.xy, made.xy / 2)


def test_an_option_replaces_what_the_file_says(made, tmp_path):
    path = write(made, tmp_path / "a.h5ad")
    found = read("h5ad", path, donor="P7", name="other")
    assert (found.donor, found.name, found.mpp) == ("P7", "other", made.mpp)


def test_an_in_memory_slide_cannot_be_linked(made, tmp_path):
    with pytest.raises(DataError, match="is no file that could be linked. Give slide=copy"):
        write(made, tmp_path / "a.h5ad", slide="link")
    (tmp_path / "b.tif").write_text("somebody's")
    with pytest.raises(StorageError, match=r"b\.tif exists already"):
        write(made, tmp_path / "b.h5ad")
    assert (tmp_path / "b.tif").read_text() == "somebody's"
    assert not (tmp_path / "b.h5ad").exists()


@pytest.mark.filterwarnings("ignore")  # scanpy's own, about matplotlib and about its moving to squidpy
def test_scanpy_draws_the_file_with_its_image(made, tmp_path):
    scanpy = pytest.importorskip("scanpy")
    pytest.importorskip("matplotlib").use("Agg")
    table = scanpy.read_h5ad(write(made, tmp_path / "a.h5ad"))
    (axes,) = scanpy.pl.spatial(table, color="total_counts", show=False)
    assert axes.get_images()[0].get_array().shape == (250, 250, 3)
    (spots,) = axes.collections
    boxes = np.array([path.get_extents().get_points() for path in spots.get_paths()])  # (n, corner, axis)
    by_value = np.argsort(made.depth, kind="stable")  # scanpy draws high values last
    np.testing.assert_allclose(boxes.mean(1), made.xy[by_value], atol=0.01)  # the image is not reduced at this size
    np.testing.assert_allclose(np.ptp(boxes, axis=1), made.spot_um / made.mpp, rtol=0.01)
