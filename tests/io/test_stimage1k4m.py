import numpy as np
import pandas as pd
import pytest
import tifffile
from PIL import Image

from histoscribe.core.errors import CoordinateError, DataError, ScaleError, SlideError
from histoscribe.io import read, read_spec
from histoscribe.testing import check_reader

SLIDE = "Human_Breast+Skin_A1"
#: Spots of a legacy array, 200 um apart: 60 px at 3.333 um/px, where a radius of 50 um is 15 px.
STEP, RADIUS = 60.0, 15.0


def notes(section):
    return "; ".join(section.table.uns["histoscribe"]["notes"])


def lattice(nx=8, ny=5, step=STEP):
    x, y = (v.ravel() for v in np.meshgrid(np.arange(nx), np.arange(ny)))
    return pd.DataFrame(
        {"yaxis": 40 + step * y, "xaxis": 30 + step * x, "r": RADIUS},
        index=[f"{a}x{b}" for a, b in zip(x, y, strict=True)],
    )


@pytest.fixture
def data_set(tmp_path):
    """`write(slide=, technology=, coords=, image=)`: counts in an order of their own, image as JPEG named .png."""
    root = tmp_path / "stimage"

    def write(slide=SLIDE, *, technology="ST", coords=None, image="JPEG", prefixed=True, genes=("KRT8", "ESR1")):
        coords = lattice() if coords is None else coords
        folder = root / technology
        for part in ("image", "gene_exp", "coord"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        place = coords.set_axis([f"{slide}_{i}" for i in coords.index], axis=0)
        place.to_csv(folder / "coord" / f"{slide}_coord.csv")
        counts = np.random.default_rng(2).poisson(3, (len(coords), len(genes)))
        names = place.index if prefixed else coords.index
        table = pd.DataFrame(counts, index=names, columns=list(genes))
        table.iloc[::-1].to_csv(folder / "gene_exp" / f"{slide}_count.csv")
        pixels = np.zeros((400, 600, 3), np.uint8) + np.arange(600, dtype=np.uint8)[None, :, None]
        path = folder / "image" / f"{slide}.png"
        if image == "TIFF":
            tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb")
        elif image:
            Image.fromarray(pixels).save(path, format=image)
        return root

    return write


@pytest.mark.parametrize("image", ["JPEG", "PNG", "TIFF"])
def test_images_are_opened_by_content(data_set, image):
    section = read(None, data_set(image=image))
    assert section.slide.size == (600, 400)
    assert section.slide.backend == ("tiff" if image == "TIFF" else "image")


@pytest.mark.parametrize("prefixed", [True, False])
def test_x_y_and_counts_are_joined_by_spot(data_set, prefixed):
    section = read("stimage1k4m", data_set(prefixed=prefixed))
    expected = lattice()
    assert set(section.table.obs_names) == set(expected.index)
    np.testing.assert_array_equal(section.xy, expected.loc[section.table.obs_names, ["xaxis", "yaxis"]])
    counts = pd.DataFrame(np.random.default_rng(2).poisson(3, (40, 2)), index=expected.index)
    found = section.table.layers["counts"].toarray()
    np.testing.assert_array_equal(found, counts.loc[section.table.obs_names])
    assert section.table.obs.loc["3x1", ["array_col", "array_row"]].tolist() == [3, 1]


def test_the_reader_keeps_its_contract(data_set):
    check_reader("stimage1k4m", data_set())


def test_the_scale_follows_from_the_radius_and_is_confirmed_by_the_distance(data_set):
    section = read("stimage1k4m", data_set())
    assert section.mpp == pytest.approx(50 / 15)
    assert (section.spot_um, section.pitch_um, section.platform) == (100.0, 200.0, "st-array")
    assert "their distance says 3.333" in notes(section)
    with pytest.raises(ScaleError, match=r"mpp=0\.5 was given, but the radius of its spots says 3\.333 um/px"):
        read("stimage1k4m", data_set(), mpp=0.5)


def test_jitter_of_printed_spots_does_not_bias_the_distance(data_set):
    coords = lattice(12, 10, step=30)
    coords[["xaxis", "yaxis"]] += np.random.default_rng(0).normal(0, 2, (120, 2))
    coords["r"] = 7.5
    assert read("stimage1k4m", data_set(coords=coords)).mpp == pytest.approx(50 / 7.5)


def test_the_array_of_150_um_is_known_by_its_ratio(data_set):
    coords = lattice(step=45.0)
    coords["r"] = 16.5  # 55 um at 3.333 um/px
    section = read("stimage1k4m", data_set(coords=coords))
    assert (section.mpp, section.spot_um, section.pitch_um) == (pytest.approx(55 / 16.5), 110.0, 150.0)


def test_a_radius_and_a_distance_of_no_array_ask_for_the_scale(data_set):
    coords = lattice()
    coords["r"] = 25.0
    root = data_set(coords=coords)
    with pytest.raises(
        ScaleError, match=r"radius of 25 px and are 60 px apart, 1\.20 diameters, which is no known array"
    ):
        read("stimage1k4m", root)
    section = read("stimage1k4m", root, mpp=2.0)
    assert (section.mpp, section.pitch_um, section.spot_um) == (2.0, pytest.approx(120.0), None)


def test_radii_that_differ_are_refused(data_set):
    coords = lattice()
    coords.iloc[3, 2] = 20.0
    with pytest.raises(ScaleError, match="radii r of its spots run from 15 to 20 px"):
        read("stimage1k4m", data_set(coords=coords))


def visium_coords():
    row, column = (v.ravel() for v in np.meshgrid(np.arange(8), np.arange(20), indexing="ij"))
    keep = (row + column) % 2 == 0
    x, y = 30 + 20.0 * column[keep], 30 + 34.8 * row[keep]  # 100 um are 40 px
    return pd.DataFrame({"yaxis": y, "xaxis": x, "r": 11.0}, index=[f"AC{i:04d}-1" for i in range(keep.sum())])


def test_visium_has_spots_of_55_um(data_set):
    section = read("stimage1k4m", data_set(technology="Visium", coords=visium_coords()))
    assert (section.mpp, section.spot_um, section.pitch_um) == (pytest.approx(2.5), 55.0, 100.0)
    assert section.platform == "visium"


def test_bins_of_visium_hd_state_their_size_in_their_names(data_set):
    coords = lattice(step=10.0)
    coords["r"] = 5.0
    names = [f"s_008um_{int(i.split('x')[1]):05d}_{int(i.split('x')[0]):05d}-1" for i in coords.index]
    section = read("stimage1k4m", data_set(technology="VisiumHD", coords=coords.set_axis(names, axis=0)))
    assert (section.mpp, section.spot_um, section.pitch_um) == (0.8, 8.0, 8.0)
    assert section.table.obs.loc["s_008um_00001_00003-1", ["array_row", "array_col"]].tolist() == [1, 3]
    unnamed = data_set("Other", technology="VisiumHD", coords=coords)
    with pytest.raises(ScaleError, match="do not state the size of a bin.*bins are 2, 8 or 16 um"):
        read("stimage1k4m", unnamed, slide="Other")
    assert read("stimage1k4m", unnamed, slide="Other", mpp=1.6).pitch_um == 16.0


def test_several_slides_ask_for_one_and_plus_signs_work(data_set):
    data_set()
    root = data_set("Mouse_Brain_V1", technology="Visium", coords=visium_coords())
    with pytest.raises(DataError, match=rf"holds 2 slides \({SLIDE.replace('+', '.')}, Mouse_Brain_V1\). Choose one"):
        read("stimage1k4m", root)
    for text in (SLIDE, SLIDE.replace("+", "%2B")):
        assert read_spec(f"stimage1k4m:{root}?slide={text}").name == SLIDE
    assert read(None, root / "Visium").name == "Mouse_Brain_V1"
    with pytest.raises(DataError, match="no slide 'Mouse_Brain_V2'. Did you mean 'Mouse_Brain_V1'"):
        read("stimage1k4m", root, slide="Mouse_Brain_V2")


@pytest.mark.parametrize("separator", [",", "\t"])
def test_the_metadata_say_species_and_tissue_and_the_abstract_is_not_read(data_set, separator):
    root = data_set()
    row = {"slide": SLIDE, "species": "human", "tissue": "breast", "tech": "ST", "abstract": 'Of "spots",\nand more.'}
    (root / "meta").mkdir()
    pd.DataFrame([row | {"slide": "other"}, row]).to_csv(
        root / "meta/meta_all_gene02122025.csv", index=False, sep=separator
    )
    section = read("stimage1k4m", root)
    assert section.species == "human"
    assert section.table.uns["histoscribe"]["stimage1k4m"] == {k: v for k, v in row.items() if k != "abstract"}
    assert section.table.uns["histoscribe"]["donor_stated"] is False


def test_the_slide_that_was_renamed_has_the_right_species(data_set):
    root = data_set("Human_Brain+Kidney_10X_02212023_Visium", technology="Visium", coords=visium_coords())
    (root / "meta").mkdir()
    corrected = {"slide": "Mouse_Brain+Kidney_10X_02212023_Visium", "species": "mouse"}
    pd.DataFrame([corrected]).to_csv(root / "meta/meta_all_gene02122025.csv", index=False)
    section = read("stimage1k4m", root)
    assert section.species == "mouse"
    assert "its old name states the wrong species" in notes(section)


def test_a_slide_of_two_species_has_none(data_set):
    root = data_set()
    (root / "meta").mkdir()
    pd.DataFrame([{"slide": SLIDE, "species": "human & mouse"}]).to_csv(root / "meta/meta_all_gene.csv", index=False)
    assert read("stimage1k4m", root).species is None
    assert read("stimage1k4m", root, species="mouse").species == "mouse"


def test_labels_that_the_authors_drop_are_missing(data_set):
    root = data_set()
    (root / "annotation").mkdir()
    labels = {"0x0": "tumour", "1x0": "undetermined", "2x0": "Exclude", "3x0": " fat ", "99x99": "tumour"}
    table = pd.DataFrame({"label": labels.values()}, index=[f"{SLIDE}_{k}" for k in labels])
    table.to_csv(root / f"annotation/{SLIDE}_anno.csv")
    found = read("stimage1k4m", root).table.obs["annotation"]
    assert found.dropna().to_dict() == {"0x0": "tumour", "3x0": "fat"}
    table.assign(other=1, third=2).drop(columns="label").to_csv(root / f"annotation/{SLIDE}_anno.csv")
    section = read("stimage1k4m", root)
    assert "annotation" not in section.table.obs
    assert "none of its columns other, third is surely the label" in notes(section)


def test_spots_without_counts_or_places_are_told(data_set):
    root = data_set()
    path = root / f"ST/coord/{SLIDE}_coord.csv"
    table = pd.read_csv(path, index_col=0)
    table.iloc[3:].rename(index={table.index[-1]: f"{SLIDE}_77x77"}).to_csv(path)
    section = read("stimage1k4m", root)
    assert section.n_obs == 36
    assert "4 rows of counts have no coordinates and are left out" in notes(section)
    assert "1 spots with coordinates have no counts and are left out" in notes(section)
    table.rename(index=lambda i: f"Z{i}").to_csv(path)
    with pytest.raises(DataError, match="no spot of .*_count.csv .* is in .*_coord.csv"):
        read("stimage1k4m", root)


def test_missing_parts_are_named(data_set):
    root = data_set(image=None)
    with pytest.raises(SlideError, match=r"has no image Human_Breast\+Skin_A1.png"):
        read("stimage1k4m", root)
    assert read("stimage1k4m", root, image="none").slide is None
    path = root / f"ST/coord/{SLIDE}_coord.csv"
    pd.read_csv(path, index_col=0).rename(columns={"r": "radius"}).to_csv(path)
    with pytest.raises(DataError, match=r"coordinates .* lacks the column\(s\) r"):
        read("stimage1k4m", root, image="none")
    path.unlink()
    with pytest.raises(DataError, match="Download the files of all three folders"):
        read("stimage1k4m", root, image="none")


def test_places_that_are_not_on_the_image_are_refused(data_set):
    coords = lattice()
    coords["xaxis"] += 300
    with pytest.raises(CoordinateError, match="lie outside the 600 x 400 px image"):
        read("stimage1k4m", data_set(coords=coords))


@pytest.mark.shared
def test_the_rules_of_the_data_set_fit_a_real_slide(shared_data, data_set):
    # Slide A1 of the data set is this one, with r = 54.33 px.
    spots = pd.read_csv(shared_data / "her2st/data/ST-spotfiles/A1_selection.tsv", sep="\t")
    names = spots["x"].astype(str) + "x" + spots["y"].astype(str)
    coords = pd.DataFrame({"yaxis": spots["pixel_y"], "xaxis": spots["pixel_x"], "r": 54.33}).set_axis(names, axis=0)
    section = read("stimage1k4m", data_set("A1", coords=coords, image=None), image="none")
    assert section.mpp == pytest.approx(0.92, abs=0.001)
    own = read("st-array", shared_data / "her2st", section="A1", image="none")
    assert section.mpp == pytest.approx(own.mpp, rel=0.005)
