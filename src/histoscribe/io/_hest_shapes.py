"""HEST's outlines: tissue, nuclei and Xenium cells, in full-resolution px of the H&E."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from histoscribe.core.errors import DataError
from histoscribe.io._files import existing, is_gzip, open_text, reading
from histoscribe.io._hest_tree import find_sample
from histoscribe.io._outlines import Polygons
from histoscribe.io._wkb import decode_wkb

__all__ = ["read_hest_shapes"]

#: Where a cell's class may stand: CellViT's own column; QuPath's property, which exporters copy.
_CLASS = ("class", "classification", "cell_type")
#: Rows of a geoparquet that are decoded at once.
_BATCH = 20_000
_ID = ("cell_id", "tissue_id", "id")


def read_hest_shapes(path: Path | str, kind: str | None = None, *, sample: str | None = None) -> Polygons:
    """Read outlines of tissue or cells.

    Geoparquet, GeoJSON and zipped GeoJSON are read. A GeoJSON that groups the cells of a class in one MultiPolygon
    gives one shape per cell. Tissue in the old form, where holes are rings of their own, gets its holes back.

    Parameters
    ----------
    path
        A file, or a HEST folder.
    kind
        In a folder: ``"tissue"``, ``"nuclei"`` (CellViT), ``"xenium-cells"`` or ``"xenium-nuclei"``.
    sample
        Which sample of the folder, where there are several.

    Returns
    -------
    Polygons in full-resolution px of the H&E image, with ids and, for nuclei, classes.

    Raises
    ------
    DataError
        If a file is missing, damaged, or holds no outlines.
    """
    path = existing(path, what="HEST outlines", remedy="Check the path.")
    if path.is_dir():
        path = find_sample(path, sample).file(kind or "tissue")
    if path.suffix == ".parquet":
        return _parquet(path)
    return _geojson(_features(path), path)


def _parquet(path: Path) -> Polygons:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(path, what="HEST outlines"):
        try:
            with pq.ParquetFile(path) as file:
                about = json.loads((file.schema_arrow.metadata or {}).get(b"geo", b"{}"))
                column = about.get("primary_column", "geometry")
                names = file.schema_arrow.names
                if column not in names:
                    have = ", ".join(names)
                    msg = f"HEST outlines {path} have no column {column!r} (they have {have}). Give geoparquet."
                    raise DataError(msg)
                parts, row = [Polygons.of([], ids=[])], 0
                # Batch by batch: a million outlines as single arrays would take gigabytes.
                for batch in file.iter_batches(_BATCH):
                    parts.append(_decoded(batch, column, path, row))
                    row += batch.num_rows
        except pa.ArrowException as err:
            msg = f"HEST outlines {path} are truncated or no Parquet ({err}). Download them again."
            raise DataError(msg) from err
    return Polygons.joined(parts)


def _decoded(batch: Any, column: str, path: Path, first: int) -> Polygons:
    """Decode the outlines of one batch of rows, whose first is row `first` of the file."""
    shapes = []
    for row, data in enumerate(batch[column].to_pylist()):
        try:
            shapes.append(decode_wkb(data) if isinstance(data, bytes) else _none(data))
        except ValueError as err:
            msg = f"HEST outlines {path}, row {first + row}: {err}. Give geoparquet with polygons in WKB."
            raise DataError(msg) from err
    frame = batch.drop_columns([column]).to_pandas()
    if isinstance(frame.index, pd.RangeIndex):
        frame.index += first
    ids = next((frame[c] for c in _ID if c in frame), frame.index)
    classes = next((frame[c] for c in _CLASS if c in frame), None)
    return Polygons.of(shapes, ids=list(ids), classes=None if classes is None else [_class(c) for c in classes])


def _none(data: Any) -> list[Any]:
    if data is None:
        return []
    msg = f"its geometry is {type(data).__name__}, not WKB"
    raise ValueError(msg)


def _features(path: Path) -> list[dict[str, Any]]:
    """Return the features of a GeoJSON, plain, gzipped, or in a zip."""
    with reading(path, what="HEST outlines"):
        try:
            if not is_gzip(path) and zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    inner = [n for n in archive.namelist() if n.lower().endswith(("json", "geojson"))]
                    if len(inner) != 1:
                        msg = (
                            f"HEST outlines {path} hold {len(inner)} GeoJSON files, not one. Unpack it, give the file."
                        )
                        raise DataError(msg)
                    value = json.loads(archive.read(inner[0]))
            else:
                with open_text(path, what="HEST outlines") as handle:
                    value = json.load(handle)
        except (json.JSONDecodeError, zipfile.BadZipFile) as err:
            msg = f"HEST outlines {path} are truncated or no GeoJSON ({err}). Download them again."
            raise DataError(msg) from err
    features = value.get("features", [value]) if isinstance(value, dict) else value
    if not isinstance(features, list) or not all(isinstance(f, dict) and "geometry" in f for f in features):
        msg = f"HEST outlines {path} are no list of GeoJSON features. Download them again."
        raise DataError(msg)
    return features


def _geojson(features: list[dict[str, Any]], path: Path) -> Polygons:
    shapes, ids, classes, holes = [], [], [], []
    for number, feature in enumerate(features):
        properties = feature.get("properties") or {}
        name = next((properties[k] for k in _ID if k in properties), feature.get("id", number))
        kind = next((_class(properties[k]) for k in _CLASS if k in properties), "")
        try:
            parts = _parts(feature["geometry"])
        except (KeyError, TypeError, ValueError, IndexError) as err:
            msg = f"HEST outlines {path}, feature {number}: {type(err).__name__}: {err}. Download them again."
            raise DataError(msg) from err
        if str(properties.get("hole", "")).lower() in ("true", "1"):
            holes += [ring for part in parts for ring, _ in part]
            continue
        shapes += parts
        ids += [name] if len(parts) == 1 else [f"{name}-{i}" for i in range(len(parts))]
        classes += [kind] * len(parts)
    for ring in holes:
        _owner(shapes, ring).append((ring, True))
    return Polygons.of(shapes, ids=ids, classes=classes if any(classes) else None)


def _parts(geometry: dict[str, Any]) -> list[list[tuple[np.ndarray, bool]]]:
    """Return one list of rings per polygon; a point is a ring of one vertex."""
    kind, places = geometry["type"], geometry["coordinates"]
    if kind in ("Point", "MultiPoint"):
        return [[(np.asarray(p, dtype=np.float64)[None, :2], False)] for p in ([places] if kind == "Point" else places)]
    if kind not in ("Polygon", "MultiPolygon"):
        msg = f"a {kind} is no polygon"
        raise ValueError(msg)
    polygons = [places] if kind == "Polygon" else places
    return [[(np.asarray(r, dtype=np.float64)[:, :2], i > 0) for i, r in enumerate(polygon)] for polygon in polygons]


def _owner(shapes: list[list[tuple[np.ndarray, bool]]], ring: np.ndarray) -> list[tuple[np.ndarray, bool]]:
    """Return the shape around a hole: the one whose outline holds its first vertex, else the nearest."""
    from matplotlib.path import Path as Outline

    if not shapes:
        shapes.append([])
        return shapes[0]
    for shape in shapes:
        if Outline(shape[0][0]).contains_point(ring[0]):
            return shape
    return min(shapes, key=lambda shape: float(np.linalg.norm(shape[0][0] - ring[0], axis=1).min()))


def _class(value: Any) -> str:
    """Return a class name from CellViT's text or QuPath's ``{"name": ...}``, as text or not."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return value
    return str(value.get("name", "")) if isinstance(value, dict) else str(value)
