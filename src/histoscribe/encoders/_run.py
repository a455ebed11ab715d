"""The feature run: stream a section's tiles through an encoder, and never compute the same features twice."""

from __future__ import annotations

import functools
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from anndata import AnnData

from histoscribe import tiles
from histoscribe.core.ahead import read_ahead
from histoscribe.core.errors import DataError, SlideError, StorageError
from histoscribe.core.features import Features, FeatureSpec
from histoscribe.core.files import cache_dir, digest
from histoscribe.core.progress import progress
from histoscribe.encoders._registry import make_encoder
from histoscribe.encoders._store import FeatureStore
from histoscribe.tiles._read import _SLACK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from histoscribe.core.grid import TileGrid
    from histoscribe.core.section import Section
    from histoscribe.encoders._encoder import Encoder
    from histoscribe.encoders._store import ArrayFile

__all__ = ["Stored", "encode", "encode_stored"]

#: Raised whenever the same tiles and encoder would be cached otherwise.
_FORMAT = "features-1"
#: Packages that decode and resize: an update can change the pixels an encoder sees.
_PIXEL_PACKAGES = ("imagecodecs", "openslide-bin", "pillow")
#: Batches read ahead of the encoder: enough to ride out a slow read, and 20 MB at the default batch size.
_AHEAD = 4
#: Rows of finished features that are copied at a time: 20 MB of 1,280.
_ROWS = 4096


def encode(
    section: Section,
    encoder: str | Encoder,
    *,
    cache: Path | str | None = None,
    batch_size: int = 32,
    threads: int | None = None,
    show: bool | None = None,
) -> Section:
    """Encode every tile of a section; what was encoded before comes from the cache.

    One thread reads tiles while the encoder computes; a few batches are in memory at any time. Each finished batch is
    kept at once, so that a run that was killed goes on where it stopped and ends with the same features to the bit.
    Each part of a concatenation and each tile side is cached by itself, under slide, tiles, encoder and versions.

    Parameters
    ----------
    section
        A section with a slide and tiles (`histoscribe.tile`).
    encoder
        Registry name (``+`` concatenates), or an encoder.
    cache
        Folder of the cache; default `HISTOSCRIBE_CACHE` or the user's cache folder.
    batch_size
        Tiles that are computed and kept together; it changes no result on a CPU, and some last bits on a GPU.
    threads
        Threads of an encoder that is given by name; they change at most the last bits of the result.
    show
        Show progress, rate and time left; default where stderr is a terminal.

    Returns
    -------
    A section that shares the other's arrays and has ``obsm["X_<encoder>"]``, ``(n, dim)`` float32, and its description
    in ``uns["histoscribe"]["features"]``. Columns are blocks ``"<part>@<side>um"``, sides outermost.

    Raises
    ------
    DataError
        If the section has no tiles or they have another size than the encoder expects.
    SlideError
        If the section has no slide.
    StorageError
        If the disk is full or the cache cannot be written; finished batches are kept.
    """
    encoder = make_encoder(encoder, threads=threads) if isinstance(encoder, str) else encoder
    _check_input(section, encoder, batch_size)
    undivided = section.undivided()
    if undivided is not None:
        every = Features.of(encode(undivided, encoder, cache=cache, batch_size=batch_size, show=show).table)
        table = _shared(section.table)
        Features(every.matrix[section.whole.rows], every.spec).attach(table)
        return section.replace(table=table)
    made = encode_stored(section, encoder, cache=cache, batch_size=batch_size, show=show)
    matrix = np.empty(made.shape, dtype=np.float32)
    made.copy(matrix, slice(None))
    table = _shared(section.table)
    Features(matrix, made.spec).attach(table)
    return section.replace(table=table)


@dataclass(frozen=True)
class Stored:
    """Features that are finished and lie in the cache's files.

    Attributes
    ----------
    shape
        (n, dim).
    spec
        What they are.
    parts
        Columns and the file with the ``(n, d)`` float32 array that fills them.
    """

    shape: tuple[int, int]
    spec: FeatureSpec
    parts: list[tuple[slice, ArrayFile]]

    def copy(self, into: np.ndarray, rows: slice) -> None:
        """Copy some rows into ``(len(rows), dim)``."""
        start, stop, _step = rows.indices(self.shape[0])
        for columns, array in self.parts:
            for at in range(start, stop, _ROWS):
                part = slice(at, min(at + _ROWS, stop))
                into[part.start - start : part.stop - start, columns] = array.read(part)


def encode_stored(
    section: Section,
    encoder: Encoder,
    *,
    cache: Path | str | None = None,
    batch_size: int = 32,
    show: bool | None = None,
) -> Stored:
    """Encode as `encode` does, and leave the features in the cache: memory does not grow with their number.

    Raises
    ------
    DataError, SlideError, StorageError
        As `encode`.
    """
    _check_input(section, encoder, batch_size)
    root = cache_dir() if cache is None else Path(cache)
    blocks = _blocks(section, encoder, root=root, batch_size=batch_size)
    held = {block.name: block.store.finished() for block in blocks}
    missing = [block for block in blocks if held[block.name] is None]
    if missing:
        _complete(section, missing, show=show)
        held |= {block.name: block.store.finished() for block in missing}
    gone = [name for name, array in held.items() if array is None]
    if gone:
        msg = f"the features {', '.join(gone)} vanished from the cache {root} just after they were written. Run again."
        raise StorageError(msg)
    spans = {block.name: (block.columns.start, block.columns.stop) for block in blocks}
    spec = FeatureSpec(encoder.card.name, encoder.fingerprint(), spans, section.grid.geometry())
    return Stored((section.n_obs, spec.dim), spec, [(block.columns, held[block.name]) for block in blocks])


@dataclass(frozen=True)
class _Block:
    """One encoder at one tile side: its columns, and where its features are kept."""

    encoder: Encoder
    side_um: float
    columns: slice
    store: FeatureStore

    @property
    def name(self) -> str:
        return f"{self.encoder.card.name}@{self.side_um:g}um"


def _blocks(section: Section, encoder: Encoder, *, root: Path, batch_size: int) -> list[_Block]:
    blocks, start = [], 0
    for side_um in section.grid.sides_um:
        for part in encoder.parts:
            store = _store(section, part, side_um, root=root, batch_size=batch_size)
            blocks.append(_Block(part, side_um, slice(start, start + part.dim), store))
            start += part.dim
    return blocks


def _check_input(section: Section, encoder: Encoder, batch_size: int) -> None:
    if batch_size < 1:
        msg = f"batch_size is {batch_size}; at least one tile is computed at a time. Give e.g. 32."
        raise DataError(msg)
    if section.slide is None:
        msg = f"section {section.name!r} has no slide, so there is nothing to encode. Read it with its image."
        raise SlideError(msg)
    if section.grid is None or len(section.grid) != section.n_obs:
        have = "no tiles" if section.grid is None else f"{len(section.grid)} tiles for {section.n_obs} observations"
        msg = f"section {section.name!r} has {have}. Make them with hs.tile(section, size_um=112)."
        raise DataError(msg)
    if section.grid.tile_px != encoder.tile_px:
        msg = (
            f"section {section.name!r} has tiles of {section.grid.tile_px} px, but {encoder.card.name} expects "
            f"{encoder.tile_px} px. Make them with hs.tile(section, ..., tile_px={encoder.tile_px})."
        )
        raise DataError(msg)


def _store(section: Section, part: Encoder, side_um: float, *, root: Path, batch_size: int) -> FeatureStore:
    """Name the features of one part and side by everything that decides their values."""
    grid, slide = section.grid, section.slide
    assert grid is not None
    assert slide is not None
    what = {
        "format": _FORMAT,
        "slide": slide.digest(),
        "reader": f"{type(slide).__module__}.{type(slide).__qualname__}",
        "centres": digest(np.ascontiguousarray(grid.centres, dtype="<f8").tobytes()),
        # Not the whole grid: the other sides do not change this one's pixels, so that adding a side keeps the others.
        "side_um": side_um,
        "mpp": grid.mpp,
        # Only where a tile is read coarser than the slide allows does the finest detail play a part: folds whose
        # training slides differ by a thousandth in scale then share the features of a slide.
        "read_mpp": grid.read_mpp if reads_coarser(grid, side_um) else None,
        "tile_px": grid.tile_px,
        "encoder": part.card.name,
        "fingerprint": part.fingerprint(),
        "runtime": part.runtime(),
        "versions": {name: version(name) for name in _PIXEL_PACKAGES} | {"pixel code": _pixel_code()},
    }
    shape = (len(grid), part.dim)
    about = what | {"slide_name": slide.path.name, "shape": list(shape)}
    return FeatureStore(root, digest(repr(what)), shape=shape, batch_size=batch_size, about=about)


def reads_coarser(grid: TileGrid, side_um: float) -> bool:
    """Say whether `tiles.read_tiles` reads tiles at ``grid.read_mpp`` and enlarges them, and not as the slide is."""
    return grid.mpp * _SLACK < grid.read_mpp and grid.read_px(side_um) < grid.tile_px


@functools.cache
def _pixel_code() -> str:
    """Name the code that reads pixels, so that a change of it never meets features of the old pixels."""
    sources = [path for path in resources.files("histoscribe.slide").iterdir() if path.name.endswith(".py")]
    sources = sorted(sources, key=lambda path: path.name)
    return digest(*(path.read_bytes() for path in [*sources, resources.files("histoscribe.tiles") / "_read.py"]))


def _complete(section: Section, missing: list[_Block], *, show: bool | None) -> None:
    """Compute the blocks that the cache lacks, side by side where they see the same tiles."""
    sides = list(dict.fromkeys(block.side_um for block in missing))
    groups = [[block for block in missing if block.side_um == side] for side in sides]
    left = [_n_tiles(group, _pending(group)) for group in groups]
    total = section.n_obs * len(groups)
    with progress(f"encode {section.name}", total, unit="tiles", done=total - sum(left), show=show) as advance:
        for group, n_left in zip(groups, left, strict=True):
            with ExitStack() as locks:
                # In one order everywhere, so that two processes cannot wait for each other.
                for block in sorted(group, key=lambda b: b.store.folder):
                    locks.enter_context(block.store.lock())
                # Another process may have done some of it, or all, while this one waited.
                open_blocks = [block for block in group if block.store.finished() is None]
                pending = _pending(open_blocks)
                advance(n_left - _n_tiles(group, pending))
                _compute(section, open_blocks, pending, advance=advance)


def _pending(group: list[_Block]) -> dict[int, list[_Block]]:
    """Batch to the blocks that lack it."""
    lacking: dict[int, list[_Block]] = {}
    for block in group:
        for batch in block.store.pending():
            lacking.setdefault(batch, []).append(block)
    return dict(sorted(lacking.items()))


def _n_tiles(group: list[_Block], batches: Iterable[int]) -> int:
    rows = [group[0].store.rows(batch) for batch in batches]
    return sum(r.stop - r.start for r in rows)


def _compute(
    section: Section, group: list[_Block], pending: dict[int, list[_Block]], *, advance: Callable[[int], None]
) -> None:
    def read(batch: int) -> np.ndarray:
        found, _padded = tiles.read_tiles(section.slide, section.grid, group[0].side_um, group[0].store.rows(batch))
        return found

    for batch, pixels in read_ahead(read, pending, ahead=_AHEAD):
        for block in pending[batch]:
            block.store.save_batch(batch, _features(block.encoder, pixels))
        advance(len(pixels))
    for block in group:
        block.store.merge()


def _features(encoder: Encoder, pixels: np.ndarray) -> np.ndarray:
    features = encoder.encode(pixels)
    if features.shape != (len(pixels), encoder.dim) or features.dtype != np.float32 or not np.isfinite(features).all():
        msg = (
            f"encoder {encoder.card.name!r} gave {features.dtype} of shape {features.shape}, or NaN or infinity, for "
            f"{len(pixels)} tiles; it must give finite float32 of shape {(len(pixels), encoder.dim)}. Repair it."
        )
        raise DataError(msg)
    return features


def _shared(table: AnnData) -> AnnData:
    """Make a table that can be written to and shares the other's arrays."""
    if table.is_view:
        return table.copy()
    slots: dict[str, Any] = {name: dict(getattr(table, name)) for name in ("obsm", "varm", "obsp", "varp", "layers")}
    raw = None if table.raw is None else table.raw.to_adata()
    shared = AnnData(X=table.X, obs=table.obs.copy(), var=table.var.copy(), uns=dict(table.uns), **slots)
    if raw is not None:
        shared.raw = raw
    return shared
