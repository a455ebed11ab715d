"""The scale of a TIFF: OME-XML, or a resolution in cm."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from histoscribe.slide._scale import square_mpp

if TYPE_CHECKING:
    import tifffile

__all__ = ["tiff_mpp"]

_CENTIMETRE = 3  # ResolutionUnit
_IN_UM = {"m": 1e6, "cm": 1e4, "mm": 1e3, "µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3}


def tiff_mpp(tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> float | None:
    """Return the scale of an image, um per px of its level 0, or None where the file states none to be believed."""
    page = series.keyframe
    if tiff.ome_metadata:
        found = _ome_mpp(tiff.ome_metadata, page.imagewidth, page.imagelength)
        if found is not None:
            return found
    tags = page.tags
    if "XResolution" not in tags or "YResolution" not in tags or "ResolutionUnit" not in tags:
        return None
    if int(tags["ResolutionUnit"].value) != _CENTIMETRE:
        return None
    per_cm = [tags[name].value for name in ("XResolution", "YResolution")]
    # A resolution is a fraction: px / cm.
    um = [1e4 * bottom / top if top else None for top, bottom in per_cm]
    return square_mpp(*um)


def _ome_mpp(xml: str, width: int, height: int) -> float | None:
    try:
        root = ET.fromstring(xml)
    except ET.ParseError:
        return None
    for element in root.iter():
        size = (element.get("SizeX"), element.get("SizeY"))
        if element.tag.rpartition("}")[2] == "Pixels" and size == (str(width), str(height)):
            return square_mpp(*(_um(element, axis) for axis in "XY"))
    return None


def _um(element: ET.Element, axis: str) -> float | None:
    value, unit = element.get(f"PhysicalSize{axis}"), element.get(f"PhysicalSize{axis}Unit", "µm")
    try:
        return float(value) * _IN_UM[unit]  # type: ignore[arg-type]
    except (TypeError, ValueError, KeyError):
        return None
