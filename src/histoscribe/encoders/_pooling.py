"""Token pooling by name: `[grid7]` keeps where in a tile something is, `[centre3]` looks at its middle alone.

`[class]`, `[mean]` and `[class+mean]` choose between the tokens of a vision transformer.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.errors import RegistryError
from histoscribe.encoders._encoder import Encoder

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pooled", "grid_side", "split_name", "split_names"]

_NAME = re.compile(
    r"(?P<base>[^\[\]]+)(?:\[(?:(?P<kind>grid|centre)(?P<k>[1-9][0-9]?)|(?P<tokens>class|mean|class\+mean))\])?"
)
#: A plus between encoders; one inside brackets belongs to the pooling.
_PLUS = re.compile(r"\+(?![^\[\]]*\])")


def split_names(name: str) -> list[str]:
    """Split a concatenation into its parts.

    Examples
    --------
    >>> split_names("uni[class+mean]+colour")
    ['uni[class+mean]', 'colour']
    """
    return _PLUS.split(name)


def split_name(name: str) -> tuple[str, str, int]:
    """Split ``"encoder[grid7]"`` into base, kind and k.

    The kind is ``""``, ``"grid"``, ``"centre"``, ``"class"``, ``"mean"`` or ``"class+mean"``; k is 1 but for the two
    that have one.

    Raises
    ------
    RegistryError
        If the brackets hold no known pooling.

    Examples
    --------
    >>> split_name("efficientnet-lite0[centre3]")
    ('efficientnet-lite0', 'centre', 3)
    """
    found = _NAME.fullmatch(name)
    if found is None:
        msg = (
            f"encoder {name!r} names no known pooling. Give name, name[gridK] (K x K tokens), name[centreK], "
            "name[mean], name[class] or name[class+mean]."
        )
        raise RegistryError(msg)
    return found["base"], found["kind"] or found["tokens"] or "", int(found["k"] or 1)


def grid_side(name: str) -> int:
    """Tokens along one side of a tile in the features of the encoder called `name`: K for ``[gridK]``, else 1."""
    _, kind, k = split_name(name)
    return k if kind == "grid" else 1


class Pooled(Encoder):
    """Another encoder's tokens, pooled otherwise than its card says.

    ``gridK``: the map averaged into K x K cells (bins as in adaptive average pooling), row by row from the top left,
    ``(b, K * K * d)``. ``centreK``: the mean of the central K x K cells, ``(b, d)``: the observation itself, where the
    tile is larger than it. ``mean``: the mean of the whole map, ``(b, d)``. ``class``: the class token, ``(b, d)``.
    ``class+mean``: one beside the other, ``(b, 2 d)``. Registers are in none of them.

    Parameters
    ----------
    base
        An encoder that has feature maps, or a class token.
    kind, k
        See above.
    """

    def __init__(self, base: Encoder, kind: str, k: int) -> None:
        super().__init__(threads=base.threads, device=base.device)
        self._base = base
        self._kind = kind
        self._pool: Callable[[np.ndarray], np.ndarray] = {"grid": _grid, "centre": _centre}.get(kind, _mean)(k)
        self.tile_px = base.tile_px
        self.dim = base.map_dim * {"grid": k * k, "class+mean": 2}.get(kind, 1)
        what = {
            "grid": f"as {k} x {k} tokens",
            "centre": f"in the central {k} x {k} cells",
            "mean": "the mean of its tokens",
            "class": "its class token",
            "class+mean": "its class token beside the mean of the others",
        }[kind]
        size = k if kind in ("grid", "centre") else ""
        self.card = replace(
            base.card, name=f"{base.card.name}[{kind}{size}]", summary=f"{base.card.summary.rstrip('.')}; {what}."
        )

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        """Encode ``(b, 3, tile_px, tile_px)`` uint8 tiles into ``(b, dim)`` float32."""
        if not len(tiles):
            return np.empty((0, self.dim), dtype=np.float32)
        if self._kind in ("class", "class+mean"):
            both = self._base.class_and_mean(tiles)  # (b, 2, d)
            found = both[:, 0] if self._kind == "class" else both.reshape(len(tiles), -1)
        else:
            found = self._pool(self._base.maps(tiles))
        return np.ascontiguousarray(found, dtype=np.float32)

    def fingerprint(self) -> str:
        """Name weights and code: those of the encoder itself; the pooling is in the name."""
        return self._base.fingerprint()

    def runtime(self) -> str:
        """Name library, version and device."""
        return self._base.runtime()


def _grid(k: int) -> Callable[[np.ndarray], np.ndarray]:
    def pool(maps: np.ndarray) -> np.ndarray:
        rows, columns = _bins(maps.shape[2], k), _bins(maps.shape[3], k)
        cells = [maps[:, :, r, c].mean(axis=(2, 3)) for r in rows for c in columns]
        return np.stack(cells, axis=1).reshape(len(maps), -1)  # (b, k * k, d) -> (b, k * k * d)

    return pool


def _centre(k: int) -> Callable[[np.ndarray], np.ndarray]:
    def pool(maps: np.ndarray) -> np.ndarray:
        (top, bottom), (left, right) = (_middle(size, k) for size in maps.shape[2:])
        return maps[:, :, top:bottom, left:right].mean(axis=(2, 3))

    return pool


def _mean(_k: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda maps: maps.mean(axis=(2, 3))


def _bins(size: int, k: int) -> list[slice]:
    return [slice(i * size // k, -(-(i + 1) * size // k)) for i in range(k)]


def _middle(size: int, k: int) -> tuple[int, int]:
    k = min(k, size)
    start = (size - k) // 2
    # An even map has no central cell: one more keeps the square centred on the observation.
    return start, start + k + (size - k) % 2
