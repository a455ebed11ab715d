import json

import numpy as np
import pytest
from PIL import Image

from histoscribe.core.errors import DataError, RegistryError, ScaleError, SlideError
from histoscribe.io import READERS, detect_reader, parse_spec, read, read_spec, read_specs


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.full((80, 120, 3), 230, np.uint8)).save(path)
    return path


def test_a_slide_alone_has_no_observations(photo):
    section = read("slide", photo, mpp=0.688)
    assert section.table.shape == (0, 0)
    assert section.xy.shape == (0, 2)
    assert not section.measured
    assert (section.mpp, section.name, section.slide.size) == (0.688, "photo", (120, 80))


def test_a_slide_without_scale_says_how_to_give_one(photo):
    with pytest.raises(ScaleError, match=r"slide 'photo' has no um/px .*Give mpp=<um per pixel>, e.g. \?mpp=0.5"):
        read_spec(str(photo))


def test_a_scale_against_the_file_needs_an_override(photo, monkeypatch):
    import histoscribe.slide as slides

    real = slides.open_slide

    def stating(path):
        slide = real(path)
        monkeypatch.setattr(type(slide), "mpp", 0.25)
        return slide

    monkeypatch.setattr(slides, "open_slide", stating)
    with pytest.raises(ScaleError, match=r"mpp=0\.5 was given, but the file states 0\.25"):
        read("slide", photo, mpp=0.5)
    assert read("slide", photo, mpp=0.5, override=True).mpp == 0.5
    assert read("slide", photo).mpp == 0.25


def test_a_truncated_image_is_refused(photo):
    photo.write_bytes(photo.read_bytes()[:60])
    with pytest.raises(SlideError):
        read("slide", photo, mpp=0.5).slide.thumbnail(max_px=50)


def test_the_reader_is_found_by_looking(photo, her2st, space_ranger, bulb, tmp_path):
    root = her2st()
    assert detect_reader(root) == detect_reader(root / "data") == "st-array"
    assert detect_reader(root / "data" / "ST-cnts" / "C2.tsv.gz") == "st-array"
    assert detect_reader(bulb()) == "st-array"
    outs = space_ranger()
    assert detect_reader(outs) == detect_reader(outs.parent) == "visium"
    assert detect_reader(photo) == "slide"
    (tmp_path / "a.h5ad").touch()
    assert detect_reader(tmp_path / "a.h5ad") == "h5ad"


def test_what_was_looked_for_is_listed_where_nothing_fits(tmp_path):
    (tmp_path / "empty").mkdir()
    looked = r"Looked for: .*a .h5ad file .*a folder with spatial/ or outs/spatial/ .visium"
    with pytest.raises(DataError, match=rf"{looked}.*Name the reader: .*h5ad, .*slide"):
        detect_reader(tmp_path / "empty")
    with pytest.raises(DataError, match="does not exist. Check the path"):
        read_spec(str(tmp_path / "nothing.svs"))


def test_specifications_are_split_into_reader_path_and_options():
    assert parse_spec("st-array:her2st?section=C2&donor=C") == ("st-array", "her2st", {"section": "C2", "donor": "C"})
    assert parse_spec("slide.jpg?mpp=0.688") == (None, "slide.jpg", {"mpp": "0.688"})
    assert parse_spec("a.h5ad?where=array_col>=56 and b==2&donor=K")[2] == {
        "where": "array_col>=56 and b==2",
        "donor": "K",
    }
    assert parse_spec("a.h5ad?where=a>1&b==2&name=x")[2] == {"where": "a>1&b==2", "name": "x"}
    assert parse_spec("a.h5ad?name=x%26y%3D2")[2] == {"name": "x&y=2"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vizium:folder", "reader 'vizium', which does not exist. Did you mean 'visium'"),
        ("visium:", "names no path"),
        ("a.h5ad?mpp", "'mpp' is not key=value"),
        ("a.h5ad?mpp=1&mpp=2", "is given twice"),
    ],
)
def test_a_specification_that_cannot_be_read_says_why(text, message):
    with pytest.raises(DataError, match=message):
        parse_spec(text)


def test_unknown_options_suggest_the_nearest(photo):
    with pytest.raises(DataError, match="reader 'slide' has no option 'mmp'. Did you mean 'mpp'"):
        read("slide", photo, mmp=0.5)
    with pytest.raises(DataError, match="mpp='fine' is not a number"):
        read_spec(f"{photo}?mpp=fine")
    with pytest.raises(DataError, match="override='perhaps' is neither true nor false"):
        read_spec(f"{photo}?mpp=0.5&override=perhaps")
    with pytest.raises(RegistryError, match="no reader called 'visum'"):
        read("visum", photo)


@pytest.mark.parametrize("name", list(READERS))
def test_every_reader_takes_the_common_options(name):
    import inspect

    parameters = inspect.signature(READERS.get(name)).parameters
    assert {"name", "donor", "mpp", "species"} <= set(parameters)
    assert all(p.kind is p.KEYWORD_ONLY for k, p in parameters.items() if k != "path")


def test_the_origin_reads_the_same_section_again(her2st):
    first = read_spec(f"st-array:{her2st()}?section=C2&mpp=4.1&where=array_col<6&image=none")
    origin = first.origin
    json.dumps(dict(origin.options), allow_nan=False)
    again = read(origin.reader, origin.path, **origin.options)
    assert again.origin == origin
    assert len(origin.digest) == 64
    np.testing.assert_array_equal(again.xy, first.xy)


def test_the_digest_follows_the_expression_and_not_the_image(her2st):
    root = her2st()
    before = read("st-array", root, section="C2").origin.digest
    image = next((root / "data" / "ST-imgs").rglob("*.jpg"))
    Image.new("RGB", (480, 400)).save(image)
    assert read("st-array", root, section="C2").origin.digest == before
    path = root / "data" / "ST-spotfiles" / "C2_selection.tsv"
    path.write_text(path.read_text().replace("\t1\n", "\t0\n", 1))
    assert read("st-array", root, section="C2").origin.digest != before


def test_a_manifest_lists_sections_relative_to_itself(her2st, photo, tmp_path):
    her2st()
    manifest = tmp_path / "train.toml"
    manifest.write_text(
        '[defaults]\nspecies = "human"\n[[section]]\npath = "her2st"\nsection = "C2"\n'
        '[[section]]\nreader = "slide"\npath = "photo.png"\nmpp = 0.5\n'
    )
    c2, slide = read_specs([str(manifest)])
    assert (c2.name, c2.species, slide.platform, slide.mpp) == ("C2", "human", "slide", 0.5)


def test_sections_of_one_name_are_refused(photo):
    with pytest.raises(DataError, match="several sections are called 'photo'"):
        read_specs([f"{photo}?mpp=1", f"{photo}?mpp=2"])
    assert len(read_specs([f"{photo}?mpp=1", f"{photo}?mpp=2&name=b"])) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[section]\n", "not valid TOML"),
        ("[[slides]]\n", "unknown tables slides"),
        ("", "lists no section"),
        ('[[section]]\nname = "a"\n', "section 1 has no path"),
    ],
)
def test_a_damaged_manifest_says_what_is_wrong(tmp_path, text, message):
    (tmp_path / "m.toml").write_text(text)
    with pytest.raises(DataError, match=message):
        read_specs([str(tmp_path / "m.toml")])
    with pytest.raises(DataError, match="does not exist"):
        read_specs([str(tmp_path / "none.toml")])


def test_files_are_told_from_unknown_options_in_python_too(photo):
    with pytest.raises(DataError, match="outside='hide' is not known"):
        read("slide", photo, mpp=1.0, outside="hide")
