"""Several encoders side by side: `a+b`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.card import Card
from histoscribe.core.errors import DataError
from histoscribe.core.files import digest
from histoscribe.encoders._encoder import Encoder

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Concatenation"]


class Concatenation(Encoder):
    """The features of `parts` in order, one block of columns each.

    Raises
    ------
    DataError
        If the parts expect tiles of different sizes.
    """

    def __init__(self, parts: Sequence[Encoder]) -> None:
        super().__init__(threads=parts[0].threads, device=parts[0].device)
        sizes = {part.card.name: part.tile_px for part in parts}
        if len(set(sizes.values())) > 1:
            listed = ", ".join(f"{name} {px} px" for name, px in sizes.items())
            msg = f"encoders that stand side by side must see the same tiles, but expect: {listed}. Encode twice."
            raise DataError(msg)
        self._parts = tuple(parts)
        cards = [part.card for part in parts]
        self.card = Card(
            name="+".join(card.name for card in cards),
            summary=f"{' and '.join(card.name for card in cards)} side by side.",
            paper=next((card.paper for card in cards if card.paper), ""),
            licence=" AND ".join(dict.fromkeys(card.licence for card in cards)),
            control=all(card.control for card in cards),
            gated=any(card.gated for card in cards),
            commercial_use=all(card.commercial_use for card in cards),
            needs=tuple(dict.fromkeys(need for card in cards for need in card.needs)),
            trained_on=tuple(dict.fromkeys(data for card in cards for data in card.trained_on)),
            deviations=tuple(text for card in cards for text in card.deviations),
        )
        self.dim = sum(part.dim for part in parts)
        self.tile_px = parts[0].tile_px

    @property
    def parts(self) -> tuple[Encoder, ...]:
        """The encoders that stand side by side."""
        return self._parts

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        """Encode ``(b, 3, tile_px, tile_px)`` uint8 tiles into ``(b, dim)`` float32."""
        return np.hstack([part.encode(tiles) for part in self._parts])

    def fingerprint(self) -> str:
        """Name weights and code."""
        return digest(*(part.fingerprint() for part in self._parts))

    def runtime(self) -> str:
        """Name library, version and device."""
        return "+".join(part.runtime() for part in self._parts)
