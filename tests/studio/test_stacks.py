"""Registered stacks: what `align` and `impute` write is shown in order of depth, in one frame."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fastapi.testclient import TestClient

from histoscribe.align import Rigid, write_stack
from histoscribe.core.errors import DataError
from histoscribe.core.stack import Stack
from histoscribe.io import read
from histoscribe.methods import volume
from histoscribe.studio import Studio, create_app
from histoscribe.studio.items._find import find
from histoscribe.studio.items._stacks import place_of

TURN_DEG = 30.0


@pytest.fixture(scope="module")
def stack(files, tmp_path_factory):
    """A folder with three sections, each turned by 30 degrees more than the one before."""
    folder = tmp_path_factory.mktemp("stack")
    sections = [read("h5ad", files / "section.h5ad", name=f"s{k}") for k in range(3)]
    turns = [Rigid(k * TURN_DEG, np.full(2, 100.0), np.array([10.0 * k, 0.0])) for k in range(3)]
    xy = tuple(turn(section.xy_um) for turn, section in zip(turns, sections, strict=True))
    registered = Stack(tuple(sections), xy, np.array([0.0, 20.0, 30.0]))
    write_stack(registered, folder / "aligned")
    path = folder / "aligned" / "stack.json"
    value = json.loads(path.read_text())
    quality = {"verdict": "doubtful", "reasons": ["outlines overlap little"], "overlap": 0.7}
    value["pairs"] = [{"moving": "s1", "fixed": "s0", "quality": quality}]
    path.write_text(json.dumps(value))
    return folder / "aligned"


@pytest.fixture(scope="module")
def imputed(stack):
    """A folder with what `impute` makes of ``s1``."""
    from histoscribe.align import read_stack

    tables = volume("section-mean").fit([], ["ERBB2", "KRT8"], seed=0).impute(read_stack(stack), labelled=["s0", "s2"])
    folder = stack.parent / "imputed"
    folder.mkdir()
    tables[0].write_h5ad(folder / "s1.h5ad")
    (folder / "stack.png").write_bytes(b"a picture")
    return folder


def details(*paths, work):
    """Return every item's detail by kind and name."""
    studio = Studio.of([str(path) for path in paths], work=work)
    with TestClient(create_app(studio), base_url="http://127.0.0.1:8710") as client:
        listed = client.get("/api/items").json()["items"]
        for item in studio.items:
            studio.items.open(item)
        found = [client.get(f"/api/items/{item['id']}").json() for item in listed]
    return {(item["kind"], item["name"]): item for item in found}


def test_sections_are_in_order_of_depth_with_their_verdicts(stack, tmp_path):
    found = details(stack, work=tmp_path)
    section = found["section", "s1"]
    names = {item["id"]: item["name"] for item in found.values()}
    rows = [(names[row["id"]], row["z_um"]) for row in section["sections_of_stack"]]
    assert rows == [("s0", 0.0), ("s1", 20.0), ("s2", 30.0)]
    assert [[pair["verdict"] for pair in row["pairs"]] for row in section["sections_of_stack"]] == [
        [],
        ["doubtful"],
        [],
    ]
    assert len({item["stack"] for item in found.values()}) == 1


def test_places_bring_observations_where_the_stack_has_them(stack, tmp_path):
    found = details(stack, work=tmp_path)
    for k in range(3):
        section = read("h5ad", next(stack.glob(f"*_s{k}.h5ad")))
        place = found["section", f"s{k}"]["place"]
        turn = np.array([[place["a"], -place["b"]], [place["b"], place["a"]]])
        moved = section.xy @ turn.T + (place["x_um"], place["y_um"])
        np.testing.assert_allclose(moved, section.table.obsm["spatial_3d_um"][:, :2], atol=1e-3)
        assert place["off_um"] == pytest.approx(0, abs=1e-3)


def test_what_a_turn_cannot_follow_is_said():
    stretched = np.diag([1.1, 0.9, 1.0])
    xy = np.array([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0], [100.0, 100.0]])
    place = place_of(stretched, xy, 2.0)
    assert (place.a, place.b) == (2.0, 0.0)
    # A corner is 100 um from the middle in x and in y, and each is 10 % off.
    assert place.off_um == pytest.approx(np.hypot(10, 10))


def test_an_imputed_section_is_a_layer_of_its_section(stack, imputed, tmp_path):
    found = details(stack, imputed, work=tmp_path)
    assert set(found) == {("section", f"s{k}") for k in range(3)} | {("prediction", "s1")}
    assert [y["name"] for y in found["section", "s1"]["layers"]] == ["measured", "predicted", "residual"]
    assert "imputed by section-mean from s0, s2" in found["prediction", "s1"]["notes"][0]


def test_imputed_sections_alone_are_shown_in_the_frame_of_their_stack(imputed, tmp_path):
    item = details(imputed, work=tmp_path)["prediction", "s1"]
    assert (item["place"]["a"], item["mpp"]) == (1.0, 1.0)
    assert [row["z_um"] for row in item["sections_of_stack"]] == [20.0]


@pytest.mark.parametrize("harm", ["gone", "not a stack"])
def test_a_damaged_stack_is_told(stack, tmp_path, harm):
    value = json.loads((stack / "stack.json").read_text())
    if harm == "gone":
        (tmp_path / "stack.json").write_text(json.dumps(value))
    else:
        (tmp_path / "stack.json").write_text("{}")
    with pytest.raises(DataError, match=r"lacks 01_s0\.h5ad.*align again|does not describe a stack.*Align"):
        find([str(tmp_path)])


def test_a_stack_that_names_files_outside_its_folder_is_refused(stack, tmp_path):
    value = json.loads((stack / "stack.json").read_text())
    value["sections"][0]["file"] = str(stack / value["sections"][0]["file"])
    (tmp_path / "stack.json").write_text(json.dumps(value))
    with pytest.raises(DataError, match="names files outside its folder"):
        find([str(tmp_path)])


def test_values_without_counts_are_shown_as_given(files, tmp_path):
    section = read("h5ad", files / "section.h5ad")
    section.table.X = section.table.layers.pop("counts").astype(np.float32) / 7
    section.table.write_h5ad(tmp_path / "given.h5ad")
    studio = Studio.of([str(tmp_path / "given.h5ad")], work=tmp_path / "work")
    with TestClient(create_app(studio), base_url="http://127.0.0.1:8710") as client:
        (item,) = client.get("/api/items").json()["items"]
        answer = client.get(f"/api/items/{item['id']}/genes/KRT8")
    values = section.table[:, "KRT8"].X.toarray()[:, 0]
    assert answer.headers["x-unit"] == "values as given"
    np.testing.assert_allclose(np.frombuffer(answer.content, dtype="<f4"), values, rtol=1e-6)
