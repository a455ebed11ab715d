"""Scanner files (svs, ndpi, mrxs, scn, bif, ...) through OpenSlide."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import openslide
from PIL import Image, ImageColor

from histoscribe.core.errors import SlideError
from histoscribe.core.files import digest, file_digest
from histoscribe.slide._pyramid import Pyramid, levels_of
from histoscribe.slide._scale import square_mpp

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OpenSlideSlide"]


class OpenSlideSlide(Pyramid):
    """A slide that OpenSlide reads; scale from its ``openslide.mpp-x`` and ``mpp-y``.

    What a scanner skipped is transparent and gets the file's own background colour, else white.
    """

    backend = "openslide"

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._handle: Any = None
        handle = self._open()
        self.levels = levels_of(list(handle.level_dimensions))
        get = handle.properties.get
        self._mpp = square_mpp(get(openslide.PROPERTY_NAME_MPP_X), get(openslide.PROPERTY_NAME_MPP_Y))
        background = get(openslide.PROPERTY_NAME_BACKGROUND_COLOR, "ffffff")
        self._background = np.array(ImageColor.getrgb(f"#{background}"), dtype=np.uint8)
        # OpenSlide takes level-0 places on every level and has its own, unrounded, idea of the downsample.
        self._steps = tuple(handle.level_downsamples)

    @property
    def mpp(self) -> float | None:
        """Scale that the scanner wrote, um per level-0 px, or None."""
        return self._mpp

    def _open(self) -> Any:
        with self._lock:
            if self._handle is None:
                try:
                    self._handle = openslide.OpenSlide(str(self.path))
                except (openslide.OpenSlideError, OSError) as err:
                    msg = f"slide {self.path} cannot be opened: {err}. Copy or download it again, with all its files."
                    raise SlideError(msg) from err
            return self._handle

    def _read(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        step = self._steps[level]
        place = (round(left * step), round(top * step))
        try:
            found = self._open().read_region(place, level, (width, height))
        except openslide.OpenSlideError as err:
            # OpenSlide answers no further call after an error; the next read must start afresh.
            self.close()
            msg = (
                f"slide {self.path} is damaged or truncated: {err}, reading {width} x {height} px at ({left}, {top}) "
                f"of level {level}. Copy or download it again."
            )
            raise SlideError(msg) from err
        return _opaque(found, self._background)

    def _content_digest(self) -> str:
        # MIRAX keeps its pixels in a folder beside the file.
        folder = self.path.with_suffix("")
        if self.path.suffix.lower() == ".mrxs" and folder.is_dir():
            return digest(file_digest(self.path), file_digest(folder))
        return file_digest(self.path)

    def close(self) -> None:
        """Close the file; a later read opens it again."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is not None:
            handle.close()


def _opaque(image: Image.Image, background: np.ndarray) -> np.ndarray:
    """Lay an RGBA image on a colour: ``(h, w, 3)`` uint8."""
    pixels = np.asarray(image)
    alpha = pixels[..., 3]
    if alpha.min() == 255:
        return pixels[..., :3]
    ground = Image.new("RGB", image.size, tuple(int(v) for v in background))
    ground.paste(image, mask=image.getchannel("A"))
    return np.asarray(ground)
