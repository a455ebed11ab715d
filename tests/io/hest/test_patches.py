import h5py
import numpy as np
import pytest
from PIL import Image

from histoscribe.core.errors import CoordinateError, DataError, ScaleError
from histoscribe.io import read, read_hest_patches


@pytest.mark.parametrize(
    ("generation", "px", "side_um", "layout"),
    [
        (1, 256, 128.0, "early release of 256 px"),
        (2, 224, 112.0, "library of July 2024"),
        (3, 224, 112.0, "current patcher"),
    ],
)
def test_every_generation_is_told_and_joined_by_barcode(tree, patches, made, generation, px, side_um, layout):
    section = read("hest", tree())
    tiles = read_hest_patches(patches(made.visium(), generation), section)
    assert (tiles.generation, tiles.shape, tiles.side_um) == (generation, (100, px, px, 3), side_um)
    assert layout in tiles.notes[0]
    assert {1: "centre y, x", 2: "centre y, x", 3: "corner x, y"}[generation] in tiles.notes[-1]
    # Each image is as bright as its observation's number; the file is in reverse order.
    np.testing.assert_array_equal(tiles.observations, np.arange(100))
    assert tiles[:].mean((1, 2, 3)).tolist() == list(range(100))


def test_observations_without_an_image_and_images_without_an_observation_are_told(tree, patches, made):
    section = read("hest", tree())
    tiles = read_hest_patches(patches(made.visium(), keep=slice(0, 30), extra=2), section)
    np.testing.assert_array_equal(tiles.observations, np.arange(70, 100))
    assert "2 images belong to no observation" in tiles.notes[1]
    assert tiles[-1].mean() == 99
    # Any order, and the same one twice, as numpy would give it.
    assert tiles[[5, 0, 5]].mean((1, 2, 3)).tolist() == [75, 70, 75]
    assert tiles[0:0].shape == (0, 224, 224, 3)


def test_the_folder_of_a_thumbnail_section_fits_as_well(tree, patches, made):
    root = tree()
    patches(made.visium())
    (root / "thumbnails").mkdir()
    Image.fromarray(made.pixels()[::2, ::2]).save(root / "thumbnails/NCBI1_downscaled_fullres.jpeg")
    tiles = read_hest_patches(root, read("hest", root, image="thumbnail"))
    assert (len(tiles), tiles.side_um) == (100, 112.0)


def test_coordinates_of_another_generation_are_refused(tree, patches, made):
    section = read("hest", tree())
    path = patches(made.visium(), 3, coords=lambda xy, side: xy[:, ::-1])
    with pytest.raises(CoordinateError, match=r"coords is the corner x, y, but these fit the section as centre y, x"):
        read_hest_patches(path, section)
    path = patches(made.visium(), 2, coords=lambda xy, side: np.floor(xy - side // 2))
    with pytest.raises(CoordinateError, match=r"coords is the centre y, x, but these fit the section as corner x, y"):
        read_hest_patches(path, section)


def test_patches_of_another_version_of_the_sample_are_refused(tree, patches, made):
    path = patches(made.visium(), coords=lambda xy, side: xy * 1.5)
    with pytest.raises(CoordinateError, match="another version of this sample"):
        read_hest_patches(path, read("hest", tree()))


@pytest.mark.parametrize(
    "attributes",
    [
        {"patch_size": 224, "factor": 0.25},  # px of the image, source per target
        {"patch_size": 224, "factor": 4.0},  # ... target per source
        {"patch_size": 56, "factor": 1.0},  # px of the slide
    ],
)
def test_the_old_size_is_read_whichever_way_it_was_meant(tree, patches, made, attributes):
    tiles = read_hest_patches(patches(made.visium(), 2, attributes=attributes), read("hest", tree()))
    assert tiles.side_um == 112.0


def test_an_old_size_that_fits_no_reading_asks_for_it(tree, patches, made):
    section = read("hest", tree())
    path = patches(made.visium(), 2, attributes={"patch_size": 224, "factor": 1.7})
    with pytest.raises(ScaleError, match=r"patch_size 224, factor 1.7, which is not 224 px at 0.5 um/px .*side_um="):
        read_hest_patches(path, section)
    assert read_hest_patches(path, section, side_um=100.0).side_um == 100.0
    path = patches(made.visium(), 1, attributes={})
    with pytest.raises(ScaleError, match=r"state no size.*usually 128"):
        read_hest_patches(path, section)


def test_a_pixel_size_that_contradicts_the_section_is_told(tree, patches, made):
    facts = {"patch_size_src": 56, "pixel_size": 1.0}
    tiles = read_hest_patches(patches(made.visium(), attributes=facts), read("hest", tree()))
    assert "images were cut for 1 um/px, the section has 2" in "; ".join(tiles.notes)


def test_unknown_and_damaged_files_are_named(tree, patches, made):
    section = read("hest", tree())
    path = patches(made.visium(), attributes={"patch_level": 0, "patch_size": 224})
    with pytest.raises(DataError, match="of no known generation: images of 224 px, attributes patch_level, patch_size"):
        read_hest_patches(path, section)
    with h5py.File(path, "a") as file:
        del file["barcode"]
    with pytest.raises(DataError, match=r"lack barcode \(they have coords, img\)"):
        read_hest_patches(path, section)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DataError, match="truncated"):
        read_hest_patches(path, section)
    path = patches(made.visium())
    other = section.table.copy()
    other.obs_names = [f"X{i}" for i in range(100)]
    with pytest.raises(DataError, match=r"hold no barcode of section 'NCBI1' \(e.g. BC"):
        read_hest_patches(path, section.replace(table=other))
