"""SpatialData: round trips, crops, stores of spatialdata-io, forbidden names, refusals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from histoscribe import encode, tile
from histoscribe.core.errors import CoordinateError, DataError, ScaleError, SlideError, StorageError
from histoscribe.core.features import Features
from histoscribe.io import from_spatialdata, read, to_spatialdata, write
from histoscribe.io._table_names import safe_names
from histoscribe.testing import check_reader, make_section, write_visium

sd = pytest.importorskip("spatialdata")
# What spatialdata and its libraries say while tests call them directly; our own calls let nothing through.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture(scope="module")
def made():
    return make_section(size_um=1300.0, mpp=1.0)


@pytest.fixture(scope="module")
def store(made, tmp_path_factory):
    return write(made, tmp_path_factory.mktemp("store") / "a.zarr")


def whole(slide):
    width, height = slide.size
    return slide.region(0, 0, width=width, height=height, out=(width, height)).pixels


def test_a_store_comes_back_as_the_section_it_was(made, store):
    check_reader("spatialdata", store)
    found = read(None, store)
    for role in ("name", "donor", "mpp", "platform", "species", "spot_um", "pitch_um"):
        assert getattr(found, role) == getattr(made, role)
    np.testing.assert_array_equal(found.xy, made.xy)
    assert (found.table.layers["counts"] != made.table.layers["counts"]).nnz == 0
    assert found.table.obs.columns.tolist() == made.table.obs.columns.tolist()
    assert [level.downsample for level in found.slide.levels] == [1.0, 2.0]
    np.testing.assert_array_equal(whole(found.slide), made.slide.pixels)


def test_its_image_alone_is_a_slide(made, store):
    found = read(None, store / "images" / "slide", mpp=made.mpp)
    assert (found.platform, found.n_obs, found.slide.size) == ("slide", 0, made.slide.size)


def test_spatialdata_sees_circles_in_px_and_um(made, store):
    data = sd.read_zarr(store)
    circles = data["observations"]
    np.testing.assert_array_equal(np.column_stack([circles.geometry.x, circles.geometry.y]), made.xy)
    assert circles["radius"].unique().tolist() == [pytest.approx(made.spot_um / made.mpp / 2)]
    in_um = sd.transform(circles, to_coordinate_system="um")
    np.testing.assert_allclose(np.column_stack([in_um.geometry.x, in_um.geometry.y]), made.xy_um)
    matched, table = sd.join_spatialelement_table(sdata=data, spatial_element_names="observations", table_name="table")
    assert table.n_obs == len(matched["observations"]) == made.n_obs


def test_forbidden_names_and_features_come_back(tmp_path):
    made = make_section(size_um=500.0)
    made = encode(tile(made, [56.0, 112.0]), "colour")
    made.table.obsm["X_a+b"] = np.arange(made.n_obs)[:, None] * np.ones(2)
    made.table.obs["region"] = "core"
    made.table.obs["T cell/CD8"], made.table.obs["t cell/cd8"] = 1.5, 2.5
    made.table.uns["T cell/CD8 colors"] = np.array(["#000000"])
    found = read("spatialdata", write(made, tmp_path / "a.zarr"))
    assert found.table.obs[["T cell/CD8", "t cell/cd8"]].iloc[0].tolist() == [1.5, 2.5]
    assert found.table.obs.columns.tolist() == made.table.obs.columns.tolist()
    assert set(found.table.obs["region"]) == {"core"}
    np.testing.assert_array_equal(found.table.obsm["X_a+b"], made.table.obsm["X_a+b"])
    assert found.table.uns["T cell/CD8 colors"].tolist() == ["#000000"]
    assert Features.of(found.table).spec == Features.of(made.table).spec
    np.testing.assert_array_equal(Features.of(found.table).matrix, Features.of(made.table).matrix)
    assert found.grid.digest() == made.grid.digest()
    assert list(made.table.obsm) == ["spatial", "X_colour", "X_a+b"]


def test_names_stay_apart_and_allowed_ones_stay():
    assert safe_names(["a b", "a_b", "A_B", "__x", ""]) == {
        "a b": "a_b.3",
        "a_b": "a_b",
        "A_B": "A_B.2",
        "__x": "x__x",
        "": "x",
    }


def test_an_object_in_memory_needs_no_store(made):
    data = to_spatialdata(made)
    found = from_spatialdata(data, donor="P2")
    assert found.donor == "P2"
    np.testing.assert_array_equal(found.xy, made.xy)
    np.testing.assert_array_equal(whole(found.slide), made.slide.pixels)
    assert from_spatialdata(to_spatialdata(made, image=False), image="none").slide is None


def test_a_cropped_object_keeps_pixels_and_places_together(made, store):
    low, high = np.array([300.0, 500.0]), np.array([900.0, 1100.0])
    query = {"min_coordinate": low, "max_coordinate": high, "target_coordinate_system": "global"}
    data = sd.bounding_box_query(sd.read_zarr(store), axes=("x", "y"), **query)
    found = from_spatialdata(data, name="crop")
    assert found.slide.size == (600, 600)
    before = made.table.obs_names.get_indexer(found.table.obs_names)
    np.testing.assert_allclose(found.xy, made.xy[before] - low, atol=1e-6)
    x, y = np.floor(low).astype(int)
    np.testing.assert_array_equal(whole(found.slide), made.slide.pixels[y : y + 600, x : x + 600])
    assert found.mpp == made.mpp


def test_bins_that_touch_are_squares(made, tmp_path):
    bins = made.replace(spot_um=100.0)
    found = read("spatialdata", write(bins, tmp_path / "a.zarr", image="none"), image="none")
    np.testing.assert_allclose(found.xy, made.xy, atol=1e-9)
    shape = sd.read_zarr(tmp_path / "a.zarr")["observations"].geometry.iloc[0]
    assert shape.area == pytest.approx((100.0 / made.mpp) ** 2)


def test_a_slide_without_observations_comes_back(made, tmp_path):
    alone = made.replace(table=made.table[:0, :0].copy())
    found = read("spatialdata", write(alone, tmp_path / "a.zarr"))
    assert (found.n_obs, found.slide.size, found.mpp, found.donor) == (0, made.slide.size, made.mpp, made.donor)


def test_a_store_of_spatialdata_io_reads_as_the_folder_it_was_made_of(made, tmp_path):
    spatialdata_io = pytest.importorskip("spatialdata_io")
    image = write_visium(made, tmp_path / "outs")
    files = {"counts_file": "filtered_feature_bc_matrix.h5", "fullres_image_file": image}
    spatialdata_io.visium(tmp_path / "outs", dataset_id="x", **files).write(tmp_path / "v.zarr")
    expected = read("visium", tmp_path / "outs", image=str(image))
    found = read(None, tmp_path / "v.zarr", donor="D")
    assert found.platform == "visium"
    assert (found.mpp, found.pitch_um) == (pytest.approx(expected.mpp), expected.pitch_um)
    assert found.spot_um == pytest.approx(55.0)
    np.testing.assert_allclose(found.xy, expected.xy, atol=1e-9)
    assert (found.table.layers["counts"] != expected.table.layers["counts"]).nnz == 0
    np.testing.assert_array_equal(whole(found.slide), whole(expected.slide))
    reduced = read("spatialdata", tmp_path / "v.zarr", image="x_lowres_image")
    assert reduced.slide.size == (600, 600)
    assert reduced.mpp == pytest.approx(expected.mpp * 1300 / 600)
    np.testing.assert_allclose(reduced.xy, expected.xy * 600 / 1300)
    with pytest.raises(ScaleError, match=r"mpp=0\.5 was given, but the Visium array says 1 um/px"):
        read("spatialdata", tmp_path / "v.zarr", mpp=0.5)


def test_labels_and_a_frame_in_um_give_centres_and_scale():
    mask = np.zeros((40, 60), np.int32)
    mask[10:20, 4:8], mask[30:32, 40:50] = 1, 2
    half_um = {"global": sd.transformations.Scale([2.0, 2.0], ("x", "y")), "microns": sd.transformations.Identity()}
    labels = sd.models.Labels2DModel.parse(mask, dims=("y", "x"), transformations=half_um)
    obs = pd.DataFrame({"region": pd.Categorical(["cells"] * 2), "id": [2, 1]}, index=["b", "a"])
    table = AnnData(np.array([[1.0, 2.0], [3.0, 0.0]]), obs=obs)
    table = sd.models.TableModel.parse(table, region="cells", region_key="region", instance_key="id")
    found = from_spatialdata(sd.SpatialData(labels={"cells": labels}, tables={"t": table}), image="none", donor="D")
    assert found.xy.tolist() == [[90.0, 62.0], [12.0, 30.0]]  # px are twice the mask's
    assert found.mpp == 0.5
    assert found.table.layers["counts"].toarray().tolist() == [[1, 2], [3, 0]]


def test_what_is_ambiguous_or_missing_is_asked_for(made):
    data = to_spatialdata(made, image=False)
    with pytest.raises(SlideError, match="has no colour image .*Give image=<path>, or image=none"):
        from_spatialdata(data)
    with pytest.raises(CoordinateError, match="there is no coordinate system 'mm' .*it has global, um"):
        from_spatialdata(data, image="none", frame="mm")
    data["second"] = data["table"].copy()
    with pytest.raises(DataError, match=r"has 2 tables, and one is needed \(it has table, second\). Give table="):
        from_spatialdata(data, image="none")
    with pytest.raises(DataError, match=r"has no region 'spots' \(it has observations\)"):
        from_spatialdata(data, image="none", table="second", region="spots")


def test_somebody_elses_folder_is_not_replaced(made, tmp_path):
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "thesis.txt").write_text("mine")
    with pytest.raises(StorageError, match="is not a Zarr store, so it is not replaced"):
        write(made, tmp_path / "a.zarr", overwrite=True)
    assert (tmp_path / "a.zarr" / "thesis.txt").read_text() == "mine"
    with pytest.raises(DataError, match="is no SpatialData store"):
        read("spatialdata", tmp_path / "a.zarr")


def test_a_damaged_chunk_is_named(made, tmp_path):
    write(made, tmp_path / "a.zarr")
    chunk = next(p for p in (tmp_path / "a.zarr/images/slide/s0/c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes()[:100])
    with pytest.raises(SlideError, match=r"level 0, chunk \(\d, \d\) is damaged"):
        whole(read("spatialdata", tmp_path / "a.zarr").slide)
