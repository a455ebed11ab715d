"""A view as one HTML file that opens from disk: the slide, some genes, and a small viewer; it loads nothing."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from histoscribe.studio.pixels._built import encode

if TYPE_CHECKING:
    from histoscribe.studio.exports._table import View

__all__ = ["html_page"]

#: Longer side of the picture, px.
_IMAGE_PX = 2400


def html_page(view: View) -> bytes:
    """Return the page: picture at most 2,400 px wide, places at true size, layers of the chosen genes, groups."""
    opened = view.opened
    picture, factor = "", 1.0
    if opened.tiles is not None:
        pixels = opened.tiles.pixels(_IMAGE_PX)
        factor = opened.size[0] / pixels.shape[1]
        picture = "data:image/jpeg;base64," + _base64(encode(pixels))
        width, height = pixels.shape[1], pixels.shape[0]
    else:
        factor = max(opened.size) / _IMAGE_PX
        width, height = (round(side / factor) for side in opened.size)
    data = {
        "name": opened.name,
        "width": width,
        "height": height,
        "picture": picture,
        "umPerPx": None if opened.mpp is None else opened.mpp * factor,
        "shape": opened.shape,
        "size": opened.spot_px / factor,
        "layer": view.layer,
        "places": _floats(opened.xy[view.rows] / factor),
        "genes": [_gene(view, gene) for gene in view.genes],
        "groups": [
            {"key": c.key, "names": c.names, "colours": c.colours, "codes": _base64(c.codes[view.rows].tobytes())}
            for c in opened.categories
        ],
    }
    script = files("histoscribe.studio.exports").joinpath("view.js").read_text(encoding="utf-8")
    # Neither the end of the element that holds the data nor the begin of a comment or script within.
    text = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    environment = Environment(
        loader=PackageLoader("histoscribe.studio.exports", "."), autoescape=True, undefined=StrictUndefined
    )
    page = environment.get_template("view.html.j2").render(
        name=opened.name,
        notes=opened.notes,
        version=version("histoscribe"),
        data=Markup(text),
        script=Markup(script),
        script_hash=_base64(hashlib.sha256(script.encode()).digest()),
    )
    return page.encode("utf-8")


def _gene(view: View, gene: str) -> dict[str, Any]:
    layers = {}
    for layer in view.values.layers.values():
        if gene in layer.genes:
            values = np.asarray(layer.get(layer.genes[gene]), dtype=np.float32)[view.rows]
            layers[layer.name] = {"unit": layer.unit, "values": _floats(values)}
    trust = view.values.trust.get(gene)
    return {
        "name": gene,
        "layers": layers,
        "trust": None if trust is None else trust.flag,
        "reason": None if trust is None else trust.reason,
    }


def _floats(values: np.ndarray) -> str:
    return _base64(np.ascontiguousarray(values, dtype="<f4").tobytes())


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
