"""Views: what a network sees of a section, as arrays whose first axis is the observation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError
from histoscribe.core.features import Features
from histoscribe.core.files import atomic_path, cache_dir, digest
from histoscribe.core.grid import TileGrid
from histoscribe.encoders import encode_surround, grid_side, split_name, split_names
from histoscribe.tiles import read_tiles

if TYPE_CHECKING:
    from histoscribe.core.features import FeatureSpec
    from histoscribe.core.section import Section

__all__ = [
    "features",
    "lattice",
    "neighbourhood",
    "pixels",
    "positions",
    "scale_tokens",
    "surround",
    "tile_and_place",
    "tokens",
]

#: Tiles read and written at a time.
_CHUNK = 64


def features(section: Section, spec: FeatureSpec) -> np.ndarray:
    """Return the ``(n, d)`` float32 features, one vector an observation: tokens are averaged."""
    matrix = Features.of(section.table, spec.encoder, name=section.name).matrix
    parts = []
    for name, (start, stop) in spec.blocks.items():
        k = grid_side(_part(name))
        parts.append(matrix[:, start:stop].reshape(len(matrix), k * k, (stop - start) // (k * k)).mean(1))
    return np.concatenate(parts, axis=1)


def scale_tokens(section: Section, spec: FeatureSpec) -> list[np.ndarray]:
    """Return one ``(n, k * k, d)`` array of tokens per tile side, smallest side first; parts are joined by channel.

    Raises
    ------
    DataError
        If the parts of the encoder have different grids.
    """
    matrix = Features.of(section.table, spec.encoder, name=section.name).matrix
    by_side: dict[float, list[np.ndarray]] = {}
    for name, (start, stop) in spec.blocks.items():
        k = grid_side(_part(name))
        side = float(name.rpartition("@")[2].removesuffix("um"))
        by_side.setdefault(side, []).append(matrix[:, start:stop].reshape(len(matrix), k * k, -1))
    lengths = {part.shape[1] for parts in by_side.values() for part in parts}
    if len(lengths) > 1:
        msg = (
            f"the parts of encoder {spec.encoder!r} have {sorted(lengths)} tokens a tile, so they cannot be joined. "
            "Give every part the same [gridK]."
        )
        raise DataError(msg)
    return [np.concatenate(by_side[side], axis=2) for side in sorted(by_side)]


def tokens(section: Section, spec: FeatureSpec) -> np.ndarray:
    """Return the ``(n, k * k, d)`` tokens of the smallest tile; one token where the encoder has no grid."""
    return scale_tokens(section, spec)[0]


def surround(section: Section, spec: FeatureSpec, *, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return ``(n, k * k, d)`` features of the tiles around, and which of them lie inside the slide.

    The encoder is the section's own, without its token pooling; tiles have the smallest side.
    """
    base = "+".join(split_name(part)[0] for part in split_names(spec.encoder))
    found = encode_surround(section, base, k=k)
    return found.features, found.inside


def tile_and_place(
    section: Section, spec: FeatureSpec, *, pixels_um: float | None, tile_px: int
) -> dict[str, np.ndarray]:
    """Return ``places`` on the array and ``features``, or, where a tile side in um is given, its ``pixels``."""
    places = {"places": lattice(section)}
    if pixels_um is None:
        return {"features": features(section, spec)} | places
    return {"pixels": pixels(section, side_um=pixels_um, tile_px=tile_px)} | places


def neighbourhood(section: Section, spec: FeatureSpec, *, k: int) -> dict[str, np.ndarray]:
    """Return what TRIPLEX sees beyond the tile: surroundings, every observation's features, and the lattice."""
    around, inside = surround(section, spec, k=k)
    return {"around": around, "inside": inside, "features": features(section, spec), "lattice": lattice(section)}


def lattice(section: Section) -> np.ndarray:
    """Return ``(n, 2)`` int64 row and column of each observation on its array, no place twice.

    Array coordinates where there are any (on a hexagonal array, whose rows are shifted by half a step, every second
    column number is empty and is closed up); otherwise positions in units of the pitch.

    Raises
    ------
    CoordinateError
        If two observations share a place, or there are neither array coordinates nor a pitch.
    """
    obs = section.table.obs
    if {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(obs):
        places = obs[[keys.ARRAY_ROW, keys.ARRAY_COL]].to_numpy().astype(np.int64)
        parity = (places.sum(1) % 2).astype(bool)
        if section.spot_um is not None and len(places) > 1 and (parity.all() or not parity.any()):
            places[:, 1] //= 2
    elif section.pitch_um:
        places = np.rint(section.xy_um[:, ::-1] / section.pitch_um).astype(np.int64)
    else:
        msg = (
            f"section {section.name!r} has neither array coordinates (obs['{keys.ARRAY_ROW}'], "
            f"obs['{keys.ARRAY_COL}']) nor a pitch, so no observation has neighbours. Give pitch_um."
        )
        raise CoordinateError(msg)
    unique, first, count = np.unique(places, axis=0, return_index=True, return_counts=True)
    if len(unique) < len(places):
        twice = first[count > 1][0]
        row, column = places[twice]
        msg = (
            f"section {section.name!r} has {len(places) - len(unique)} observations at places that are taken "
            f"(first: {obs.index[twice]} at row {row}, column {column}). Remove or merge the duplicates."
        )
        raise CoordinateError(msg)
    return places


def positions(section: Section) -> np.ndarray:
    """Return ``(n, 2)`` float64 x and y of each observation's place on its array, in units of the pitch.

    The array's own axes are fitted to the positions in um, so that square, hexagonal and turned arrays all have their
    true distances, without the jitter of printed spots. Without array coordinates they are the positions themselves.

    Raises
    ------
    CoordinateError
        As `lattice`.
    """
    lattice(section)  # refuses places that are taken twice
    xy, obs = section.xy_um, section.table.obs
    if {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(obs):
        places = obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].to_numpy(dtype=np.float64)
        centred = places - places.mean(0)
        xy = centred @ np.linalg.lstsq(centred, xy - xy.mean(0), rcond=None)[0]
    pitch = section.pitch_um
    if pitch is None:
        pitch = float(cKDTree(xy).query(xy, k=2)[0][:, 1].min()) if len(xy) > 1 else 1.0
    return xy / pitch


def pixels(section: Section, *, side_um: float, tile_px: int, read_mpp: float | None = None) -> np.ndarray:
    """Return ``(n, 3, tile_px, tile_px)`` uint8 tiles, read once and then mapped from the cache's disk.

    Parameters
    ----------
    side_um, tile_px
        Side of a tile.
    read_mpp
        Finest detail read, um/px; default that of the section's tiles, or, where it has none, what the slide and
        `tile_px` allow.

    Raises
    ------
    DataError
        If the section has no slide.
    """
    grid, slide = section.grid, section.slide
    if slide is None:
        msg = f"section {section.name!r} has no slide, but this method reads pixels. Read it with its image."
        raise DataError(msg)
    finest = max(section.mpp, side_um / tile_px) if grid is None else grid.read_mpp
    grid = TileGrid(section.xy, (side_um,), tile_px, section.mpp, read_mpp or finest)
    reader = f"{type(slide).__module__}.{type(slide).__qualname__}"
    path = cache_dir() / "tiles" / f"{digest(slide.digest(), reader, grid.digest())}.npy"
    if not path.is_file():
        with atomic_path(path) as temporary:
            shape = (len(grid), 3, tile_px, tile_px)
            out = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint8, shape=shape)
            for start in range(0, len(grid), _CHUNK):
                out[start : start + _CHUNK] = read_tiles(slide, grid, side_um, slice(start, start + _CHUNK))[0]
            out.flush()
            del out
    return np.load(path, mmap_mode="r")


def _part(block: str) -> str:
    return block.rpartition("@")[0]
