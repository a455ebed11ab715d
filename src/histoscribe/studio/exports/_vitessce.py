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

Coordinates are px of image.ome.tif, which is the slide reduced {factor:g} times{scale}.
Values: {layer}, {unit}.
In Vitessce 4.0 choose red, green and blue for the channels of those names, which it paints in colours of its own;
its scale bar takes a px of the image for 1 um.
Made by HistoScribe {version}.
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
            archive.writestr("image.ome.tif", _ome_tiff(pixels, opened.name), zipfile.ZIP_STORED)
        archive.writestr("spots.csv", _spots(view, factor))
        archive.writestr("genes.csv", _genes(view))
        if opened.categories:
            archive.writestr("sets.csv", _sets(view))
        archive.writestr("config.json", json.dumps(vitessce_config(view, factor), indent=2, ensure_ascii=False))
        scale = "" if opened.mpp is None else f" ({opened.mpp * factor:.4g} um/px)"
        unit = view.values.layers[view.layer].unit if view.layer in view.values.layers else ""
        about = {"name": opened.name, "factor": round(factor, 4), "scale": scale, "layer": view.layer, "unit": unit}
        archive.writestr("README.md", _README.format(**about, version=version("histoscribe")))
    return buffer.getvalue()


def vitessce_config(view: View, factor: float) -> dict[str, Any]:
    """Return the configuration; `factor` is level-0 px per px of the image."""
    opened = view.opened
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
        files.append({"fileType": "image.ome-tiff", "url": f"{_SERVED}image.ome.tif"})
    scopes = {"dataset": "A", "obsType": "A", "featureType": "A", "featureValueType": "A"}
    scopes |= {"featureSelection": "A", "obsColorEncoding": "A", "spatialSpotRadius": "A"}
    scopes |= {"spatialTargetX": "A", "spatialTargetY": "A", "spatialZoom": "A"}
    width, height = (side / factor for side in opened.size)
    views = [("spatialBeta", 0, 0, 8, 12), ("layerControllerBeta", 8, 0, 4, 5), ("featureList", 8, 5, 4, 4)]
    views.append(("obsSets", 8, 9, 4, 3) if opened.categories else ("featureValueHistogram", 8, 9, 4, 3))
    return {
        "version": _SCHEMA,
        "name": opened.name,
        "description": f"{view.layer} values, from HistoScribe's studio",
        "datasets": [{"uid": "A", "name": opened.name, "files": files}],
        "initStrategy": "auto",
        "coordinationSpace": {
            "dataset": {"A": "A"},
            "obsType": {"A": "spot"},
            "featureType": {"A": "gene"},
            "featureValueType": {"A": "expression"},
            "featureSelection": {"A": view.genes[:1] or None},
            "obsColorEncoding": {"A": "geneSelection" if view.genes else "spatialLayerColor"},
            "spatialSpotRadius": {"A": round(max(opened.spot_px, 1.0) / factor / 2, 3)},
            "spatialTargetX": {"A": round(width / 2, 1)},
            "spatialTargetY": {"A": round(height / 2, 1)},
            "spatialZoom": {"A": round(float(np.log2(_PANEL_PX / max(width, height))), 3)},
        },
        "layout": [
            {"component": name, "coordinationScopes": scopes, "x": x, "y": y, "w": w, "h": h}
            for name, x, y, w, h in views
        ],
    }


def _spots(view: View, factor: float) -> str:
    xy = view.opened.xy[view.rows] / factor
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


def _ome_tiff(pixels: np.ndarray, name: str) -> bytes:
    """Return ``(h, w, 3)`` uint8 as a pyramidal OME-TIFF with a plane for each colour, which every reader takes."""
    import tifffile

    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))  # (3, h, w)
    buffer = io.BytesIO()
    levels = [planes[:, :: 2**k, :: 2**k] for k in range(1, 8) if max(planes.shape[1:]) / 2**k >= 256]
    options: dict[str, Any] = {"tile": (256, 256), "compression": "deflate", "photometric": "minisblack"}
    with tifffile.TiffWriter(buffer, ome=True) as tiff:
        about = {"axes": "CYX", "Name": name, "Channel": {"Name": ["Red", "Green", "Blue"]}}
        tiff.write(planes, subifds=len(levels), metadata=about, **options)
        for level in levels:
            tiff.write(np.ascontiguousarray(level), subfiletype=1, **options)
    return buffer.getvalue()
