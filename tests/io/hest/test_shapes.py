import json
import struct
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from histoscribe.core.errors import DataError, ScaleError
from histoscribe.io import read, read_hest_shapes, read_hest_transcripts
from histoscribe.io._wkb import decode_wkb, encode_wkb_polygon


def square(x, y, side):
    return np.array([[x, y], [x + side, y], [x + side, y + side], [x, y + side]], dtype=float)


def write_geoparquet(path, shapes, **columns):
    """As geopandas writes it: WKB, the column's name in the schema's metadata, the index as a column."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table({**columns, "geometry": [encode_wkb_polygon(rings) for rings in shapes]})
    about = json.dumps({"primary_column": "geometry", "columns": {"geometry": {"encoding": "WKB"}}})
    pq.write_table(table.replace_schema_metadata({"geo": about}), path)
    return path


def write_geojson(path, features):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def feature(rings, kind="Polygon", **properties):
    value = [[*map(list, r), list(r[0])] for r in rings]
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": kind, "coordinates": value if kind == "Polygon" else [[r] for r in value]},
    }


def test_new_and_old_tissue_outlines_are_the_same_shape(tmp_path):
    outline, hole, other = square(0, 0, 10), square(2, 2, 4), square(20, 0, 2)
    new = [feature([outline, hole], tissue_id=0), feature([other], tissue_id=1)]
    old = [feature([other], hole=False), feature([hole], hole=True), feature([outline], hole=False)]
    for name, features, first in (("new", new, 0), ("old", old, 1)):
        found = read_hest_shapes(write_geojson(tmp_path / f"{name}.geojson", features))
        assert len(found) == 2
        assert sorted(found.areas) == [4.0, 84.0]  # 100 - 16, and 4
        # The hole pulls the centre of mass away: (100 * 5 - 16 * 4) / 84.
        np.testing.assert_allclose(found.centroids[first], (436 / 84, 436 / 84))
        places = [[1, 1], [3, 3], [9, 9], [21, 1], [15, 1]]
        assert found.contain(places).tolist() == [True, False, True, True, False]


def test_geoparquet_keeps_ids_and_classes(tmp_path):
    path = tmp_path / "cells.parquet"
    write_geoparquet(path, [[square(0, 0, 2)], [square(5, 5, 4)]], cell_id=["a-1", "b-1"], **{"class": ["Dead", "Epi"]})
    found = read_hest_shapes(path)
    assert found.ids.tolist() == ["a-1", "b-1"]
    assert found.classes.tolist() == ["Dead", "Epi"]
    np.testing.assert_allclose(found.centroids, [[1, 1], [7, 7]])


def test_cells_that_are_grouped_by_class_come_apart(tmp_path):
    groups = [
        feature([square(0, 0, 2), square(4, 0, 2)], "MultiPolygon", classification={"name": "Neoplastic"}),
        feature([square(8, 0, 2)], "MultiPolygon", classification='{"name": "Dead", "color": [1, 2, 3]}'),
    ]
    write_geojson(tmp_path / "in.geojson", groups)
    with zipfile.ZipFile(tmp_path / "n_cellvit_seg.geojson.zip", "w") as archive:
        archive.write(tmp_path / "in.geojson", "in.geojson")
    found = read_hest_shapes(tmp_path / "n_cellvit_seg.geojson.zip")
    assert found.classes.tolist() == ["Neoplastic", "Neoplastic", "Dead"]
    np.testing.assert_allclose(found.centroids[:, 0], [1, 5, 9])
    assert len(set(found.ids)) == 3


def test_points_are_their_own_centres(tmp_path):
    cells = [{"geometry": {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]}, "properties": {"class": "Dead"}}]
    found = read_hest_shapes(write_geojson(tmp_path / "points.geojson", cells))
    np.testing.assert_array_equal(found.centroids, [[1, 2], [3, 4]])
    assert found.areas.tolist() == [0, 0]


def test_wkb_in_every_spelling_gives_the_same_rings():
    ring = square(1, 2, 3)
    closed = np.vstack([ring, ring[:1]])
    deep = np.column_stack([closed, np.full(5, 7.0)])
    plain = encode_wkb_polygon([ring])
    spellings = {
        "big-endian": struct.pack(">BIII", 0, 3, 1, 5) + closed.astype(">f8").tobytes(),
        "with height, ISO": struct.pack("<BIII", 1, 1003, 1, 5) + deep.tobytes(),
        "with height, EWKB": struct.pack("<BIII", 1, 0x80000003, 1, 5) + deep.tobytes(),
        "with a reference system": struct.pack("<BIIII", 1, 0x20000003, 4326, 1, 5) + closed.tobytes(),
        "one of many": struct.pack("<BII", 1, 6, 1) + plain,
    }
    for name, data in spellings.items():
        [(found, hole)] = decode_wkb(data)
        np.testing.assert_array_equal(found, closed, err_msg=name)
        assert not hole
    for broken in (plain[:-1], plain[:7], struct.pack("<BII", 1, 2, 0)):
        with pytest.raises(ValueError, match="cut short|no polygons"):
            decode_wkb(broken)


def test_areas_and_centres_are_those_of_shapely(tmp_path, rng):
    shapely = pytest.importorskip("shapely")
    shapes, rings = [], []
    for _ in range(50):
        angle = np.sort(rng.uniform(0, 2 * np.pi, 12))
        star = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.uniform(3, 9, 12)[:, None]
        centre = rng.uniform(0, 40_000, 2)
        shapes.append([centre + star, centre + 0.05 * star])
        rings.append(shapely.Polygon(shapes[-1][0], [shapes[-1][1]]))
    found = read_hest_shapes(write_geoparquet(tmp_path / "a.parquet", shapes))
    np.testing.assert_allclose(found.areas, [p.area for p in rings], rtol=1e-9)
    np.testing.assert_allclose(found.centroids, [p.centroid.coords[0] for p in rings], atol=1e-7)
    # What shapely writes reads as it is, too.
    for p in rings[:5]:
        assert [hole for _, hole in decode_wkb(shapely.to_wkb(p))] == [False, True]


@pytest.mark.parametrize("named", [True, False])
def test_what_geopandas_writes_is_read_in_batches(tmp_path, monkeypatch, named):
    geopandas, shapely = pytest.importorskip("geopandas"), pytest.importorskip("shapely")
    monkeypatch.setattr("histoscribe.io._hest_shapes._BATCH", 3)
    index = [f"cell{i}-1" for i in range(8)] if named else None
    cells = [shapely.Polygon(square(10 * i, 0, 2), [square(10 * i + 0.5, 0.5, 1)]) for i in range(8)]
    geopandas.GeoDataFrame({"class": list("abcdefgh")}, geometry=cells, index=index).to_parquet(tmp_path / "a.parquet")
    found = read_hest_shapes(tmp_path / "a.parquet")
    assert found.ids.tolist() == (index or [str(i) for i in range(8)])
    assert found.classes.tolist() == list("abcdefgh")
    assert found.areas.tolist() == [3.0] * 8
    np.testing.assert_allclose(found.centroids[:, 0], np.arange(8) * 10 + 1)
    assert [hole for _, hole in found[7]] == [False, True]


def test_nuclei_are_counted_in_the_spots_that_hold_their_centres(tree, made):
    root = tree()
    first, second = made.visium().obsm["spatial"][:2]
    # A spot of 55 um has a radius of 13.75 px here.
    centres = [first, first + np.array([13.5, 0]), first + np.array([14.0, 0]), second]
    kinds = ["Neoplastic", "Neoplastic", "Neoplastic", "Inflammatory"]
    path = root / "cellvit_seg/NCBI1_cellvit_seg.parquet"
    write_geoparquet(path, [[square(x - 1, y - 1, 2)] for x, y in centres], **{"class": kinds})
    obs = read("hest", root, cells=True).table.obs
    assert obs["nuclei_neoplastic"].tolist()[:2] == [2, 0]
    assert obs["nuclei_inflammatory"].tolist()[:2] == [0, 1]
    assert obs["nuclei"].sum() == 3
    assert "nuclei" not in read("hest", root).table.obs
    path.unlink()
    with pytest.raises(DataError, match="'NCBI1' .*has no nuclei .cellvit_seg/NCBI1_cellvit_seg.parquet or"):
        read("hest", root, cells=True)


def test_squares_count_nuclei_up_to_their_corners(tree, made):
    root = tree(technology="Xenium", table=made.square(100))
    corner = made.square(100).obsm["spatial"][0] + 24.0  # 48 um from the centre, along both axes
    write_geoparquet(root / "cellvit_seg/NCBI1_cellvit_seg.parquet", [[square(*(corner - 1), 2)]])
    section = read("hest", root, cells=True)
    assert section.table.obs["nuclei"].tolist()[0] == 1


def test_nuclei_cannot_be_counted_in_observations_of_unknown_size(tree, made):
    x, y = np.random.default_rng(0).uniform(50, 450, (2, 30))
    table = made.table(x, y, np.zeros(30, int), np.zeros(30, int), ["KRT8"])
    root = tree(technology="Xenium", table=table, spot_diameter=None)
    write_geoparquet(root / "cellvit_seg/NCBI1_cellvit_seg.parquet", [[square(0, 0, 2)]])
    with pytest.raises(ScaleError, match="Read it without cells=true"):
        read("hest", root, cells=True)


def test_outlines_are_found_in_the_tree_by_kind(tree):
    root = tree()
    write_geoparquet(root / "xenium_seg/NCBI1_xenium_cell_seg.parquet", [[square(0, 0, 2)]])
    write_geojson(root / "tissue_seg/NCBI1_contours.geojson", [feature([square(0, 0, 3)], tissue_id=0)])
    assert read_hest_shapes(root, "xenium-cells").areas.tolist() == [4]
    assert read_hest_shapes(root, "tissue", sample="NCBI1").areas.tolist() == [9]
    with pytest.raises(DataError, match=r"no kind of HEST file called 'xenium_cells'. Did you mean 'xenium-cells'"):
        read_hest_shapes(root, "xenium_cells")


@pytest.mark.parametrize("name", ["a.parquet", "a.geojson"])
def test_damaged_outlines_are_one_clear_line(tmp_path, name):
    path = tmp_path / name
    if name.endswith("parquet"):
        write_geoparquet(path, [[square(0, 0, 2)]])
    else:
        write_geojson(path, [feature([square(0, 0, 2)])])
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"HEST outlines .* truncated") as caught:
        read_hest_shapes(path)
    assert "\n" not in str(caught.value)


@pytest.fixture
def transcripts(tmp_path):
    def write(**columns):
        table = pd.DataFrame(
            {
                "cell_id": ["a", "a", "b"],
                "he_x": [1.0, 2.0, 3.0],
                "he_y": [4.0, 5.0, 6.0],
                "feature_name": [b"KRT8", b"ESR1", b"KRT8"],  # as Xenium's own files have them
                "qv": [40.0, 10.0, 30.0],
            }
            | columns
        )
        path = tmp_path / "t.parquet"
        table.to_parquet(path, row_group_size=2)
        return path

    return write


def test_molecules_are_read_whole_or_by_gene(transcripts):
    path = transcripts()
    assert read_hest_transcripts(path)["feature_name"].tolist() == ["KRT8", "ESR1", "KRT8"]
    some = read_hest_transcripts(path, genes=["KRT8"], columns=["he_x", "he_y"])
    assert some.to_dict("list") == {"he_x": [1.0, 3.0], "he_y": [4.0, 6.0]}
    assert read_hest_transcripts(path, genes=["ABSENT"]).columns.tolist() == [
        "cell_id",
        "he_x",
        "he_y",
        "feature_name",
        "qv",
    ]


def test_molecules_that_are_not_on_the_slide_are_refused(transcripts, tmp_path):
    path = transcripts()
    pd.read_parquet(path).drop(columns="he_x").to_parquet(path)
    with pytest.raises(DataError, match=r"lack the column\(s\) he_x .*Give the aligned transcripts"):
        read_hest_transcripts(path)
    path.write_bytes(b"PAR1" + bytes(50))
    with pytest.raises(DataError, match="truncated or no Parquet"):
        read_hest_transcripts(path)
