"""Plain JPEG, PNG and WebP of any size, decoded once into memory."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from histoscribe.core.errors import SlideError
from histoscribe.slide._codecs import decode, kind_of
from histoscribe.slide._complete import check_complete
from histoscribe.slide._pyramid import Level, Pyramid

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

__all__ = ["ImageSlide"]

_READERS = {"JPEG": JpegImageFile, "PNG": PngImageFile, "WEBP": WebPImageFile}
_ORIENTATION = 0x0112  # EXIF


class ImageSlide(Pyramid):
    """An image without levels: 3 bytes per px in memory from the first read until `close`.

    No scale: the resolution tags of such files come from the program that wrote them, not from a microscope.
    """

    backend = "image"

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._pixels: np.ndarray | None = None
        kind, size = _header(self.path)
        check_complete(self.path, kind)
        self.levels = (Level(*size, 1.0),)

    def _read(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        with self._lock:
            if self._pixels is None:
                self._pixels = self._decode()
            pixels = self._pixels
        return pixels[top : top + height, left : left + width]

    def _decode(self) -> np.ndarray:
        try:
            data = self.path.read_bytes()
        except OSError as err:
            msg = f"slide {self.path} cannot be read any more ({err.strerror}). Put it back, or open it again."
            raise SlideError(msg) from err
        pixels = decode(data, where=f"slide {self.path}")
        if (found := (pixels.shape[1], pixels.shape[0])) != self.size:
            msg = f"slide {self.path} holds {found} px, but its header says {self.size}. Save it again."
            raise SlideError(msg)
        pixels.setflags(write=False)
        return pixels

    def close(self) -> None:
        """Drop the decoded pixels; a later read decodes them again."""
        with self._lock:
            self._pixels = None


def _header(path: Path) -> tuple[str, tuple[int, int]]:
    """Read format and size, and refuse what has no plain colours."""
    with path.open("rb") as file:
        kind = kind_of(head := file.read(12))
    if kind is None:
        msg = f"slide {path} is not JPEG, PNG or WebP (it starts with {head!r}). Convert it to one of these or to TIFF."
        raise SlideError(msg)
    try:
        # The classes, not Image.open: its guard against decompression bombs refuses more than 179 Mpx, and a slide of
        # that size is what we are for. Only the header is read here.
        with _READERS[kind](path) as image:
            # Not image.getexif(): of a PNG it decodes the pixels, in search of a tag behind them.
            size, mode, turned = image.size, image.mode, _orientation(image.info.get("exif"))
    except (OSError, SyntaxError, ValueError) as err:
        msg = f"slide {path} is damaged: its header cannot be read ({err}). Copy or download it again."
        raise SlideError(msg) from err
    if mode == "CMYK":
        msg = f"slide {path} has printing colours (CMYK), whose red, green and blue depend on a press. Save it as RGB."
        raise SlideError(msg)
    if turned != 1:
        warnings.warn(
            f"slide {path} has an EXIF orientation of {turned}, which is not applied: coordinates refer to the pixels "
            "as stored. Remove the tag, or turn the pixels, to be rid of this warning.",
            UserWarning,
            stacklevel=4,
        )
    return kind, size


def _orientation(exif: bytes | None) -> int:
    tags = Image.Exif()
    tags.load(exif or b"")
    return int(tags.get(_ORIENTATION, 1))
