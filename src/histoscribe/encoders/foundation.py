"""Foundation models as encoders: one class, and a card for each in `foundation.toml`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import numpy as np

from histoscribe.core.errors import HistoScribeError, RegistryError
from histoscribe.core.files import digest
from histoscribe.encoders._encoder import Encoder
from histoscribe.encoders._model_card import EncoderCard, model_cards
from histoscribe.encoders._networks import Network, build
from histoscribe.encoders._weights import Weights, find_weights, refuse_unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import torch

    from histoscribe.encoders._encoder import Device
    from histoscribe.encoders._networks import Tokens

__all__ = ["FoundationEncoder"]

#: Raised whenever the same weights would give other features.
_CODE_VERSION = "1"


class FoundationEncoder(Encoder):
    """A pretrained network of timm or transformers, frozen.

    Making one finds the weights and names them by content; the network is built at the first tile. On a CPU it computes
    in float32, one tile at a time (as quick as a batch there), so that the bits do not depend on the batch. On a GPU it
    computes whole batches in the card's precision, where another batch size may change the last bits.

    Parameters
    ----------
    threads, device
        As for every encoder; another number of threads may change the last bits.
    weights
        Where the weights are; default as in `find_weights`.

    Raises
    ------
    WeightsError
        If the weights are not here, are not those of the card, or may not be used.
    """

    card: EncoderCard
    takes_weights = True

    def __init__(
        self, *, threads: int | None = None, device: Device = "auto", weights: Path | str | None = None
    ) -> None:
        super().__init__(threads=threads, device=device)
        refuse_unusable(self.card)
        self.weights: Weights | None = find_weights(self.card, weights)
        self._network: Network | None = None

    @classmethod
    def untrained(cls, *, threads: int | None = None, device: Device = "auto") -> FoundationEncoder:
        """Make the network with random weights, to time it; it is no encoder of anything."""
        made = cls.__new__(cls)
        Encoder.__init__(made, threads=threads, device=device)
        made.weights, made._network = None, None
        made.card = replace(cls.card, name=f"{cls.card.name}.untrained", control=True)
        return made

    @property
    def map_dim(self) -> int:
        """Length of one token."""
        return self.card.width

    def encode(self, tiles: np.ndarray) -> np.ndarray:
        """Encode ``(b, 3, tile_px, tile_px)`` uint8 tiles into ``(b, dim)`` float32, pooled as the card says."""
        return self._run(tiles, lambda found: pooled(*found, self.card.pooling), (self.dim,))

    def maps(self, tiles: np.ndarray) -> np.ndarray:
        """Encode tiles into the ``(b, width, h, w)`` float32 map of their own tokens."""
        return self._run(tiles, lambda found: found[1], (self.map_dim, 0, 0))

    def class_and_mean(self, tiles: np.ndarray) -> np.ndarray:
        """Encode tiles into ``(b, 2, width)`` float32: class token, and mean of the image's own tokens."""
        if not self.card.prefix_tokens:
            return super().class_and_mean(tiles)
        both = self._run(tiles, lambda found: pooled(*found, "class+mean"), (2 * self.map_dim,))
        return both.reshape(len(tiles), 2, -1)

    def fingerprint(self) -> str:
        """Name weights, description, card and code by their content."""
        if self.weights is None:
            return digest("untrained", self.card.name)
        card, config = self.card, self.weights.config
        network = (card.family, card.arch, sorted(card.args.items()), card.layout, card.stage, card.prefix_tokens)
        pixels = (card.tile_px, card.mean, card.std, card.pooling)
        described = b"" if config is None else config.read_bytes()
        return digest(self.weights.sha256, described, repr(network), repr(pixels), _CODE_VERSION)

    def runtime(self) -> str:
        """Name libraries, versions, device and precision."""
        names = dict.fromkeys((self.card.family, "torch"))
        place = self._place()
        precision = self.card.precision if place == "cuda" else "float32"
        return "-".join([*(f"{name}-{version(name)}" for name in names), place, precision])

    def _run(self, tiles: np.ndarray, take: Callable[[Tokens], torch.Tensor], empty: tuple[int, ...]) -> np.ndarray:
        import torch

        if not len(tiles):
            return np.empty((0, *empty), dtype=np.float32)
        network, place = self._built(), self._place()
        mean, std = (torch.tensor(v, device=place).view(1, 3, 1, 1) for v in (self.card.mean, self.card.std))
        size = len(tiles) if place == "cuda" else 1
        found = []
        with torch.inference_mode(), _threads(self.threads), _precision(self.card, place):
            for start in range(0, len(tiles), size):
                pixels = torch.from_numpy(np.array(tiles[start : start + size], order="C")).to(place)
                scaled = (pixels.to(torch.float32) / 255.0 - mean) / std
                found.append(take(network.tokens(scaled)).to("cpu", torch.float32).numpy())
        return np.ascontiguousarray(np.concatenate(found))

    def _built(self) -> Network:
        if self._network is None:
            self._network = build(self.card, self.weights)
            self._network.module.to(self._place())
        return self._network

    def _place(self) -> Literal["cpu", "cuda"]:
        import torch

        if self.device == "cpu" or not torch.cuda.is_available():
            if self.device == "cuda":
                msg = f"device 'cuda' was asked for, but PyTorch {torch.__version__} finds no GPU. Use device='cpu'."
                raise HistoScribeError(msg)
            return "cpu"
        return "cuda"


def pooled(token: torch.Tensor | None, maps: torch.Tensor, pooling: str) -> torch.Tensor:
    """Pool ``(b, d)`` class tokens and ``(b, d, h, w)`` maps into ``(b, d)`` or ``(b, 2 d)``."""
    import torch

    if pooling == "mean":
        return maps.mean(dim=(2, 3))
    assert token is not None
    return token if pooling == "class" else torch.cat([token, maps.mean(dim=(2, 3))], dim=1)


@contextmanager
def _threads(n: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _precision(card: EncoderCard, place: str) -> torch.autocast:
    import torch

    half = place == "cuda" and card.precision != "float32"
    return torch.autocast(place, dtype=getattr(torch, card.precision) if half else torch.bfloat16, enabled=half)


def __getattr__(name: str) -> type[FoundationEncoder]:
    """Make the class of the card called `name`: the registry asks for it as for any other."""
    cards = model_cards()
    if name.startswith("__") or name not in cards:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    globals()[name] = encoder_class(cards[name])
    return globals()[name]


def encoder_class(card: EncoderCard) -> type[FoundationEncoder]:
    """Make the encoder class of a card."""
    if card.pooling != "mean" and card.loads and not card.prefix_tokens:
        msg = f"the card of {card.name!r} pools a class token, but its network has none. Correct foundation.toml."
        raise RegistryError(msg)
    facts = {"card": card, "dim": card.dim, "tile_px": card.tile_px, "__module__": __name__, "__doc__": card.summary}
    return type(card.name, (FoundationEncoder,), facts)
