"""Write a section's observations or tiles as GeoJSON that QuPath opens on the same slide."""

from __future__ import annotations

import colorsys
import json
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from histoscribe.core.errors import DataError
from histoscribe.core.files import atomic_path
from histoscribe.io._write import refuse_existing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from histoscribe.core.section import Section

__all__ = ["write_geojson"]

ENDINGS = (".geojson",)
KEEPS = ("names", "donor", "mpp")

Shape = Literal["auto", "circle", "square", "point", "tile"]

#: Corners of a circle: their polygon has 99.4 % of its area.
_CORNERS = 32
#: Decimals of a px that are written: half of the last one is 20 times finer than the 1e-6 px that is promised.
_DECIMALS = 7


def write_geojson(
    section: Section,
    path: Path,
    *,
    overwrite: bool = False,
    key: str | None = None,
    shape: Shape = "auto",
    measurements: str = "",
    object_type: Literal["detection", "annotation", "tile"] = "detection",
) -> Path:
    """Write observations as GeoJSON objects in level-0 px of the slide.

    Each has its name, its class from an obs column, and numbers of others as measurements; QuPath opens the file by
    dragging it onto the slide.

    Parameters
    ----------
    section
        What to write.
    path
        The ``.geojson`` file.
    overwrite
        Replace an existing file.
    key
        obs column with the class; colours come from ``uns["<key>_colors"]`` where they are.
    shape
        ``"circle"`` of the spot's diameter, ``"square"`` of its edge, ``"point"``, or ``"tile"``, the square of the
        smallest tile. ``"auto"`` takes a square where neighbours touch (bins), a circle where the spot's size is
        known, else a point.
    measurements
        obs columns or genes, comma-separated, whose numbers are written; counts for genes.
    object_type
        QuPath's type. It draws detections fast; annotations can be edited.
    """
    refuse_existing(path, overwrite=overwrite)
    outline = _outline(section, shape)
    centres = section.grid.centres if shape == "tile" and section.grid is not None else section.xy
    classes = _classes(section, key)
    numbers = _numbers(section, [m.strip() for m in measurements.split(",") if m.strip()])
    about = {"section": section.name, "donor": section.donor, "mpp": float(section.mpp)}
    about |= {k: v for k in ("species", "spot_um", "pitch_um") if (v := getattr(section, k)) is not None}
    if section.slide is not None and section.slide.path.exists():
        about["slide"] = str(section.slide.path.resolve())
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"type": "FeatureCollection", "histoscribe": {json.dumps(about)}, "features": [\n')
        _write_features(file, _features(section, map(outline, centres), classes, numbers, object_type))
        file.write("\n]}\n")
    return path


def _write_features(file: IO[str], features: Iterator[dict[str, Any]]) -> None:
    for i, feature in enumerate(features):
        file.write((",\n" if i else "") + json.dumps(feature, ensure_ascii=False, allow_nan=False))


def _features(
    section: Section,
    outlines: Iterable[dict[str, Any]],
    classes: list[dict[str, Any] | None],
    numbers: dict[str, np.ndarray],
    object_type: str,
) -> Iterator[dict[str, Any]]:
    for i, (name, outline) in enumerate(zip(section.table.obs_names, outlines, strict=True)):
        properties: dict[str, Any] = {"objectType": object_type, "name": str(name)}
        if classes[i] is not None:
            properties["classification"] = classes[i]
        measured = {k: float(v[i]) for k, v in numbers.items() if np.isfinite(v[i])}
        if measured:
            properties["measurements"] = measured
        yield {"type": "Feature", "geometry": outline, "properties": properties}


def _outline(section: Section, shape: Shape) -> Callable[[np.ndarray], dict[str, Any]]:
    if shape == "auto":
        touching = section.spot_um is not None and section.pitch_um is not None and section.spot_um >= section.pitch_um
        shape = "square" if touching else "point" if section.spot_um is None else "circle"
    if shape == "point":
        return lambda centre: {"type": "Point", "coordinates": np.round(centre, _DECIMALS).tolist()}
    size_um = section.spot_um
    if shape == "tile":
        size_um = None if section.grid is None else min(section.grid.sides_um)
    if shape not in ("circle", "square", "tile") or size_um is None:
        known = "circle, square, tile, point or auto"
        what = (
            f"shape={shape!r} is not known"
            if shape not in ("circle", "square", "tile")
            else (f"section {section.name!r} has no {'tiles' if shape == 'tile' else 'spot size (spot_um)'}")
        )
        msg = f"{what}. Choose {known}{'; tiles are made with hs.tile' if shape == 'tile' else ''}."
        raise DataError(msg)
    if shape == "circle":
        angle = np.arange(_CORNERS) * (2 * np.pi / _CORNERS)
        corners = np.column_stack([np.cos(angle), np.sin(angle)])
    else:
        corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    corners = np.vstack([corners, corners[:1]]) * (size_um / section.mpp / 2)
    return lambda centre: {"type": "Polygon", "coordinates": [np.round(centre + corners, _DECIMALS).tolist()]}


def _classes(section: Section, key: str | None) -> list[dict[str, Any] | None]:
    """Return QuPath's classification of each observation, None where it has none."""
    if key is None:
        return [None] * section.n_obs
    obs = section.table.obs
    if key not in obs:
        have = ", ".join(map(str, obs.columns[:8])) or "no columns"
        msg = f"section {section.name!r} has no obs column {key!r} (it has {have}). Check key=."
        raise DataError(msg)
    values = pd.Categorical(obs[key])
    own = [str(c) for c in section.table.uns.get(f"{key}_colors", [])]
    n = len(values.categories)
    # Hues a golden angle apart: neighbouring classes differ, and a class keeps its colour when others are added.
    colours = [colorsys.hsv_to_rgb((0.02 + 0.618034 * i) % 1.0, 0.75, 0.9) for i in range(n)]
    rgb = [[round(255 * c) for c in colour] for colour in colours]
    if len(own) == n and all(len(c) in (7, 9) and c.startswith("#") for c in own):
        rgb = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in own]
    made = [{"name": str(c), "color": colour} for c, colour in zip(values.categories, rgb, strict=True)]
    return [None if code < 0 else made[code] for code in values.codes]


def _numbers(section: Section, names: list[str]) -> dict[str, np.ndarray]:
    table, found = section.table, {}
    for name in names:
        if name in table.obs:
            found[name] = pd.to_numeric(table.obs[name], errors="coerce").to_numpy(dtype=np.float64)
        elif name in table.var_names and section.measured:
            column = table.layers["counts"][:, table.var_names.get_loc(name)]
            found[name] = np.asarray(column.todense(), dtype=np.float64).ravel()
        else:
            msg = f"section {section.name!r} has neither an obs column nor a gene {name!r}. Check measurements=."
            raise DataError(msg)
    return found
