"""The contract of an encoder: pixels in, features out, and the facts that make its output reproducible."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.core.errors import RegistryError
from histoscribe.core.processes import free_cores

if TYPE_CHECKING:
    from histoscribe.core.card import Card

__all__ = ["Device", "Encoder", "default_threads"]

Device = Literal["auto", "cpu", "cuda"]


class Encoder(ABC):
    """Turns tiles into features.

    Attributes
    ----------
    card
        Facts; `card.name` is the registry name.
    dim
        Number of features.
    tile_px
        Side of the tiles it expects, px.
    takes_weights
        Whether making one takes ``weights=``, because the package does not hold them.

    Parameters
    ----------
    threads
        Threads of the computation; default `default_threads`. They change at most the last bits of the result.
    device
        ``"cpu"``, ``"cuda"``, or ``"auto"``: CUDA where the encoder can use it and there is one.
    """

    card: Card
    dim: int
    tile_px: int = 224
    takes_weights: bool = False

    def __init__(self, *, threads: int | None = None, device: Device = "auto") -> None:
        self.threads = threads or default_threads()
        self.device = device

    @abstractmethod
    def encode(self, tiles: np.ndarray) -> np.ndarray:
        """Encode ``(b, 3, tile_px, tile_px)`` uint8 RGB tiles into ``(b, dim)`` float32.

        The encoder's own transform (scaling, normalisation) happens inside. A tile's features do not depend on the
        other tiles of its batch; where a library sums in another order for another batch, the last bits may.
        """

    def maps(self, tiles: np.ndarray) -> np.ndarray:
        """Encode tiles into ``(b, map_dim, h, w)`` float32 maps, for ``[gridK]``, ``[centreK]`` and ``[mean]``.

        Raises
        ------
        RegistryError
            If this encoder has none.
        """
        msg = (
            f"encoder {self.card.name!r} gives one vector for a tile and no feature map, so it cannot be pooled "
            "otherwise. Use it without brackets."
        )
        raise RegistryError(msg)

    @property
    def map_dim(self) -> int:
        """Length of a feature map's cell."""
        return self.dim

    def class_and_mean(self, tiles: np.ndarray) -> np.ndarray:
        """Encode tiles into ``(b, 2, map_dim)`` float32: class token and mean of the map, for ``[class]`` and both.

        Raises
        ------
        RegistryError
            If this encoder has none.
        """
        msg = f"encoder {self.card.name!r} has no class token, so [class] and [class+mean] cannot be. Use [mean]."
        raise RegistryError(msg)

    @abstractmethod
    def fingerprint(self) -> str:
        """Name weights, code version and whatever else changes the output; part of the cache key and of bundles."""

    def runtime(self) -> str:
        """Name the library and device that compute: they change the last bits but not the meaning.

        Part of the cache key, and not of bundles: a model fitted on one machine serves on another.
        """
        return f"numpy-{np.__version__}"

    @property
    def parts(self) -> tuple[Encoder, ...]:
        """The encoders whose outputs stand side by side; only a concatenation has more than one."""
        return (self,)


def default_threads() -> int:
    """`OMP_NUM_THREADS` where it is set, else the cores this process may use, at most 8."""
    named = os.environ.get("OMP_NUM_THREADS", "")
    if named.isdigit() and int(named) > 0:
        return int(named)
    # Tiles go through the network a few at a time: more threads than this have too little to share.
    return min(8, free_cores())
