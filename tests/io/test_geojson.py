import gzip
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from histoscribe.core.errors import CoordinateError, DataError, SlideError
from histoscribe.core.section import Section
from histoscribe.io import annotate, load_geojson, read, write
from histoscribe.io._polygons import Region, assign_smallest, inside
from histoscribe.testing import make_section


def section(xy):
    table = AnnData(obs=pd.DataFrame(index=[f"s{i}" for i in range(len(xy))]))
    table.obsm["spatial"] = np.asarray(xy, dtype=float)
    return Section(table, None, 0.5, "one", donor="D")


def square(left, top, side):
    return [[left, top], [left + side, top], [left + side, top + side], [left, top + side], [left, top]]


def feature(coordinates, kind="Polygon", **properties):
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


def tumour(**more):
    return {"classification": {"name": "Tumor", "color": [200, 0, 10]}, **more}


@pytest.fixture
def save(tmp_path):
    def to_file(value, name="a.geojson"):
        (tmp_path / name).write_text(json.dumps(value))
        return tmp_path / name

    return to_file


def test_the_smallest_annotation_labels_what_lies_in_several(save):
    stroma = {"classification": {"name": "Stroma", "color": [0, 250, 0]}}
    path = save([feature([square(10, 10, 10)], **tumour()), feature([square(0, 0, 100)], **stroma)])
    found = annotate(section([(15, 15), (50, 50), (150, 5)]), path)
    assert found.table.obs["annotation"].tolist()[:2] == ["Tumor", "Stroma"]
    assert pd.isna(found.table.obs["annotation"].iloc[2])
    assert list(found.table.obs["annotation"].cat.categories) == ["Tumor", "Stroma"]
    assert found.table.uns["annotation_colors"] == ["#c8000a", "#00fa00"]
    assert "2 of 3 observations lie in 2 annotations" in found.table.uns["histoscribe"]["notes"][-1]


def test_holes_and_second_parts_count(save):
    donut = [square(0, 0, 30), square(10, 10, 10)]
    path = save(feature([donut, [square(50, 0, 10)]], kind="MultiPolygon", **tumour()))
    labels = annotate(section([(5, 5), (15, 15), (55, 5), (45, 5)]), path).table.obs["annotation"]
    assert labels.notna().tolist() == [True, False, True, False]


def test_annotations_of_the_full_image_fit_a_reduced_one_by_their_scale(save):
    path = save(feature([square(100, 100, 100)], **tumour()))
    one = section([(15, 15)])
    assert annotate(one, path, "region", scale=0.1).table.obs["region"].tolist() == ["Tumor"]
    with pytest.raises(CoordinateError, match=r"none of 1 observations \(x 15 to 15.*x 100 to 200.*give scale="):
        annotate(one, path)


@pytest.mark.parametrize(
    ("properties", "label", "colour"),
    [
        ({"classification": {"name": "Tumor", "colorRGB": -3670006}}, "Tumor", (200, 0, 10)),
        ({"classification": {"names": ["Tumor", "CD8"], "color": [1, 2, 3]}}, "Tumor: CD8", (1, 2, 3)),
        ({"classification": "Tumor"}, "Tumor", None),
        ({"name": "ROI 1"}, "ROI 1", None),
        ({}, "Unclassified", None),
    ],
)
def test_labels_of_old_and_new_files_are_found(save, properties, label, colour):
    (item,) = load_geojson(save(feature([square(0, 0, 1)], **properties))).items
    assert (item.label, item.colour) == (label, colour)


def test_what_has_no_area_is_left_out_with_a_note(save):
    line = feature([[0, 0], [1, 1]], kind="LineString")
    found = load_geojson(save({"type": "FeatureCollection", "features": [line, feature([square(0, 0, 1)])]}))
    assert len(found.items) == 1
    assert found.notes == ["1 objects of kind LineString have no area and are left out"]
    with pytest.raises(DataError, match=r"hold no polygon \(1 objects of kind LineString.*Draw areas"):
        annotate(section([(0, 0)]), save(line))


def test_compressed_files_read_as_plain_ones(save, tmp_path):
    plain = save({"type": "Polygon", "coordinates": [square(2, 4, 2)]})
    (tmp_path / "b.geojson.gz").write_bytes(gzip.compress(plain.read_bytes()))
    with zipfile.ZipFile(tmp_path / "c.geojson.zip", "w") as archive:
        archive.write(plain, "c.geojson")
    for name in ("a.geojson", "b.geojson.gz", "c.geojson.zip"):
        (item,) = load_geojson(tmp_path / name).items
        assert item.centre.tolist() == [3.0, 5.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"type": "FeatureCollection", "features": [{"type"', "is not JSON .*truncated"),
        ('{"spots": 3}', "is not GeoJSON: it holds None where a Feature is expected"),
        ('{"type": "Polygon", "coordinates": [[["a", 1], [2, 3], [4, 5]]]}', "object 1: coordinates are not pairs"),
        ('{"type": "Polygon", "coordinates": [[[NaN, 1], [2, 3], [4, 5]]]}', "object 1: a coordinate is NaN"),
    ],
)
def test_a_damaged_file_is_one_clear_error(tmp_path, text, message):
    (tmp_path / "a.geojson").write_text(text)
    with pytest.raises(DataError, match=message):
        load_geojson(tmp_path / "a.geojson")


def test_points_are_assigned_as_by_an_independent_implementation(rng):
    path = pytest.importorskip("matplotlib.path").Path
    xy = rng.uniform(0, 100, (2000, 2))
    regions = []
    for _ in range(20):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 30))
        radius = rng.uniform(3, 40) * (1 + 0.5 * np.sin(5 * angle))
        ring = rng.uniform(0, 100, 2) + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        regions.append(Region(((ring,),)))
    expected = np.full(len(xy), -1)
    for i in sorted(range(20), key=lambda i: -regions[i].area):
        expected[path(regions[i].parts[0][0]).contains_points(xy)] = i
    np.testing.assert_array_equal(assign_smallest(regions, xy), expected)


def test_a_point_on_a_shared_edge_lies_in_exactly_one_polygon():
    xy = np.array([[1.0, y] for y in np.linspace(0, 0.99, 12)] + [[x, 1.0] for x in np.linspace(0, 1.9, 12)])
    tiles = [Region(((np.array(square(x, y, 1.0)),),)) for x in (0.0, 1.0) for y in (0.0, 1.0)]
    assert np.sum([inside(tile, xy) for tile in tiles], axis=0).tolist() == [1] * 24


def test_area_and_centroid_heed_holes():
    region = Region(((np.array(square(0.0, 0.0, 4.0)), np.array(square(2.0, 0.0, 2.0))),))
    assert region.area == 12.0
    np.testing.assert_allclose(region.centroid, [(16 * 2 - 4 * 3) / 12, (16 * 2 - 4 * 1) / 12])


@pytest.mark.parametrize("shape", ["circle", "square", "point"])
def test_observations_come_back_to_a_millionth_of_a_pixel(tmp_path, shape):
    made = make_section(size_um=500.0)
    made.table.obs["type"] = pd.Categorical(np.where(made.depth > np.median(made.depth), "high", "low"))
    path = write(made, tmp_path / "a.geojson", shape=shape, key="type", measurements="total_counts")
    found = read(None, path)
    assert np.abs(found.xy - made.xy).max() < 1e-6
    assert (found.donor, found.mpp, found.spot_um, found.species) == (made.donor, made.mpp, made.spot_um, "synthetic")
    assert found.table.obs["annotation"].tolist() == made.table.obs["type"].tolist()
    np.testing.assert_array_equal(found.table.obs["total_counts"], made.depth)
    assert not found.measured


def test_written_spots_label_the_spots_they_were_made_of(tmp_path):
    made = make_section(size_um=500.0)
    made.table.obs["type"] = [f"t{i % 3}" for i in range(made.n_obs)]
    path = write(made, tmp_path / "a.geojson", key="type")
    assert annotate(made, path).table.obs["annotation"].tolist() == made.table.obs["type"].tolist()
    circle = json.loads(path.read_text())["features"][0]["geometry"]["coordinates"][0]
    radii = np.linalg.norm(np.array(circle) - made.xy[0], axis=1) * made.mpp
    np.testing.assert_allclose(radii, made.spot_um / 2)


def test_objects_of_qupath_become_observations_of_a_slide(save):
    path = save([feature([1.5, 2.5], kind="Point", **tumour(measurements={"Area": 3.5}, name="c1"))])
    with pytest.raises(SlideError, match="which image it was drawn on. Give image="):
        read("geojson", path)
    found = read("geojson", path, image="none", mpp=0.25)
    assert found.xy.tolist() == [[1.5, 2.5]]
    assert found.table.obs.loc["c1"].tolist() == ["Tumor", 3.5]


def test_an_unknown_column_or_missing_tiles_are_refused(tmp_path):
    made = make_section(size_um=500.0)
    with pytest.raises(DataError, match="has no obs column 'kind' .*Check key="):
        write(made, tmp_path / "a.geojson", key="kind")
    with pytest.raises(DataError, match="has no tiles.*made with hs.tile"):
        write(made, tmp_path / "a.geojson", shape="tile")
    assert not list(tmp_path.iterdir())
