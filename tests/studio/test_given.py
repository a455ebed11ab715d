"""What the command line gives: each kind of thing is told from the others."""

from __future__ import annotations

import json
import shutil

import pytest

from histoscribe.core.errors import DataError
from histoscribe.core.records import RunRecord
from histoscribe.studio import Studio
from histoscribe.studio.items._find import find


def kinds(*paths):
    return [kind for kind, _, _ in find([str(p) for p in paths]).items]


def test_files_are_told_by_what_they_are(files):
    assert kinds(files / "slide.tif", files / "section.h5ad", files / "prediction.h5ad") == [
        "slide",
        "section",
        "prediction",
    ]


def test_a_folder_gives_what_is_in_it(files, tmp_path):
    for name in ("slide.tif", "section.h5ad", "prediction.h5ad"):
        shutil.copy(files / name, tmp_path / name)
    (tmp_path / "model.bundle").write_bytes(b"")
    (tmp_path / "notes.csv").write_text("a,b\n")
    given = find([str(tmp_path)])
    assert sorted(kind for kind, _, _ in given.items) == ["prediction", "section", "slide"]
    assert [p.name for p in given.bundles] == ["model.bundle"]


def test_records_are_told_from_other_files(tmp_path):
    record = RunRecord(
        method="m", params={}, encoder="", genes=[], target={}, split={}, seed=0, data={}, scores={}, n={}
    )
    record.save(tmp_path / "runs" / "suite" / "m")
    (tmp_path / "other.json").write_text(json.dumps({"a": 1}))
    assert find([str(tmp_path / "runs")]).records == [tmp_path / "runs"]
    with pytest.raises(DataError, match=r"other\.json"):
        find([str(tmp_path / "other.json")])


def test_sections_of_one_donor_in_a_manifest_are_a_stack(files, tmp_path):
    lines = [f'[[section]]\npath = "{files / "section.h5ad"}"\nname = "s{i}"\ndonor = "d"\n' for i in range(2)]
    (tmp_path / "stack.toml").write_text("\n".join(lines))
    given = find([str(tmp_path / "stack.toml")])
    assert [stack for _, _, stack in given.items] == ["stack-d", "stack-d"]
    studio = Studio.of([str(tmp_path / "stack.toml")], work=tmp_path / "work")
    names = [studio.items.open(item).name for item in studio.items]
    studio.close()
    assert names == ["s0", "s1"]


@pytest.mark.parametrize(("path", "said"), [("nothing.svs", "does not exist"), ("readr:x.svs", "does not exist")])
def test_what_is_not_there_is_told(path, said):
    with pytest.raises(DataError, match=said):
        find([path])


def test_ids_say_nothing_of_paths_and_stay_the_same(files, tmp_path):
    one = Studio.of([str(files / "slide.tif")], work=tmp_path)
    two = Studio.of([str(files / "slide.tif")], work=tmp_path)
    assert [i.id for i in one.items] == [i.id for i in two.items]
    assert all(len(i.id) == 16 and "slide" not in i.id for i in one.items)
    one.close()
    two.close()


def test_predictions_of_the_last_time_are_there_again(files, tmp_path):
    (tmp_path / "predictions").mkdir(parents=True)
    shutil.copy(files / "prediction.h5ad", tmp_path / "predictions" / "earlier.h5ad")
    studio = Studio.of([str(files / "slide.tif")], work=tmp_path)
    assert [i.file for i in studio.items] == ["slide.tif", "earlier.h5ad"]
    studio.close()


def slide_of(tmp_path, *paths):
    """Open the prediction among some paths; return its slide's name and its notes."""
    studio = Studio.of([str(p) for p in paths], work=tmp_path / "work")
    opened = next(studio.items.open(item) for item in studio.items if item.kind == "prediction")
    found = opened.slide and opened.slide.name, opened.notes
    studio.close()
    return found


def test_a_prediction_shows_the_slide_that_it_names_only_where_that_was_given_too(files, tmp_path):
    shutil.copy(files / "prediction.h5ad", tmp_path / "alone.h5ad")
    slide, notes = slide_of(tmp_path, tmp_path / "alone.h5ad")
    assert slide is None
    assert notes[0].endswith("start with it: histoscribe studio PREDICTION slide.tif")
    for beside in (files / "slide.tif", files / "section.h5ad", files):
        assert slide_of(tmp_path, tmp_path / "alone.h5ad", beside)[0] == "slide.tif"
    assert slide_of(tmp_path, f"{tmp_path / 'alone.h5ad'}?slide={files / 'slide.tif'}")[0] == "slide.tif"


def test_a_link_in_a_given_folder_leads_a_prediction_to_no_slide_outside(files, tmp_path):
    given = tmp_path / "given"
    given.mkdir()
    shutil.copy(files / "prediction.h5ad", given / "prediction.h5ad")
    (given / "slide.tif").symlink_to(files / "slide.tif")
    slide, notes = slide_of(tmp_path, given / "prediction.h5ad")
    assert slide is None
    assert "was not given" in notes[0]
