"""Open a slide: look at the file's content, not at its name, and choose the backend that reads it best."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.core.errors import SlideError
from histoscribe.core.registry import Registry
from histoscribe.slide.omezarr import is_ome_zarr

if TYPE_CHECKING:
    from histoscribe.core.pixels import PixelSource

__all__ = ["SLIDES", "open_slide"]

#: Backends by name. A plug-in (entry points group ``histoscribe.slide``) is a class with a class method
#: ``sniff(path, head) -> bool``, `head` being the first 4,096 bytes; it is asked before the backends here.
SLIDES = Registry(
    "slide",
    {
        "deepzoom": "histoscribe.slide.deepzoom:DeepZoomSlide",
        "image": "histoscribe.slide.image:ImageSlide",
        "omezarr": "histoscribe.slide.omezarr:OmeZarrSlide",
        "openslide": "histoscribe.slide.openslide:OpenSlideSlide",
        "tiff": "histoscribe.slide.tiff:TiffSlide",
    },
)
_OURS = ("deepzoom", "image", "omezarr", "openslide", "tiff")
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def open_slide(path: Path | str, *, backend: str | None = None) -> PixelSource:
    """Open an image of any size.

    - Vendor formats (svs, ndpi, mrxs, scn, bif, ...) are read by OpenSlide.
    - Any other TIFF, and one whose levels OpenSlide does not see (SubIFDs, OME), is read tile by tile with tifffile.
    - JPEG, PNG and WebP are decoded once, at the first read, whatever their size: 3 bytes per px stay in memory.
    - ``.dzi`` is DeepZoom, with its folder of tiles beside it.
    - A folder that holds a multiscale image is OME-Zarr.

    Colours are those of the file: colour profiles are not applied. Transparent pixels are laid on white. Pixels stay
    as they are stored: an orientation tag would move them away from the coordinates of the spots.

    Parameters
    ----------
    path
        The file; for DeepZoom the ``.dzi``, for OME-Zarr the image's folder.
    backend
        Registry name, to overrule the choice.

    Returns
    -------
    A slide. Its `mpp` is None unless the file states it trustworthily: JPEG and PNG never do.

    Raises
    ------
    SlideError
        If the file is missing, truncated, or no image that can be read.
    """
    path = Path(path)
    if path.is_dir() and backend is None and is_ome_zarr(path):
        backend = "omezarr"
    if backend == "omezarr":
        return SLIDES.get(backend)(path)
    head = _head(path)
    return SLIDES.get(backend or _choose(path, head))(path)


def _head(path: Path) -> bytes:
    if path.is_dir():
        msg = f"{path} is a folder, not a slide. Give its image (of DeepZoom the .dzi, of OME-Zarr the image's folder)."
        raise SlideError(msg)
    try:
        with path.open("rb") as file:
            head = file.read(4096)
    except FileNotFoundError as err:
        msg = f"slide {path} does not exist. Check the path."
        raise SlideError(msg) from err
    except OSError as err:
        msg = f"slide {path} cannot be read ({err.strerror}). Check its permissions and the disk."
        raise SlideError(msg) from err
    if not head:
        msg = f"slide {path} is empty (0 bytes). Copy or download it again."
        raise SlideError(msg)
    return head


def _choose(path: Path, head: bytes) -> str:
    for name in SLIDES:
        if name not in _OURS and SLIDES.get(name).sniff(path, head):
            return name
    if head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")) or (head[:4], head[8:12]) == (b"RIFF", b"WEBP"):
        # MIRAX is a plain JPEG beside a folder of the same name.
        return "openslide" if path.suffix.lower() == ".mrxs" else "image"
    if b"schemas.microsoft.com/deepzoom" in head.lower():
        return "deepzoom"
    vendor = _vendor(path)
    if head.startswith(_TIFF):
        if vendor in {None, "generic-tiff"}:
            return "tiff"
        from histoscribe.slide.tiff import hidden_levels

        return "tiff" if hidden_levels(path) else "openslide"
    if vendor is not None:
        return "openslide"
    msg = (
        f"slide {path} is of no format that can be read (it starts with {head[:8]!r}). "
        "Give a TIFF, JPEG, PNG, WebP, DeepZoom or a scanner's file that OpenSlide reads, or convert it to TIFF."
    )
    raise SlideError(msg)


def _vendor(path: Path) -> str | None:
    """Name the scanner format that OpenSlide recognises, or None."""
    import openslide

    try:
        return openslide.OpenSlide.detect_format(str(path))
    except openslide.OpenSlideError as err:
        msg = f"slide {path} is damaged: {err}. Copy or download it again."
        raise SlideError(msg) from err
