"""DeepZoom: a ``.dzi`` file and, beside it, a folder of tiles for each level."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from histoscribe.core.errors import SlideError
from histoscribe.core.files import digest, file_digest
from histoscribe.slide._cache import TileCache
from histoscribe.slide._codecs import decode
from histoscribe.slide._pyramid import Level, Pyramid
from histoscribe.slide._segments import assemble

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

__all__ = ["DeepZoomSlide"]


class DeepZoomSlide(Pyramid):
    """A DeepZoom pyramid with tiles in JPEG, PNG or WebP; the format states no scale.

    Levels are numbered from the smallest; each is half the next one, rounded up.
    """

    backend = "deepzoom"

    def __init__(self, path: Path | str) -> None:
        super().__init__(path)
        self._folder = self.path.with_name(f"{self.path.stem}_files")
        size, self._tile, self._overlap, self._suffix = _description(self.path)
        last = (max(size) - 1).bit_length()
        present = [last]
        while present[-1] > 0 and (self._folder / str(present[-1] - 1)).is_dir():
            present.append(present[-1] - 1)
        if not (full := self._folder / str(last)).is_dir():
            msg = f"slide {self.path}: the folder {full} with its full resolution is missing. Copy it too."
            raise SlideError(msg)
        self._numbers = tuple(present)
        scales = [2 ** (last - n) for n in present]
        self.levels = tuple(Level(-(-size[0] // s), -(-size[1] // s), float(s)) for s in scales)
        self._cache = TileCache()

    def _read(self, level: int, left: int, top: int, width: int, height: int) -> np.ndarray:
        def get(column: int, row: int) -> np.ndarray:
            return self._cache.get((level, column, row), lambda: self._decode(level, column, row))

        return assemble(get, tile=(self._tile, self._tile), at=(left, top), size=(width, height))

    def _decode(self, level: int, column: int, row: int) -> np.ndarray:
        path = self._folder / str(self._numbers[level]) / f"{column}_{row}.{self._suffix}"
        try:
            data = path.read_bytes()
        except OSError as err:
            msg = f"slide {self.path}: its tile {path} cannot be read ({err.strerror}). Copy the folder again."
            raise SlideError(msg) from err
        pixels = decode(data, where=f"tile {path}")
        # Tiles reach over their neighbours, but not beyond the level.
        x0, y0 = (self._overlap if n else 0 for n in (column, row))
        width = min(self._tile, self.levels[level].width - column * self._tile)
        height = min(self._tile, self.levels[level].height - row * self._tile)
        pixels = pixels[y0 : y0 + height, x0 : x0 + width]
        if pixels.shape != (height, width, 3):
            found = f"{pixels.shape[1]} x {pixels.shape[0]}"
            msg = f"tile {path} is {found} px instead of {width} x {height}. Copy the folder again."
            raise SlideError(msg)
        return pixels.copy() if self._overlap else pixels

    def _content_digest(self) -> str:
        return digest(file_digest(self.path), file_digest(self._folder))

    def close(self) -> None:
        """Drop the decoded tiles; a later read decodes them again."""
        self._cache.clear()


def _description(path: Path) -> tuple[tuple[int, int], int, int, str]:
    """Read size, tile side, overlap and file ending from a ``.dzi``."""
    try:
        root = ET.parse(path).getroot()
        attributes = {k.rpartition("}")[2]: v for k, v in root.attrib.items()}
        size = next(e for e in root if e.tag.rpartition("}")[2] == "Size")
        numbers = [
            int(v) for v in (size.attrib["Width"], size.attrib["Height"], attributes["TileSize"], attributes["Overlap"])
        ]
        suffix = attributes["Format"]
    except (OSError, ET.ParseError, KeyError, ValueError, StopIteration) as err:
        msg = f"slide {path} is no complete DeepZoom description ({type(err).__name__}: {err}). Copy it again."
        raise SlideError(msg) from err
    width, height, tile, overlap = numbers
    if min(width, height, tile) < 1 or overlap < 0:
        msg = f"slide {path} says {width} x {height} px in tiles of {tile} px with overlap {overlap}. Copy it again."
        raise SlideError(msg)
    return (width, height), tile, overlap, suffix
