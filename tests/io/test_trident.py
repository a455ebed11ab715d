"""TRIDENT, CLAM and HEST tile files: written by hand as their documentation says, and round trips."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import histoscribe as hs
from histoscribe.core.errors import CoordinateError, DataError, ScaleError, SlideError
from histoscribe.core.features import Features
from histoscribe.io import (
    read,
    read_hest_embeddings,
    read_trident_coords,
    read_trident_features,
    write,
    write_trident_coords,
    write_trident_features,
)
from histoscribe.testing import ArraySlide, make_section

#: A slide of 0.2125 um/px: "40x" as one of 0.25 is. 256 px at 20x are taken to be 512 px at level 0.
TRIDENT = {
    "patch_size": 256,
    "overlap": 0,
    "target_magnification": 20,
    "patch_size_level0": 512,
    "level0_width": 2000,
    "level0_height": 1500,
    "level0_magnification": 40,
    "name": "slide-7",
    "savetodir": "/job/20x_256px_0px_overlap",
}


@pytest.fixture
def slide():
    return ArraySlide(np.full((1500, 2000, 3), 230, np.uint8), mpp=0.2125, name="slide-7")


@pytest.fixture
def store(tmp_path):
    def to_file(coords, attributes, features=None, name="slide-7_patches.h5", **more):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as file:
            file.create_dataset("coords", data=np.asarray(coords, dtype=np.int64)).attrs.update(attributes)
            for key, value in (more | ({} if features is None else {"features": features})).items():
                file.create_dataset(key, data=value)
        return path

    return to_file


CORNERS = [[0, 0], [512, 0], [100, 900]]


def test_tiles_have_their_exact_side_and_a_wrong_magnification_is_said(store, slide):
    section = read_trident_coords(store(CORNERS, TRIDENT), slide)
    assert section.xy.tolist() == [[256, 256], [768, 256], [356, 1156]]
    assert section.grid.sides_um == (512 * 0.2125,)  # 108.8 um; the magnification suggests 256 px x 0.5 um/px = 128
    assert (section.grid.tile_px, section.name, section.measured) == (256, "slide-7", False)
    assert section.table.obs_names.tolist() == ["x0y0", "x512y0", "x100y900"]
    (note,) = section.table.uns["histoscribe"]["notes"]
    assert note.startswith("tiles are 108.8 um a side; their magnification of 20 suggests 128 um, 18% off")
    assert read_trident_coords(store(CORNERS, TRIDENT), slide, mpp=0.25).table.uns["histoscribe"]["notes"] == []


@pytest.mark.parametrize(
    ("attributes", "side"),
    [
        ({"patch_size": 256, "patch_level": 0}, 256),
        ({"patch_size": 256, "patch_level": 1, "downsample": [4.0, 4.0]}, 1024),
        ({"patch_size": 256, "patch_level": 0, "custom_downsample": 2}, 512),
        ({"patch_size": 224, "downsample": 2.0}, 448),
        ({"patch_size_src": 527, "patch_size_target": 224, "downsample": 2.35}, 527),
    ],
)
def test_the_size_of_clam_and_hestcore_tiles_is_found(store, slide, attributes, side):
    section = read_trident_coords(store(CORNERS, attributes), slide)
    assert section.grid.side_px(section.grid.sides_um[0]) == pytest.approx(side)
    np.testing.assert_allclose(section.xy, np.array(CORNERS) + side / 2)


def test_a_clam_level_without_downsample_takes_that_of_the_slide(store, slide):
    path = store(CORNERS, {"patch_size": 256, "patch_level": 2})
    with pytest.raises(ScaleError, match="tiles are of level 2, whose downsample is not known. Give side_um="):
        read_trident_coords(path, slide)
    assert read_trident_coords(path, slide, side_um=100.0).grid.sides_um == (100.0,)


def test_a_slide_without_tissue_is_a_section_without_tiles(store):
    path = store(np.empty((0, 2)), TRIDENT, np.empty((0,), np.float32), name="features_uni_v1/slide-7.h5")
    section = read("trident", path, image="none", mpp=0.25)
    assert (section.n_obs, len(section.grid)) == (0, 0)
    assert section.table.uns["histoscribe"]["notes"] == ["the file holds no tile: no tissue was found on the slide"]


def test_the_reader_attaches_features_under_the_name_of_their_encoder(store, rng):
    features = rng.normal(size=(3, 5)).astype(np.float32)
    path = store(CORNERS, TRIDENT, features, name="features_uni_v1/slide-7.h5")
    section = read(None, path, image="none", mpp=0.25, donor="P1")
    found = Features.of(section.table, "uni_v1")
    np.testing.assert_array_equal(found.matrix, features)
    assert found.spec.blocks == {"uni_v1@128um": (0, 5)}
    assert found.spec.geometry == {"sides_um": [128.0], "tile_px": 256, "read_mpp": 0.5}
    with pytest.raises(SlideError, match="does not say where its slide is. Give image="):
        read("trident", path)


def test_features_of_slides_scanned_a_little_differently_are_of_one_kind(store):
    path = store(CORNERS, TRIDENT, np.ones((3, 5), np.float32), name="features_uni_v1/slide-7.h5")
    near, other = (read("trident", path, image="none", mpp=mpp) for mpp in (0.2527, 0.2125))
    expected = Features.of(read("trident", path, image="none", mpp=0.25).table).spec
    assert Features.of(near.table).spec == expected
    assert Features.of(other.table).spec.geometry["sides_um"] == [108.8]


def test_a_model_learns_from_features_joined_to_spots_by_place(tmp_path, rng):
    section = hs.tile(make_section(size_um=700.0), 112.0)
    path = write_trident_coords(section, tmp_path / "tiles.h5")
    values = rng.normal(size=(section.n_obs, 4)).astype(np.float32)
    order = rng.permutation(section.n_obs)
    with h5py.File(path) as file:
        corners, attributes = file["coords"][:], dict(file["coords"].attrs)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file.create_dataset("coords", data=corners[order]).attrs.update(
            {k: v for k, v in attributes.items() if k != "histoscribe"}
        )
        file.create_dataset("features", data=values[order]).attrs["encoder"] = "uni_v1"
    joined = read_trident_features(tmp_path / "other.h5", section)
    np.testing.assert_array_equal(Features.of(joined.table, "uni_v1").matrix, values)
    model = hs.methods.expression("ridge").fit([joined], 5, encoder="uni_v1")
    assert model.predict(joined).shape == (section.n_obs, 5)
    far = section.replace(table=section.table.copy())
    far.table.obsm["spatial"] = section.xy + 10
    with pytest.raises(CoordinateError, match=rf"{section.n_obs} of {section.n_obs} observations lie more than 2 px"):
        read_trident_features(tmp_path / "other.h5", far)
    near = read_trident_features(tmp_path / "other.h5", far, within_um=30.0)
    np.testing.assert_array_equal(Features.of(near.table, "uni_v1").matrix, values)


@pytest.mark.parametrize("layout", ["trident", "clam"])
def test_tiles_and_features_come_back_to_the_bit(tmp_path, layout):
    section = hs.encode(hs.tile(make_section(size_um=500.0, mpp=0.9), 112.0), "colour")
    path = write_trident_features(section, tmp_path / "a.h5", layout=layout)
    found = read("trident", path, image="none")
    assert np.abs(found.xy - section.xy).max() < 1e-6
    assert found.table.obs_names.tolist() == section.table.obs_names.tolist()
    assert (found.mpp, found.donor, found.name) == (section.mpp, section.donor, section.name)
    assert found.grid.digest() == section.grid.digest()
    old, new = Features.of(section.table), Features.of(found.table)
    assert new.spec == old.spec
    np.testing.assert_array_equal(new.matrix, old.matrix)
    joined = read_trident_features(path, section.subset(np.arange(3)[::-1]))
    np.testing.assert_array_equal(Features.of(joined.table).matrix, old.matrix[2::-1])


def test_a_written_file_has_every_attribute_of_trident(tmp_path):
    section = hs.tile(make_section(size_um=500.0, mpp=0.5, pitch_um=100.0), 128.0, tile_px=256)
    path = write(section, tmp_path / "slide-7_patches.h5", "trident")
    with h5py.File(path) as file:
        coords, attributes = file["coords"], dict(file["coords"].attrs)
        assert coords.dtype == np.int64
        np.testing.assert_array_equal(coords[:], np.round(section.xy - 128))
    assert set(TRIDENT) <= set(attributes)
    numbers = {k: attributes[k] for k in TRIDENT if k not in ("name", "savetodir")}
    assert numbers == {
        "patch_size": 256,
        "patch_size_level0": 256,
        "overlap": 56,  # 28 um of 128
        "target_magnification": 20,
        "level0_magnification": 20,
        "level0_width": 1000,
        "level0_height": 1000,
    }


def test_features_without_a_size_take_it_from_the_file_of_tiles(store):
    tiles = store(CORNERS, {"patch_size": 256, "patch_level": 0})
    features = store(CORNERS, {}, np.ones((3, 2), np.float32), name="features.h5")
    with pytest.raises(ScaleError, match="does not say how large its tiles are. Give tiles="):
        read("trident", features, image="none", mpp=0.5, encoder="uni")
    found = read("trident", features, image="none", mpp=0.5, encoder="uni", tiles=str(tiles))
    assert found.grid.sides_um == (128.0,)
    assert "X_uni" in found.table.obsm
    other = store([[1, 1], [2, 2], [3, 3]], {"patch_size": 256}, name="other.h5")
    with pytest.raises(CoordinateError, match="hold different tiles"):
        read("trident", features, image="none", mpp=0.5, encoder="uni", tiles=str(other))


def test_embeddings_of_the_hest_benchmark_are_joined_by_barcode(store):
    section = make_section(size_um=500.0)
    names = section.table.obs_names.to_numpy().astype("S")[::-1]
    values = np.arange(section.n_obs * 2, dtype=np.float16).reshape(-1, 2)
    path = store(np.zeros((section.n_obs, 2)), {}, name="S1.h5", embeddings=values, barcodes=names[:, None])
    found = Features.of(read_hest_embeddings(path, section, encoder="resnet50").table)
    np.testing.assert_array_equal(found.matrix, values[::-1].astype(np.float32))
    assert found.spec.geometry["sides_um"] == [112.0]
    fewer = store(np.zeros((2, 2)), {}, name="S2.h5", embeddings=values[:2], barcodes=names[:2])
    with pytest.raises(DataError, match=rf"lacks {section.n_obs - 2} of {section.n_obs} observations"):
        read_hest_embeddings(fewer, section, encoder="resnet50")


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.ones(768, np.float32), r"features of shape \(768,\), not one row for each tile"),
        (np.ones((2, 4), np.float32), "holds 3 coords, 2 features, which do not belong together"),
        (np.full((3, 4), np.nan, np.float32), "holds NaN or infinity in 3 of 3 rows"),
    ],
)
def test_what_cannot_be_features_of_the_tiles_is_refused(store, features, message):
    with pytest.raises(DataError, match=message):
        read("trident", store(CORNERS, TRIDENT, features), image="none", mpp=0.25, encoder="uni")


def test_features_in_an_extra_axis_read_as_those_without(store):
    path = store(CORNERS, TRIDENT, np.ones((1, 3, 4), np.float32))
    assert Features.of(read("trident", path, image="none", mpp=0.25, encoder="e").table).matrix.shape == (3, 4)


def test_coordinates_of_another_image_are_refused(store):
    other = ArraySlide(np.zeros((700, 1000, 3), np.uint8), mpp=0.5)
    with pytest.raises(CoordinateError, match="belongs to an image of 2000 x 1500 px, but .* has 1000 x 700 px"):
        read_trident_coords(store(CORNERS, TRIDENT), other)


def test_a_section_without_tiles_says_how_to_make_them(tmp_path):
    with pytest.raises(DataError, match="has no tiles, which these files need. Make them with hs.tile"):
        write_trident_coords(make_section(size_um=500.0), tmp_path / "a.h5")
    assert not list(tmp_path.iterdir())
