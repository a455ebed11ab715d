"""Parse GeoJSON into annotations: polygons with a class, as QuPath, HEST and others write them."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.errors import DataError
from histoscribe.io._files import existing, open_text, reading
from histoscribe.io._polygons import Region

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["UNCLASSIFIED", "Annotation", "GeoJson", "load_geojson"]

#: What an object without class and name is called, as in QuPath.
UNCLASSIFIED = "Unclassified"


@dataclass(frozen=True, eq=False)
class Annotation:
    """One object of a GeoJSON file that has an area, or is a point.

    Attributes
    ----------
    label
        Name of its class, else its own name, else `UNCLASSIFIED`.
    region
        Its polygons, level-0 px of the image it was drawn on; None for a point.
    centre
        ``(2,)`` centroid x, y, or the point.
    colour
        (red, green, blue) of its class, 0-255, or None.
    name
        Its own name, or None.
    measurements
        Numbers by name.
    properties
        All properties as they stand in the file.
    """

    label: str
    region: Region | None
    centre: np.ndarray
    colour: tuple[int, int, int] | None = None
    name: str | None = None
    measurements: dict[str, float] = field(default_factory=dict)
    properties: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class GeoJson:
    """What a GeoJSON file holds.

    Attributes
    ----------
    items
        Objects in the order of the file.
    notes
        What was left out, for a person to read.
    about
        What `write_geojson` noted of a section beside the objects; empty in anybody else's file.
    """

    items: list[Annotation]
    notes: list[str]
    about: dict[str, Any]


def load_geojson(path: Path | str, *, points: bool = False) -> GeoJson:
    """Read the objects of a GeoJSON file: a FeatureCollection, a list of features, a feature, or bare geometry.

    Parameters
    ----------
    path
        The file, plain, gzip, or the only file in a zip archive.
    points
        Keep points as well as polygons.

    Raises
    ------
    DataError
        If the file is not GeoJSON, or a coordinate is no number.
    """
    path = existing(path, what="GeoJSON file", remedy="Check the path.")
    value = _json(path)
    found: list[Annotation] = []
    skipped: dict[str, int] = {}
    for number, feature in enumerate(_features(value, path), start=1):
        geometry = feature.get("geometry") or {}
        where = f"GeoJSON file {path}, object {number}"
        parts, spots, others = _shapes(geometry, where)
        region = Region(tuple(parts)) if parts else None
        if region is not None:
            found.append(_annotation(feature, region, region.centroid, where))
        elif points and len(spots):
            found += [_annotation(feature, None, spot, where) for spot in spots]
        else:
            kind = ", ".join(others) or str(geometry.get("type", "object without geometry"))
            skipped[kind] = skipped.get(kind, 0) + 1
    notes = [f"{n} objects of kind {kind} have no area and are left out" for kind, n in sorted(skipped.items())]
    about = value.get("histoscribe") if isinstance(value, dict) else None
    return GeoJson(found, notes, about if isinstance(about, dict) else {})


def _json(path: Path) -> Any:
    what = "GeoJSON file"
    try:
        if zipfile.is_zipfile(path):
            with reading(path, what=what), zipfile.ZipFile(path) as archive:
                members = [m for m in archive.namelist() if not m.endswith("/") and "__MACOSX" not in m]
                if len(members) != 1:
                    msg = f"{what} {path} holds {len(members)} files. Unpack it and give one of them."
                    raise DataError(msg)
                return json.loads(archive.read(members[0]))
        with open_text(path, what=what) as handle:
            return json.load(handle)
    except (json.JSONDecodeError, zipfile.BadZipFile, RecursionError) as err:
        msg = f"{what} {path} is not JSON ({err}); it may be truncated. Export or copy it again."
        raise DataError(msg) from err


def _features(value: Any, path: Path) -> Iterator[dict[str, Any]]:
    items = value if isinstance(value, list) else [value]
    for item in items:
        kind = item.get("type") if isinstance(item, dict) else type(item).__name__
        if kind == "FeatureCollection" and isinstance(item.get("features"), list):
            yield from _features(item["features"], path)
        elif kind == "Feature":
            yield item
        elif isinstance(item, dict) and ("coordinates" in item or "geometries" in item):
            yield {"type": "Feature", "geometry": item, "properties": {}}
        else:
            msg = f"{path} is not GeoJSON: it holds {kind!r} where a Feature is expected. Export it from QuPath again."
            raise DataError(msg)


def _shapes(geometry: dict[str, Any], where: str) -> tuple[list[tuple[np.ndarray, ...]], np.ndarray, list[str]]:
    """Return the polygons, the points, and the kinds of everything else of one geometry."""
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "GeometryCollection":
        inner = [_shapes(g, where) for g in geometry.get("geometries", [])]
        points = [p for _, p, _ in inner if len(p)]
        return (
            [part for parts, _, _ in inner for part in parts],
            np.concatenate(points) if points else np.empty((0, 2)),
            [o for _, _, others in inner for o in others],
        )
    if kind in ("Polygon", "MultiPolygon"):
        polygons = [coordinates] if kind == "Polygon" else coordinates
        rings = [[_ring(ring, where) for ring in polygon] for polygon in polygons or []]
        # A ring of fewer than three points encloses nothing; QuPath leaves some behind when it cuts shapes.
        return [tuple(r for r in p if len(r) >= 3) for p in rings if p and len(p[0]) >= 3], np.empty((0, 2)), []
    if kind in ("Point", "MultiPoint"):
        return [], _ring([coordinates] if kind == "Point" else coordinates, where), [kind]
    return [], np.empty((0, 2)), [] if kind is None else [str(kind)]


def _ring(points: Any, where: str) -> np.ndarray:
    try:
        ring = np.array([p[:2] for p in points], dtype=np.float64).reshape(-1, 2)
    except (TypeError, ValueError, IndexError) as err:
        msg = f"{where}: coordinates are not pairs of numbers ({err}). Export the file again."
        raise DataError(msg) from err
    if not np.isfinite(ring).all():
        msg = f"{where}: a coordinate is NaN or infinite. Remove the object, or export the file again."
        raise DataError(msg)
    return ring


def _annotation(feature: dict[str, Any], region: Region | None, centre: np.ndarray, where: str) -> Annotation:
    properties = feature.get("properties") or {}
    if not isinstance(properties, dict):
        msg = f"{where}: properties are {type(properties).__name__}, not an object. Export the file again."
        raise DataError(msg)
    given = properties.get("classification")
    value = given if isinstance(given, dict) else {"name": given}
    # Derived classes are written as names since QuPath 0.5.
    label = value.get("name") or ": ".join(map(str, value.get("names") or ()))
    name = properties.get("name")
    return Annotation(
        label=str(label or name or UNCLASSIFIED),
        region=region,
        centre=np.asarray(centre, dtype=np.float64),
        colour=_colour(value),
        name=None if name is None else str(name),
        measurements=_measurements(properties.get("measurements")),
        properties=properties,
    )


def _colour(value: dict[str, Any]) -> tuple[int, int, int] | None:
    if isinstance(value.get("color"), list) and len(value["color"]) >= 3:
        red, green, blue = (int(c) & 255 for c in value["color"][:3])
        return red, green, blue
    packed = value.get("colorRGB")
    if isinstance(packed, int):  # QuPath before 0.3: one signed number, 0xAARRGGBB
        return (packed >> 16) & 255, (packed >> 8) & 255, packed & 255
    return None


def _measurements(value: Any) -> dict[str, float]:
    if isinstance(value, list):  # QuPath before 0.4: a list of {"name", "value"}
        value = {m["name"]: m.get("value") for m in value if isinstance(m, dict) and "name" in m}
    if not isinstance(value, dict):
        return {}
    return {str(k): float(v) for k, v in value.items() if isinstance(v, int | float)}
