import json

import numpy as np
import pandas as pd
import pytest

from histoscribe.core.errors import DataError, ScaleError, SlideError
from histoscribe.io import detect_reader, read

# As MERSCOPE writes them: too long for a 64-bit integer, and equal in their first 16 digits.
IDS = [f"10332729169438928407057446164802009{i:04d}" for i in range(12)]


@pytest.fixture
def metadata():
    x, y = (v.ravel() for v in np.meshgrid(np.arange(4) * 60.0 - 30, np.arange(3) * 50.0 - 20))
    return pd.DataFrame({"fov": 0, "volume": 500.0, "center_x": x, "center_y": y}, index=IDS)


@pytest.fixture
def merscope(tmp_path, made, metadata):
    def write(prefix="", transform=False, manifest=False, stated=0.5):
        folder = tmp_path / "region_0"
        (folder / "images").mkdir(parents=True)
        counts = made.counts_of(IDS, ("Comt", "Ldha", "Blank-1", "blank_2")).sample(frac=1, random_state=0)
        counts.to_csv(folder / f"{prefix}cell_by_gene.csv", index_label="cell")
        metadata.to_csv(folder / f"{prefix}cell_metadata.csv", index_label="EntityID" if prefix else "")
        molecules = pd.DataFrame(
            {
                "global_x": [10.0, 20, 160, 170],
                "global_y": [10.0, 20, 30, 40],
                "gene": ["Comt", "Ldha", "Comt", "Blank-1"],
            }
        )
        molecules.to_csv(folder / f"{prefix}detected_transcripts.csv")
        if transform:
            text = "2 0 100\n0 2 80\n0 0 1\n"
            (folder / "images" / "micron_to_mosaic_pixel_transform.csv").write_text(text)
        if manifest:
            about = {
                "microns_per_pixel": stated,
                "mosaic_width_pixels": 500,
                "mosaic_height_pixels": 400,
                "bbox_microns": [-50, -40, 200, 160],
            }
            (folder / "images" / "manifest.json").write_text(json.dumps(about))
        return folder, counts

    return write


def notes_of(section):
    return " | ".join(section.table.uns["histoscribe"]["notes"])


@pytest.mark.parametrize("prefix", ["", "Liver1Slice1_"])
def test_cells_are_joined_by_ids_of_39_digits(merscope, metadata, prefix):
    folder, counts = merscope(prefix)
    assert detect_reader(folder) == "merscope"
    section = read(None, folder)
    assert sorted(section.table.obs_names) == IDS
    expected = counts.loc[section.table.obs_names]
    np.testing.assert_array_equal(section.table.layers["counts"].toarray(), expected[["Comt", "Ldha"]])
    np.testing.assert_allclose(section.xy_um, metadata.loc[section.table.obs_names, ["center_x", "center_y"]])
    blanks = counts[["Blank-1", "blank_2"]].to_numpy().sum()
    assert f"2 control features (blanks) with {blanks} counts are left out" in notes_of(section)
    assert "no transform and no manifest, so mosaic px are taken to be 0.108 um" in notes_of(section)


@pytest.mark.parametrize("files", [{"transform": True}, {"manifest": True}, {"transform": True, "manifest": True}])
def test_mosaic_pixels_follow_the_transform_or_the_manifest(merscope, metadata, files):
    folder, _ = merscope(**files)
    section = read("merscope", folder)
    um = metadata.loc[section.table.obs_names, ["center_x", "center_y"]].to_numpy()
    np.testing.assert_allclose(section.xy, um * 2 + (100, 80))
    assert section.mpp == 0.5
    assert "which is used" not in notes_of(section)


def test_a_manifest_that_contradicts_itself_is_noted(merscope):
    section = read("merscope", merscope(manifest=True, stated=0.125)[0])
    assert section.mpp == 0.5
    assert "manifest.json states 0.125 um/px, its box and size in px 0.5, which is used" in notes_of(section)


def test_pseudo_spots_from_molecules_and_from_cells(merscope):
    folder, counts = merscope()
    section = read("merscope", folder, grid_um=100)
    assert list(section.table.obs_names) == ["000x000", "000x001"]
    np.testing.assert_array_equal(section.table.layers["counts"].toarray(), [[1, 1], [1, 0]])
    assert "3 molecules are summed; 1 of controls are left out" in notes_of(section)
    cells = read("merscope", folder, grid_um=100, grid_from="cells")
    assert cells.depth.sum() == counts[["Comt", "Ldha"]].to_numpy().sum()
    assert cells.table.obs["n_cells"].sum() == 12
    with pytest.raises(DataError, match="grid_from='fovs' is not known. Choose transcripts or cells"):
        read("merscope", folder, grid_um=100, grid_from="fovs")


def test_an_aligned_image_needs_to_know_mosaic_pixels(merscope, made, tmp_path):
    folder, _ = merscope()
    image = made.write_image(tmp_path / "he.png", 600, 500)
    np.savetxt(tmp_path / "he_imagealignment.csv", np.diag([1.0, 1.0, 1.0]), delimiter=",")
    with pytest.raises(SlideError, match="neither micron_to_mosaic_pixel_transform.csv nor manifest.json"):
        read("merscope", folder, image=str(image))
    (folder / "images" / "micron_to_mosaic_pixel_transform.csv").write_text("2 0 100\n0 2 80\n0 0 1\n")
    section = read("merscope", folder, image=str(image))
    assert section.slide.size == (600, 500)
    assert section.mpp == 0.5
    with pytest.raises(SlideError, match="mosaic_DAPI_z0.tif is fluorescence"):
        read("merscope", folder, image=str(folder / "images" / "mosaic_DAPI_z0.tif"))


def test_missing_and_damaged_files_are_named(merscope):
    folder, _ = merscope(transform=True)
    (folder / "images" / "micron_to_mosaic_pixel_transform.csv").write_text("2 0\n0 2\n")
    with pytest.raises(ScaleError, match="is not a 3 x 3 affine from um to mosaic px"):
        read("merscope", folder)
    (folder / "images" / "micron_to_mosaic_pixel_transform.csv").unlink()
    path = folder / "cell_by_gene.csv"
    text = path.read_text()
    path.write_text(text[: text.rindex(",")])
    with pytest.raises(DataError, match=r"cell_by_gene .* is truncated or damaged, somewhere up to row 12"):
        read("merscope", folder)
    path.write_text(text.replace("Ldha", "Comt"))
    with pytest.raises(DataError, match=r"1 gene\(s\) more than once \(Comt\)"):
        read("merscope", folder)
    path.write_text(text.rsplit(",", 1)[0] + ",0.5\n")
    with pytest.raises(DataError, match="1 fractional values"):
        read("merscope", folder)
    path.write_text(text)
    (folder / "cell_metadata.csv").unlink()
    with pytest.raises(DataError, match=r"has no cell_metadata.csv \(it has cell_by_gene.csv"):
        read("merscope", folder)
