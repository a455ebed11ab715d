"""Which image of a HEST sample is used, and how much it is reduced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.errors import CoordinateError, ScaleError, SlideError
from histoscribe.io._anndata import embedded_image
from histoscribe.io._assemble import open_image
from histoscribe.io._hest_scale import number

if TYPE_CHECKING:
    from anndata import AnnData

    from histoscribe.core.pixels import PixelSource
    from histoscribe.io._hest_tree import HestSample

__all__ = ["HestImage", "choose_image"]

#: The image's size may differ from what the metadata state by this share.
_SIZE_TOLERANCE = 0.01


@dataclass(frozen=True)
class HestImage:
    """An opened image and its px per full-resolution px.

    Attributes
    ----------
    slide
        The image, or None for none.
    factor
        px of it per full-resolution px; 1 for the slide itself.
    """

    slide: PixelSource | None
    factor: float


def choose_image(
    files: HestSample, table: AnnData, *, image: str | None, scale: float | None, where: str, notes: list[str]
) -> HestImage:
    """Open the image that was asked for: the slide, ``"thumbnail"``, a path, or ``"none"``.

    Parameters
    ----------
    files, table
        The sample and its table (which may hold a thumbnail).
    image, scale
        Options of the reader.
    where
        Name for messages.
    notes
        Gets a line where the thumbnail is used.

    Raises
    ------
    SlideError
        If the image is missing; expression alone is read only where it is asked for.
    ScaleError
        If the image's size does not fit the metadata.
    CoordinateError
        If not even its shape does.
    """
    if image == "none":
        return HestImage(None, 1.0)
    if image == "thumbnail":
        return _thumbnail(files, table, where, notes)
    if image is None and "slide" not in files.files:
        msg = (
            f"{where}: {files.root} has no slide of sample {files.id!r} (wsis/{files.id}.tif). Download it, or give "
            "image=thumbnail, image=<path>, or image=none for expression alone."
        )
        raise SlideError(msg)
    slide = open_image(files.file("slide") if image is None else image, where=where)
    factor = 1.0 if scale is None else scale
    _check_size(slide, files, factor, where)
    return HestImage(slide, factor)


def _thumbnail(files: HestSample, table: AnnData, where: str, notes: list[str]) -> HestImage:
    library = dict(dict(table.uns.get("spatial", {})).get("ST", {}))
    embedded = dict(library.get("images", {})).get("downscaled_fullres")
    path = files.files.get("thumbnail")
    if path is None:
        if embedded is None:
            msg = f"{where}: {files.root} has no thumbnail, and its table holds none. Give image=<path> or image=none."
            raise SlideError(msg)
        path = embedded_image(np.asarray(embedded), where)
    slide = open_image(path, where=where)
    width, height = (number(files.metadata, f"fullres_px_{side}") for side in ("width", "height"))
    factor = dict(library.get("scalefactors", {})).get("tissue_downscaled_fullres_scalef")
    if width and height:
        # The ratio of the longer sides: the factor in the table is a rounded copy of it.
        factor = max(slide.size) / max(width, height)
    if not factor:
        msg = (
            f"{where}: nothing states how much the thumbnail is reduced (fullres_px_width in the metadata, or "
            "tissue_downscaled_fullres_scalef). Give image=<path> with scale=."
        )
        raise ScaleError(msg)
    notes.append(f"the thumbnail is used, {float(factor):.4g} px per full-resolution px")
    return HestImage(slide, float(factor))


def _check_size(slide: PixelSource, files: HestSample, factor: float, where: str) -> None:
    """Refuse an image of another size than the one in whose px the observations are."""
    stated = [number(files.metadata, f"fullres_px_{side}") for side in ("width", "height")]
    if None in stated:
        return
    ratios = [have / (want * factor) for have, want in zip(slide.size, stated, strict=True)]
    if all(abs(r - 1) <= _SIZE_TOLERANCE for r in ratios):
        return
    what = f"{where}: {slide.path} is {slide.size[0]} x {slide.size[1]} px, but the metadata say"
    size = f"{stated[0]:.0f} x {stated[1]:.0f} px" + ("" if factor == 1 else f" times scale={factor:g}")
    if abs(ratios[0] / ratios[1] - 1) <= _SIZE_TOLERANCE:
        msg = f"{what} {size}. If it is the same image resized, give scale={slide.size[0] / stated[0]:.6g}."
        raise ScaleError(msg)
    msg = f"{what} {size}, which is another shape, so observations would be misplaced. Give this sample's own image."
    raise CoordinateError(msg)
