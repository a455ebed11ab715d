"""Draw places on a slide at their true size; no global state of matplotlib is touched."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import EllipseCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from PIL import Image

from histoscribe.reports._view import scale_bar_um

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import Collection
    from matplotlib.colors import Colormap

    from histoscribe.reports._atlas import Layer, Scale
    from histoscribe.reports._view import Places, View

__all__ = ["add_layer", "add_outlines", "add_scale_bar", "add_slide", "colours", "legible", "overlay_png", "png"]

_SOFT_EDGES = 1000
#: Steps of a colour map: with the colours beyond it and the transparent one, they fit a palette of 256.
_COLOURS = 250
_MISSING = "#8a8f98"
#: Outline of a spot: dark within white stands out on eosin, haematoxylin and glass alike.
_OUTLINE = (("white", 2.6), ("#083d77", 1.0))

_HAIRLINE = (("#083d77", 0.4),)


def colours(scale: Scale) -> Colormap:
    """Return the colour map of a scale."""
    return colormaps[scale.cmap].resampled(_COLOURS).with_extremes(bad=_MISSING, over=scale.over)


def legible(text: str) -> str:
    """Replace what the figures' font cannot draw by a box, so that no name can spoil a figure."""
    known = get_font(findfont(FontProperties())).get_charmap()
    return "".join(c if ord(c) in known and c.isprintable() else "□" for c in str(text))


def add_slide(ax: Axes, view: View, *, veil: float = 0.0) -> None:
    """Show the slide in um, y down, exactly as wide and high as `view`; `veil` is the share of white over it, 0-1."""
    left, top = view.x, view.y
    extent = (left, left + view.width, top + view.height, top)
    if view.pixels is not None:
        pixels = (view.pixels * (1 - veil) + 255 * veil).astype(np.uint8) if veil else view.pixels
        ax.imshow(pixels, extent=extent, interpolation="antialiased", aspect="equal")
    ax.set_xlim(extent[0], extent[1])
    ax.set_ylim(extent[2], extent[3])
    ax.set_aspect("equal")
    ax.set_axis_off()


def add_layer(ax: Axes, layer: Layer) -> Collection:
    """Draw values at their places; returns the collection, for a colour bar."""
    found = _shapes(ax, layer.places, linewidth=0.0)
    found.set_array(layer.values)
    found.set_cmap(colours(layer.scale))
    found.set_norm(Normalize(layer.scale.low, layer.scale.high))
    ax.add_collection(found)
    return found


def add_outlines(ax: Axes, places: Places) -> None:
    """Draw the outline of every place; touching squares get hairlines, so that the tissue stays in sight."""
    for colour, linewidth in _HAIRLINE if places.shape == "square" else _OUTLINE:
        found = _shapes(ax, places, linewidth=linewidth)
        found.set_facecolor("none")
        found.set_edgecolor(colour)
        found.set_antialiased(True)
        ax.add_collection(found)


def _shapes(ax: Axes, places: Places, *, linewidth: float) -> Collection:
    xy, size = places.xy_um, places.size_um
    if places.shape == "circle":
        n = np.full(len(xy), size)
        # Soft edges cost most of a picture's bytes; where there are thousands of spots they are too small to be seen.
        style = {"linewidths": linewidth, "antialiaseds": len(xy) <= _SOFT_EDGES}
        return EllipseCollection(
            n, n, np.zeros(len(xy)), units="xy", offsets=xy, offset_transform=ax.transData, **style
        )
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * (size / 2)
    # Without antialiasing: squares that touch would otherwise show seams.
    return PolyCollection(xy[:, None] + corners, linewidths=linewidth, antialiaseds=False)


def add_scale_bar(ax: Axes, view: View) -> None:
    """Draw a scale bar with its length at the lower left."""
    length = scale_bar_um(view.width)
    x, y = view.x + 0.04 * view.width, view.y + 0.965 * view.height
    for colour, width in (("white", 5.0), ("black", 2.5)):
        ax.plot([x, x + length], [y, y], color=colour, linewidth=width, solid_capstyle="butt")
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    text = f"{length:g} µm" if length < 1000 else f"{length / 1000:g} mm"
    ax.text(x, y - 0.02 * view.height, text, ha="left", va="bottom", fontsize=7, bbox=box, color="black")


def overlay_png(view: View, *, layer: Layer | None = None, outlines: Places | None = None, max_px: int = 800) -> bytes:
    """Return a transparent PNG of a layer or of outlines that fits over the picture of `view`."""
    scale = max_px / max(view.width, view.height)
    figure = Figure(figsize=(view.width * scale / 100, view.height * scale / 100), dpi=100)
    ax = figure.add_axes((0, 0, 1, 1))
    add_slide(ax, replace(view, pixels=None))
    if layer is not None:
        add_layer(ax, layer)
    if outlines is not None:
        add_outlines(ax, outlines)
    return _smallest(png(figure, transparent=True))


def png(figure: Figure, *, transparent: bool = False, dpi: float | None = None) -> bytes:
    """Return a figure as PNG bytes without a time or a version in it: same figure, same bytes."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", transparent=transparent, dpi=dpi or "figure", metadata={"Software": None})
    return buffer.getvalue()


def _smallest(data: bytes) -> bytes:
    """Return the same pixels with a palette where 256 colours are enough: about a third of the bytes."""
    pixels = np.asarray(Image.open(BytesIO(data)).convert("RGBA"))
    # What is wholly transparent has no colour worth keeping.
    packed = np.where(pixels[..., 3] == 0, 0, pixels.view(np.uint32)[..., 0])
    found, index = np.unique(packed, return_inverse=True)
    if len(found) > 256:
        return data
    picture = Image.fromarray(index.reshape(packed.shape).astype(np.uint8), mode="P")
    palette = found.astype(np.uint32).view(np.uint8).reshape(-1, 4)
    picture.putpalette(palette[:, :3].tobytes())
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True, transparency=palette[:, 3].tobytes())
    return buffer.getvalue()
