"""Exports and uploads: files that other programs read."""

from __future__ import annotations

import io
import json
import re
import zipfile

import numpy as np
import pandas as pd
import pytest
import tifffile

from .conftest import assert_told


def export(client, item, what, **asked):
    answer = client.post(f"/api/items/{item}/export/{what}", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].startswith("attachment; ")
    return answer.content


def test_csv_holds_places_layers_and_groups_of_a_selection(client, ids):
    data = export(client, ids["section"], "csv", gene="ERBB2", indices=[3, 5])
    table = pd.read_csv(io.BytesIO(data), index_col="observation")
    assert list(table.index) == ["spot3", "spot5"]
    assert table.loc["spot3", "x_um"] == pytest.approx(table.loc["spot3", "x_px"] * 0.5)
    wanted = {"ERBB2 measured", "ERBB2 predicted", "ERBB2 residual", "ERBB2 uncertainty", "domain", "share of T cell"}
    assert wanted <= set(table.columns)
    got = client.get(f"/api/items/{ids['section']}/export/csv?gene=ERBB2")
    assert len(pd.read_csv(io.BytesIO(got.content))) == 24


def test_geojson_has_every_observation_at_true_size(client, ids):
    features = json.loads(export(client, ids["section"], "geojson", gene="ERBB2"))["features"]
    assert len(features) == 24
    ring = np.array(features[0]["geometry"]["coordinates"][0])
    assert ring[0].tolist() == ring[-1].tolist()
    assert np.ptp(ring, axis=0) == pytest.approx([110, 110], abs=0.1)
    assert ring[:-1].mean(0) == pytest.approx([200, 200], abs=0.1)
    properties = features[0]["properties"]
    assert properties["objectType"] == "detection"
    assert properties["classification"]["name"] == "tumour"
    assert properties["measurements"]["ERBB2 uncertainty"] == pytest.approx(2.0)


def test_a_vitessce_archive_names_only_files_that_it_holds(client, ids):
    with zipfile.ZipFile(io.BytesIO(export(client, ids["section"], "vitessce", genes=["ERBB2", "KRT8"]))) as archive:
        names = set(archive.namelist())
        config = json.loads(archive.read("config.json"))
        spots, genes = (pd.read_csv(archive.open(f"{n}.csv"), index_col=0) for n in ("spots", "genes"))
        sets = pd.read_csv(archive.open("sets.csv"))
        with tifffile.TiffFile(archive.open("image.ome.tif")) as image:
            assert image.is_ome
            assert image.series[0].axes == "CYX"
            assert image.series[0].shape == (3, 1100, 1500)
            assert 'PhysicalSizeX="0.5"' in image.ome_metadata
    assert config["version"] == "1.0.16"
    files = config["datasets"][0]["files"]
    assert {f["url"].rpartition("/")[2] for f in files} <= names
    assert {f["fileType"] for f in files} == {"obsSpots.csv", "obsFeatureMatrix.csv", "obsSets.csv", "image.ome-tiff"}
    space = config["coordinationSpace"]
    assert {kind for kind, scopes in scopes_of(config) if not scopes <= set(space[kind])} == set()
    for view in config["layout"]:
        assert view["x"] + view["w"] <= 12
        assert view["y"] + view["h"] <= 12
    assert config["coordinationSpace"]["featureSelection"]["A"] == ["ERBB2"]
    assert list(genes.columns) == ["ERBB2", "KRT8"]
    assert spots.index.equals(genes.index)
    assert spots.iloc[0].tolist() == [100, 100]  # um: 200 px of 0.5 um
    assert set(sets["domain"]) == {"tumour", "stroma"}
    assert space["spatialSpotRadius"]["spots"] == pytest.approx(27.5)
    assert [space["spatialChannelColor"][c].index(255) for c in ("red", "green", "blue")] == [0, 1, 2]
    # The whole slide of 750 x 550 um is in a view of 700 px at first.
    assert (space["spatialTargetX"]["A"], space["spatialTargetY"]["A"]) == (375, 275)
    assert 750 * 2 ** space["spatialZoom"]["A"] == pytest.approx(700, rel=1e-3)


def scopes_of(config):
    """Every kind of coordination with the scopes that a view, a layer or a channel names."""
    for view in config["layout"]:
        for kind, scope in view["coordinationScopes"].items():
            yield kind, {scope} if isinstance(scope, str) else set(scope)
    space = config["coordinationSpace"]
    for meta in space["metaCoordinationScopes"].values():
        yield from ((kind, set(scopes)) for kind, scopes in meta.items())
    for by in space["metaCoordinationScopesBy"].values():
        for owner, kinds in by.items():
            for kind, scopes in kinds.items():
                assert set(scopes) <= set(space[owner])
                for named in scopes.values():
                    yield kind, {named} if isinstance(named, str) else set(named)


def test_the_html_page_loads_nothing_and_holds_its_data(client, ids):
    page = export(client, ids["section"], "html", genes=["ERBB2"]).decode()
    assert "default-src 'none'" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    held = json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL)[1])
    import base64

    values = np.frombuffer(base64.b64decode(held["genes"][0]["layers"]["uncertainty"]["values"]), dtype="<f4")
    assert values == pytest.approx(np.full(24, 2.0))
    assert held["genes"][0]["trust"] == "good"
    assert held["picture"].startswith("data:image/jpeg;base64,")
    assert held["groups"][0]["names"] == ["stroma", "tumour"]


def test_names_cannot_break_out_of_the_page(client, ids, monkeypatch):
    opened = client.studio.items.get(ids["section"]).opened
    monkeypatch.setattr(opened, "name", "</script><script>alert(1)</script>")
    page = export(client, ids["section"], "html", genes=["ERBB2"]).decode()
    assert "<script>alert" not in page


def test_a_gene_that_is_not_there_is_told(client, ids):
    assert_told(client.get(f"/api/items/{ids['section']}/export/csv?gene=NOTHING"), 404)
    assert_told(client.get(f"/api/items/{ids['section']}/export/pdf"), 422)


def test_a_slide_can_be_sent_up_and_looked_at(make_client, files):
    client = make_client(files / "section.h5ad")
    with (files / "slide.tif").open("rb") as file:
        answer = client.post("/api/uploads", files={"file": ("../../my slide.tif", file)})
    assert answer.status_code == 201, answer.text
    item = answer.json()["item"]
    assert (item["kind"], item["width_px"], item["file"]) == ("slide", 1500, "my-slide.tif")
    assert client.get(f"/api/items/{item['id']}/tile/0/0/0").status_code == 200
    assert [p.name for p in (client.studio.work / "uploads").iterdir()] == ["my-slide.tif"]


@pytest.mark.parametrize("name", ["x.tif", "x.h5ad", "x", "...", "x.toml", "x.csv", ""])
def test_an_upload_that_is_no_slide_is_refused_and_not_kept(client, name):
    answer = client.post("/api/uploads", files={"file": (name, b"nothing of an image")})
    assert_told(answer, 422)
    folder = client.studio.work / "uploads"
    assert not folder.exists() or not list(folder.iterdir())
    assert len(client.studio.items) == 3
