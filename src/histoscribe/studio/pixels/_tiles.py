"""SlideTiles: any slide as levels of tiles: stored ones passed through, others decoded, missing levels built."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from histoscribe.core.files import digest
from histoscribe.slide._cache import TileCache
from histoscribe.studio._error import StudioError
from histoscribe.studio.items._watch import Watched
from histoscribe.studio.pixels._built import TILE, build, built_path, encode, halved
from histoscribe.studio.pixels._preview import Preview
from histoscribe.studio.pixels._stored import StoredJpegs

if TYPE_CHECKING:
    from histoscribe.slide import Pyramid

__all__ = ["SlideTiles", "TileLevel"]

#: A slide whose coarsest level is larger than this gets coarser ones built, px.
_COARSE_PX = 2048
#: All pyramids are built in this one thread: two at once would only be slower.
_BUILDER = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pyramid")


@dataclass(frozen=True)
class TileLevel:
    """One level: size and tile in px, level-0 px per px, and where its tiles come from."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    downsample: float
    source: Literal["stored", "decoded", "built"]
    index: int

    @property
    def columns(self) -> int:
        """Tiles across."""
        return -(-self.width // self.tile_width)

    @property
    def rows(self) -> int:
        """Tiles down."""
        return -(-self.height // self.tile_height)


class SlideTiles:
    """The tiles of one slide; safe in several threads.

    Tiles at the right and lower edge are padded to full size, as TIFF stores them.

    Parameters
    ----------
    slide
        The slide.
    cache
        Decoded tiles, as JPEG; shared by all slides, so that their number does not matter.
    """

    def __init__(self, slide: Pyramid, cache: TileCache) -> None:
        self.slide = slide
        self.watched = Watched.of(slide.path) if slide.path.exists() else None
        # An image out of an AnnData has no file of its own.
        self.version = self.watched.version if self.watched else digest(slide.digest())
        self._cache, self._lock = cache, threading.Lock()
        self._stored = StoredJpegs.open(slide.path) if slide.path.is_file() else None
        if self._stored is not None and [s.size for s in self._stored.levels] != [_size(v) for v in slide.levels]:
            self._stored = None
        self._building: Future[StoredJpegs] | None = None
        self.levels = self._levels()
        self._preview = Preview(slide) if self.levels[0].source == "built" else None
        self._white: dict[tuple[int, int], bytes] = {}

    @property
    def passthrough(self) -> bool:
        """True where full resolution is sent as the file stores it."""
        return self.levels[0].source == "stored"

    def _levels(self) -> tuple[TileLevel, ...]:
        flat = self.slide.backend == "image"
        found = [] if flat else [self._native(i) for i in range(len(self.slide.levels))]
        coarsest = _size(self.slide.levels[-1])
        if flat or max(coarsest) > _COARSE_PX:
            scale, sizes = self.slide.levels[-1].downsample, halved(coarsest)
            for step, (w, h) in enumerate(sizes):
                if flat or step:
                    found.append(TileLevel(w, h, TILE, TILE, scale * 2**step, "built", step - (not flat)))
        return tuple(found)

    def _native(self, index: int) -> TileLevel:
        level = self.slide.levels[index]
        if self._stored is None:
            return TileLevel(level.width, level.height, TILE, TILE, level.downsample, "decoded", index)
        tile = self._stored.levels[index].tile
        return TileLevel(level.width, level.height, *tile, level.downsample, "stored", index)

    def check(self) -> None:
        """Raise where the file was deleted or replaced; see `Watched`."""
        if self.watched is not None:
            self.watched.check()

    def etag(self, *parts: Any) -> str:
        """Return a quoted tag that changes when the file does."""
        return f'"{digest(self.version, repr(parts))}"'

    def level(self, level: int, column: int, row: int) -> TileLevel:
        """Return the level of a tile, or raise status 404 where there is no such tile."""
        if 0 <= level < len(self.levels):
            found = self.levels[level]
            if 0 <= column < found.columns and 0 <= row < found.rows:
                return found
        raise StudioError(
            404,
            f"there is no tile ({column}, {row}) on level {level}.",
            where=self.slide.path.name,
            todo="Ask for tiles inside the levels that the item lists.",
        )

    def cheap(self, found: TileLevel) -> bool:
        """Say whether a tile of this level is a read of some kB, which needs no thread of its own."""
        return found.source == "stored" or (found.source == "built" and self._ready() is not None)

    def pending(self, found: TileLevel) -> Future[StoredJpegs] | None:
        """Return what a tile of this level has to wait for, or None; starts building where nobody has."""
        if found.source != "built" or self._ready() is not None:
            return None
        waiting = self._build()
        return None if self._preview is not None and self._preview.covers(found.downsample) else waiting

    def tile(self, level: int, column: int, row: int) -> bytes:
        """Return one tile as JPEG."""
        found = self.level(level, column, row)
        if found.source == "stored":
            assert self._stored is not None
            return self._stored.tile(found.index, column, row) or self._blank(found)
        if found.source == "built":
            if (ready := self._ready()) is not None:
                return ready.tile(found.index, column, row)
            if self._preview is not None and self._preview.covers(found.downsample):
                return self._preview.tile(found, column, row)
            return self._build().result().tile(found.index, column, row)
        key = (self.version, level, column, row)
        data = self._cache.get(key, lambda: np.frombuffer(encode(self._decode(found, column, row)), dtype=np.uint8))
        return data.tobytes()

    def _decode(self, found: TileLevel, column: int, row: int) -> np.ndarray:
        step, d = (found.tile_width, found.tile_height), found.downsample
        at = (column * step[0] * d, row * step[1] * d)
        return self.slide.region(*at, width=step[0] * d, height=step[1] * d, out=step).pixels

    def _blank(self, found: TileLevel) -> bytes:
        size = (found.tile_height, found.tile_width)
        if size not in self._white:
            self._white[size] = encode(np.full((*size, 3), 255, dtype=np.uint8))
        return self._white[size]

    def thumbnail(self, max_px: int) -> bytes:
        """Return the whole slide as JPEG whose longer side is at most `max_px`."""
        key = (self.version, "thumbnail", max_px)
        return self._cache.get(key, lambda: np.frombuffer(encode(self.pixels(max_px)), dtype=np.uint8)).tobytes()

    def pixels(self, max_px: int) -> np.ndarray:
        """Return the whole slide as ``(h, w, 3)`` uint8 whose longer side is at most `max_px`."""
        if self._preview is not None and (found := self._preview.thumbnail(max_px)) is not None:
            return found
        pixels = self.slide.thumbnail(max_px=max_px)
        if self.slide.backend == "image":
            self.slide.close()  # otherwise every px of it would stay in memory
        return pixels

    def _ready(self) -> StoredJpegs | None:
        building = self._building
        done = building is not None and building.done() and building.exception() is None
        return building.result() if done and building is not None else None

    def _build(self) -> Future[StoredJpegs]:
        with self._lock:
            # A build that failed (disk full) is tried again by the next tile.
            if self._building is None or (self._building.done() and self._building.exception() is not None):
                self._building = _BUILDER.submit(self._open_built)
            return self._building

    def _open_built(self) -> StoredJpegs:
        path = built_path(self.version)
        if not path.is_file():
            build(self.slide, path, of=_size(self.slide.levels[-1]), full=self.slide.backend == "image")
            self.slide.close()
        found = StoredJpegs.open(path)
        if found is None:
            path.unlink(missing_ok=True)
            raise StudioError(
                500,
                "the pyramid that was made for this image cannot be read.",
                where=self.slide.path.name,
                todo="Look again: it is made anew.",
            )
        return found

    def close(self) -> None:
        """Close all files."""
        self.slide.close()
        if self._stored is not None:
            self._stored.close()


def _size(level: Any) -> tuple[int, int]:
    return level.width, level.height
