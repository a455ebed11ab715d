"""A view as a Vitessce configuration with its data: CSV tables and an OME-TIFF, in one archive."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.studio.items._opened import NO_GROUP

if TYPE_CHECKING:
    from histoscribe.studio.exports._table import View

__all__ = ["vitessce_config", "vitessce_zip"]

#: Version of the configuration's schema.
_SCHEMA = "1.0.16"
#: Where the archive's README says to serve the files.
_SERVED = "http://localhost:8080/"
#: Longer side of the image, px.
_IMAGE_PX = 4096
#: Side of Vitessce's spatial view on a common screen, CSS px; left to itself it begins far from the slide.
_PANEL_PX = 700
_README = """# {name}: a view for Vitessce

1. Unpack this archive and serve its folder with CORS allowed, for instance: npx http-server --cors -p 8080
2. Open https://vitessce.io/#?url=http://localhost:8080/config.json
   (or load config.json in your own copy of Vitessce; its addresses begin with http://localhost:8080/).

Coordinates are {coordinates} of image.ome.tif, which is the slide reduced {factor:g} times{scale}.
Values: {layer}, {unit}.
Made by HistoScribe {version}; looked at in Vitessce 4.0.
"""


def vitessce_zip(view: View) -> bytes:
    """Return ``config.json``, ``README.md``, tables of spots, genes and groups, and the slide reduced to 4,096 px."""
    from importlib.metadata import version

    opened, factor = view.opened, 1.0
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        if opened.tiles is not None:
            factor = max(1.0, max(opened.size) / _IMAGE_PX)
            pixels = opened.tiles.pixels(_IMAGE_PX)
            factor = opened.size[0] / pixels.shape[1]
            archive.writestr("image.ome.tif", _ome_tiff(pixels, opened.name, _unit(view, factor)), zipfile.ZIP_STORED)
        archive.writestr("spots.csv", _spots(view, factor))
        archive.writestr("genes.csv", _genes(view))
        if opened.categories:
            archive.writestr("sets.csv", _sets(view))
        archive.writestr("config.json", json.dumps(vitessce_config(view, factor), indent=2, ensure_ascii=False))
        scale = "" if opened.mpp is None else f" ({opened.mpp * factor:.4g} um/px)"
        unit = view.values.layers[view.layer].unit if view.layer in view.values.layers else ""
        coordinates = "px" if opened.mpp is None else "um, from the upper left corner"
        about = {
            "coordinates": coordinates,
            "name": opened.name,
            "factor": round(factor, 4),
            "scale": scale,
            "layer": view.layer,
            "unit": unit,
        }
        archive.writestr("README.md", _README.format(**about, version=version("histoscribe")))
    return buffer.getvalue()


def vitessce_config(view: View, factor: float) -> dict[str, Any]:
    """Return the configuration; `factor` is level-0 px per px of the image."""
    opened = view.opened
    # Vitessce places an image by its physical size, and takes a unit of the plane for 1 um in its scale bar.
    unit = _unit(view, factor) / factor
    spot = {"obsType": "spot"}
    files: list[dict[str, Any]] = [
        {
            "fileType": "obsSpots.csv",
            "url": f"{_SERVED}spots.csv",
            "options": {"obsIndex": "observation", "obsSpots": ["x", "y"]},
            "coordinationValues": spot,
        },
        {
            "fileType": "obsFeatureMatrix.csv",
            "url": f"{_SERVED}genes.csv",
            "options": None,
            "coordinationValues": spot | {"featureType": "gene", "featureValueType": "expression"},
        },
    ]
    if opened.categories:
        sets = [{"name": c.key, "column": c.key} for c in opened.categories]
        options = {"obsIndex": "observation", "obsSets": sets}
        files.append(
            {"fileType": "obsSets.csv", "url": f"{_SERVED}sets.csv", "options": options, "coordinationValues": spot}
        )
    if opened.tiles is not None:
        named = {"fileUid": "slide"}
        files.append({"fileType": "image.ome-tiff", "url": f"{_SERVED}image.ome.tif", "coordinationValues": named})
    scopes = {"dataset": "A", "obsType": "A", "featureType": "A", "featureValueType": "A"}
    scopes |= {"featureSelection": "A", "obsColorEncoding": "A", "metaCoordinationScopes": ["A"]}
    scopes |= {"metaCoordinationScopesBy": ["A"], "featureValueColormap": "A", "featureValueColormapRange": "A"}
    scopes |= {"spatialTargetX": "A", "spatialTargetY": "A", "spatialZoom": "A"}
    width, height = (side * unit for side in opened.size)
    views = [("spatialBeta", 0, 0, 8, 12), ("layerControllerBeta", 8, 0, 4, 5), ("featureList", 8, 5, 4, 4)]
    views.append(("obsSets", 8, 9, 4, 3) if opened.categories else ("featureValueHistogram", 8, 9, 4, 3))
    return {
        "version": _SCHEMA,
        "name": opened.name,
        "description": f"{view.layer} values, from HistoScribe's studio",
        "datasets": [{"uid": "A", "name": opened.name, "files": files}],
        "initStrategy": "none",
        "coordinationSpace": {
            "dataset": {"A": "A"},
            "obsType": {"A": "spot"},
            "featureType": {"A": "gene"},
            "featureValueType": {"A": "expression"},
            "featureSelection": {"A": view.genes[:1] or None},
            "obsColorEncoding": {"A": "geneSelection" if view.genes else "spatialLayerColor"},
            "spatialTargetX": {"A": round(width / 2, 1)},
            "spatialTargetY": {"A": round(height / 2, 1)},
            "spatialZoom": {"A": round(float(np.log2(_PANEL_PX / max(width, height))), 3)},
            **_layers(round(max(opened.spot_px, 1.0) * unit / 2, 3), image=opened.tiles is not None),
        },
        "layout": [
            {"component": name, "coordinationScopes": scopes, "x": x, "y": y, "w": w, "h": h}
            for name, x, y, w, h in views
        ],
    }


def _unit(view: View, factor: float) -> float:
    """Return um per px of the image, or 1 where the scale is unknown."""
    return 1.0 if view.opened.mpp is None else view.opened.mpp * factor


def _layers(radius: float, *, image: bool) -> dict[str, Any]:
    """Return the layers of the spatial view: spots of this radius over the slide in its own colours.

    Left to itself, Vitessce paints the channels in colours of its own and gives spots a radius of 10.
    """
    found: dict[str, Any] = {
        "spotLayer": {"A": "__dummy__"},
        "spatialLayerVisible": {"spots": True},
        "spatialLayerOpacity": {"spots": 1},
        "spatialSpotRadius": {"spots": radius},
        "spatialSpotFilled": {"spots": True},
        "spatialSpotStrokeWidth": {"spots": 0},
        "spatialLayerColor": {"spots": [91, 69, 184]},
        "featureValueColormap": {"A": "viridis"},
        "featureValueColormapRange": {"A": [0, 1]},
        "legendVisible": {"A": True},
    }
    own = [name for name, value in found.items() if "spots" in value]
    shared = ("obsType", "featureType", "featureValueType", "obsColorEncoding", "featureSelection")
    shared += ("featureValueColormap", "featureValueColormapRange", "legendVisible")
    layers = {"spotLayer": ["A"]}
    by = {"spotLayer": {name: {"A": "A"} for name in shared} | {name: {"A": "spots"} for name in own}}
    if image:
        channels = ("red", "green", "blue")
        found["imageLayer"], found["fileUid"] = {"A": "__dummy__"}, {"A": "slide"}
        found["photometricInterpretation"] = {"A": "RGB"}
        found["spatialLayerVisible"]["image"], found["spatialLayerOpacity"]["image"] = True, 1
        found["imageChannel"] = dict.fromkeys(channels, "__dummy__")
        found["spatialTargetC"] = {name: i for i, name in enumerate(channels)}
        found["spatialChannelColor"] = {name: [255 * (i == j) for j in range(3)] for i, name in enumerate(channels)}
        found["spatialChannelVisible"] = dict.fromkeys(channels, True)
        found["spatialChannelOpacity"] = dict.fromkeys(channels, 1)
        found["spatialChannelWindow"] = {name: [0, 255] for name in channels}
        layers["imageLayer"] = ["A"]
        by["imageLayer"] = {name: {"A": "A"} for name in ("fileUid", "photometricInterpretation")}
        by["imageLayer"] |= {name: {"A": "image"} for name in ("spatialLayerVisible", "spatialLayerOpacity")}
        by["imageLayer"]["imageChannel"] = {"A": list(channels)}  # type: ignore[dict-item]
        each = ("TargetC", "ChannelColor", "ChannelVisible", "ChannelOpacity", "ChannelWindow")
        by["imageChannel"] = {f"spatial{name}": {c: c for c in channels} for name in each}
    return found | {"metaCoordinationScopes": {"A": layers}, "metaCoordinationScopesBy": {"A": by}}


def _spots(view: View, factor: float) -> str:
    xy = view.opened.xy[view.rows] * (_unit(view, factor) / factor)
    table = pd.DataFrame({"observation": view.opened.names[view.rows], "x": xy[:, 0], "y": xy[:, 1]})
    return table.to_csv(index=False, float_format="%.3f", lineterminator="\n")


def _genes(view: View) -> str:
    where = view.opened.name
    columns = {g: np.nan_to_num(view.values.column(g, view.layer, where=where)[view.rows]) for g in view.genes}
    table = pd.DataFrame(columns, index=pd.Index(view.opened.names[view.rows], name="observation"))
    return table.to_csv(float_format="%.5g", lineterminator="\n")


def _sets(view: View) -> str:
    columns: dict[str, Any] = {"observation": view.opened.names[view.rows]}
    for category in view.opened.categories:
        names = np.array([*category.names, "none"], dtype=object)
        codes = category.codes[view.rows].astype(np.int64)
        columns[category.key] = names[np.where(codes == NO_GROUP, len(category.names), codes)]
    return pd.DataFrame(columns).to_csv(index=False, lineterminator="\n")


def _ome_tiff(pixels: np.ndarray, name: str, um: float) -> bytes:
    """Return ``(h, w, 3)`` uint8 as a pyramidal OME-TIFF with a plane for each colour, which every reader takes.

    `um` is the side of a px.
    """
    import tifffile

    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (3, h, w)
    buffer = io.BytesIO()
    levels = [planes[:, :: 2**k, :: 2**k] for k in range(1, 8) if max(planes.shape[1:]) / 2**k >= 256]
    options: dict[str, Any] = {"tile": (256, 256), "compression": "deflate", "photometric": "minisblack"}
    with tifffile.TiffWriter(buffer, ome=True) as tiff:
        about = {"axes": "CYX", "Name": name, "Channel": {"Name": ["Red", "Green", "Blue"]}}
        about |= {"PhysicalSizeX": um, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": um, "PhysicalSizeYUnit": "µm"}
        tiff.write(planes, subifds=len(levels), metadata=about, **options)
        for level in levels:
            tiff.write(np.ascontiguousarray(level), subfiletype=1, **options)
    return buffer.getvalue()
