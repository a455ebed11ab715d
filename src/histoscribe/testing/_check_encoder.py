"""Contract of encoders: what the feature cache and bundles rely on, checked on rendered tiles."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

from histoscribe.encoders import ENCODERS, Encoder, make_encoder
from histoscribe.testing._promises import check_card, keep_all, promise
from histoscribe.testing._sections import make_section
from histoscribe.testing._small_model import stand_in

__all__ = ["ENCODER_CHECKS", "check_encoder"]


def check_encoder(encoder: str | type[Encoder]) -> None:
    """Check every promise of an encoder.

    A foundation model that is given by name is checked on a small random network of its architecture, so that the
    checks need no weights.

    Parameters
    ----------
    encoder
        Registry name (``+`` concatenates), or an `Encoder` class.

    Raises
    ------
    ContractError
        Naming each broken promise; `ENCODER_CHECKS` lists them.
    """
    name = encoder if isinstance(encoder, str) else encoder.__name__
    keep_all(f"encoder {name!r}", ENCODER_CHECKS, encoder)


def _make(encoder: str | type[Encoder], *, threads: int = 1) -> Encoder:
    if encoder in ENCODERS:
        return stand_in(encoder, threads=threads)
    if isinstance(encoder, str):
        return make_encoder(encoder, threads=threads, device="cpu")
    return encoder(threads=threads, device="cpu")


@cache
def _tiles(tile_px: int) -> np.ndarray:
    """``(7, 3, tile_px, tile_px)`` uint8: five places of a rendered section, noise, and white glass."""
    section = make_section(seed=5, size_um=600.0)
    tiles = []
    for x, y in section.xy[np.linspace(0, section.n_obs - 1, 5).astype(int)]:
        side = 112.0 / section.mpp
        region = section.slide.region(x - side / 2, y - side / 2, width=side, height=side, out=(tile_px, tile_px))
        tiles.append(region.pixels)
    tiles.append(np.random.default_rng(1).integers(0, 256, (tile_px, tile_px, 3), dtype=np.uint8))
    tiles.append(np.full((tile_px, tile_px, 3), 245, dtype=np.uint8))
    found = np.stack(tiles).transpose(0, 3, 1, 2).copy()
    found.flags.writeable = False
    return found


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    # Libraries may choose another order of summation for another batch or thread count: the last bits, no more.
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=1e-4 * max(1.0, float(np.abs(a).max()))))


def _card(encoder: str | type[Encoder]) -> None:
    made = _make(encoder)
    for part in made.parts:
        single = isinstance(encoder, str) and len(made.parts) == 1
        check_card(part.card, name=encoder if single else None)


def _output(encoder: str | type[Encoder]) -> None:
    made = _make(encoder)
    tiles = _tiles(made.tile_px)
    features = made.encode(tiles)
    promise(features.shape == (len(tiles), made.dim), f"{len(tiles)} tiles give {features.shape}, dim is {made.dim}")
    promise(features.dtype == np.float32, f"features are {features.dtype}, not float32")
    promise(np.isfinite(features).all(), "features hold NaN or infinity")
    none = made.encode(tiles[:0])
    promise(none.shape == (0, made.dim) and none.dtype == np.float32, f"no tile gives {none.dtype} of {none.shape}")


def _independent_of_batch(encoder: str | type[Encoder]) -> None:
    made = _make(encoder)
    tiles = _tiles(made.tile_px)
    together = made.encode(tiles)
    alone = np.concatenate([made.encode(tile[None]) for tile in tiles])
    promise(_close(together, alone), "a tile's features depend on the other tiles of its batch")
    backwards = made.encode(np.ascontiguousarray(tiles[::-1]))[::-1]
    promise(_close(together, backwards), "features do not follow the order of the tiles")


def _deterministic(encoder: str | type[Encoder]) -> None:
    made = _make(encoder)
    tiles = _tiles(made.tile_px)
    first = made.encode(tiles)
    promise(np.array_equal(first, made.encode(tiles)), "the same batch twice gives other bits")
    promise(np.array_equal(first, _make(encoder).encode(tiles)), "a second instance gives other bits")
    promise(_close(first, _make(encoder, threads=2).encode(tiles)), "the number of threads changes the features")


def _sees_the_image(encoder: str | type[Encoder]) -> None:
    made = _make(encoder)
    features = made.encode(_tiles(made.tile_px))
    scale = max(float(np.abs(features).max()), 1e-9)
    gaps = np.abs(features[:, None] - features[None]).max(-1)[~np.eye(len(features), dtype=bool)]
    promise(gaps.min() > 1e-5 * scale, "two different images have the same features")


def _sees_colour(encoder: str | type[Encoder]) -> None:
    made = _make(encoder)
    tiles = _tiles(made.tile_px)[:2]
    swapped = made.encode(np.ascontiguousarray(tiles[:, ::-1]))
    promise(not _close(made.encode(tiles), swapped), "red and blue can be exchanged: the channels are not told apart")


def _leaves_tiles_alone(encoder: str | type[Encoder]) -> None:
    made = _make(encoder)
    tiles = _tiles(made.tile_px).copy()
    made.encode(tiles)
    promise(np.array_equal(tiles, _tiles(made.tile_px)), "encode changes the tiles it is given")
    strided = np.stack([np.asarray(Image.fromarray(t.transpose(1, 2, 0))) for t in tiles]).transpose(0, 3, 1, 2)
    promise(_close(made.encode(tiles), made.encode(strided)), "tiles that are not contiguous in memory differ")


def _fingerprint(encoder: str | type[Encoder]) -> None:
    made = _make(encoder)
    own = made.fingerprint()
    promise(isinstance(own, str) and own, "fingerprint() is empty")
    promise(own == _make(encoder, threads=2).fingerprint(), "fingerprint() differs between instances or threads")
    for other in ENCODERS:
        if other != made.card.name and getattr(ENCODERS.get(other).card, "loads", True):
            promise(own != stand_in(other).fingerprint(), f"fingerprint() is {other!r}'s")
    promise(made.runtime(), "runtime() is empty")


def _parts(encoder: str | type[Encoder]) -> None:
    made = _make(encoder)
    tiles = _tiles(made.tile_px)[:2]
    promise(sum(part.dim for part in made.parts) == made.dim, "dim is not the sum of the parts' dims")
    side_by_side = np.concatenate([part.encode(tiles) for part in made.parts], axis=1)
    promise(_close(made.encode(tiles), side_by_side), "the parts side by side are not the whole")


#: Promise to its check; each takes a registry name or a class and raises `ContractError`.
ENCODER_CHECKS = {
    "its card is complete": _card,
    "its output has the promised shape and type": _output,
    "a tile does not depend on its batch": _independent_of_batch,
    "it is deterministic": _deterministic,
    "it sees the image": _sees_the_image,
    "it tells colours apart": _sees_colour,
    "it leaves the tiles alone": _leaves_tiles_alone,
    "its fingerprint names it alone": _fingerprint,
    "its parts make it up": _parts,
}
