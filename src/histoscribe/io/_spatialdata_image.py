"""The image of a SpatialData object: which one is meant, and how its pixels are read."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.errors import SlideError
from histoscribe.core.files import cache_dir

if TYPE_CHECKING:
    from spatialdata import SpatialData

    from histoscribe.core.pixels import PixelSource

__all__ = ["choose_image", "element_slide"]


def choose_image(data: SpatialData, element: Any | None, image: str | None, where: str) -> str | None:
    """Name the image in the object that is meant, or None where it is none or lies outside.

    Parameters
    ----------
    data
        The object.
    element
        The observations, or None; only images that share a coordinate system with them are looked at.
    image
        What the user gave: a name, a path, ``"none"``, or None for the finest colour image.
    where
        Name for messages.

    Raises
    ------
    SlideError
        If nothing was given and there is no colour image.
    """
    if image is not None:
        return image if image in data.images else None
    from spatialdata.transformations import get_transformation

    frames = None if element is None else set(get_transformation(element, get_all=True))
    fineness = {}
    for name, candidate in data.images.items():
        own = get_transformation(candidate, get_all=True)
        shared = sorted(own if frames is None else frames & set(own))
        if shared and _is_colour(_finest(candidate)):
            matrix = own[shared[0]].to_affine_matrix(("x", "y"), ("x", "y"))
            fineness[name] = abs(float(np.linalg.det(matrix[:2, :2])))
    if fineness:
        return min(fineness, key=lambda name: (fineness[name], name))
    if not data.images and not data.tables:
        return None
    kinds = [f"{n} ({_finest(i).shape[0]} channels of {_finest(i).dtype})" for n, i in data.images.items()]
    msg = (
        f"{where} has no colour image that shares a coordinate system with its observations (it has "
        f"{', '.join(kinds) or 'none'}). Give image=<path>, or image=none for expression alone."
    )
    raise SlideError(msg)


def element_slide(data: SpatialData, name: str) -> PixelSource:
    """Open an image of the object: in its store where it lies in one, else as a TIFF in the cache.

    Raises
    ------
    SlideError
        If it is no colour image.
    """
    # By name: `io` and `slide` stand on one row and know nothing of each other but such functions.
    slides = import_module("histoscribe.slide")
    array = _finest(data.images[name])
    if not _is_colour(array):
        msg = (
            f"image {name!r} has {array.shape[0]} channels of {array.dtype}, not colours of uint8. Give another image=."
        )
        raise SlideError(msg)
    if data.path is not None and (folder := Path(data.path) / "images" / name).is_dir():
        slide = slides.open_slide(folder)
        if slide.size == (array.shape[2], array.shape[1]):
            return slide
    source = import_module("histoscribe.slide._array").ChannelSource(array.data, name=name)
    path = cache_dir() / "images" / f"{source.digest()[:16]}.tif"
    if not path.exists():
        slides.write_tiff(source, path)
    return slides.open_slide(path)


def _finest(image: Any) -> Any:
    """Return the finest level of an image as a DataArray of (c, y, x)."""
    if hasattr(image, "children") and image.children:
        level = next(iter(image.children.values()))
        image = next(iter(level.data_vars.values()))
    return image.transpose("c", "y", "x")


def _is_colour(array: Any) -> bool:
    return array.shape[0] in (3, 4) and array.dtype == np.uint8
