"""The auto-encoder of HistoSPACE: what it is, how it is trained on tiles alone, and its frozen encoder in use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from histoscribe.core.files import atomic_path, cache_dir, digest
from histoscribe.encoders._encoder import default_threads
from histoscribe.train import train

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.core.pixels import PixelSource
    from histoscribe.train import Training

__all__ = ["AutoEncoder", "TileEncoder", "channel_gain", "encode_tiles", "pretrain"]

#: Tiles encoded at once, and the longer side of the thumbnail that the white level is read from, px.
_CHUNK, _THUMBNAIL_PX = 64, 1024
#: Share of the tiles that chooses the epoch of the auto-encoder.
_HELD = 0.1


class TileEncoder(nn.Sequential):
    """``(b, 3, h, w)`` pixels of 0-255 -> ``(b, c, h / 8, w / 8)``; three times convolution, norm, ReLU, pooling.

    Source: HistoSPACE (histospace-2024), released encoder: widths 32, 64, 128.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        layers: list[nn.Module] = []
        for n_in, n_out in zip((3, *widths), widths, strict=False):
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1), nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)]
        super().__init__(*layers)
        # A third quicker on a CPU than the default order.
        self.to(memory_format=torch.channels_last)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Encode; pixels are brought to -1..1 first."""
        return super().forward((pixels.float() / 127.5 - 1.0).contiguous(memory_format=torch.channels_last))


class AutoEncoder(nn.Module):
    """The encoder, and a decoder of three transposed convolutions that ends in a sigmoid."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.encoder = TileEncoder(widths)
        first, second, third = widths
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(third, second, 4, 2, 1),
            nn.BatchNorm2d(second),
            nn.ReLU(),
            nn.ConvTranspose2d(second, first, 4, 2, 1),
            nn.BatchNorm2d(first),
            nn.ReLU(),
            nn.ConvTranspose2d(first, 3, 4, 2, 1),
            nn.Sigmoid(),
        )

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Reconstruct ``(b, 3, h, w)`` pixels, 0-1."""
        return self.decoder(self.encoder(pixels))


def channel_gain(slide: PixelSource) -> np.ndarray:
    """Return ``(3,)`` float32 factors that take each channel's 99th percentile over the slide to 255; kept on disk."""
    path = cache_dir() / "white" / f"{slide.digest()[:16]}-{_THUMBNAIL_PX}.npy"
    if not path.is_file():
        image = slide.thumbnail(max_px=_THUMBNAIL_PX).reshape(-1, 3)
        gain = 255.0 / np.maximum(np.percentile(image, 99, axis=0), 1.0)
        with atomic_path(path) as temporary, temporary.open("wb") as file:
            np.save(file, gain.astype(np.float32))
    return np.load(path)


def pretrain(
    tiles: Sequence[np.ndarray],
    widths: Sequence[int],
    options: Training,
    *,
    max_tiles: int = 0,
    released_range: bool = False,
    rng: np.random.Generator,
) -> AutoEncoder:
    """Train an auto-encoder to give tiles back.

    A tenth of the tiles chooses the epoch. No expression is seen.

    Parameters
    ----------
    tiles
        ``(n, 3, h, w)`` uint8 of each section.
    widths
        Channels after each stage of the encoder.
    max_tiles
        Draw at most this many; 0 takes all.
    released_range
        Compare the output, 0-1, with the input as the released code normalises it, -1..1: the dark half cannot be
        reached. Otherwise with the input at 0-1.
    rng
        Draws tiles, weights and order.
    """
    place = np.concatenate([np.stack([np.full(len(t), i), np.arange(len(t))], 1) for i, t in enumerate(tiles)])
    place = rng.permutation(place)[: max_tiles or None]
    n_held = max(1, round(_HELD * len(place)))
    held, used, seed = place[:n_held], place[n_held:] if len(place) > 1 else place, int(rng.integers(2**31))
    device = options.place()

    def error(network: nn.Module, chosen: np.ndarray) -> torch.Tensor:
        pixels = torch.from_numpy(np.stack([tiles[i][j] for i, j in chosen])).to(device)
        wanted = pixels.float() / 127.5 - 1.0 if released_range else pixels.float() / 255.0
        return ((network(pixels) - wanted) ** 2).mean()

    def batches(epoch: int) -> list[np.ndarray]:
        shuffled = np.random.default_rng([seed, epoch]).permutation(used)
        return [shuffled[i : i + options.batch] for i in range(0, len(shuffled), options.batch)]

    def score() -> float:
        parts = [held[i : i + _CHUNK] for i in range(0, len(held), _CHUNK)]
        return -sum(float(error(network, part)) * len(part) for part in parts) / len(held)

    threads = torch.get_num_threads()
    torch.set_num_threads(default_threads())
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = AutoEncoder(widths).to(device)
            what = [repr((tuple(widths), released_range, seed, options.to_dict())), place.tobytes()]
            name = digest("histospace-encoder", *what, *(np.stack([t[0], t[-1]]).tobytes() for t in tiles if len(t)))
            train(
                network,
                batches,
                lambda chosen: (error(network, chosen), len(chosen)),
                options,
                score=score,
                seed=seed,
                checkpoint=cache_dir() / "training" / f"{name}.pt",
                label="train the auto-encoder",
            )
    finally:
        torch.set_num_threads(threads)
    return network


def encode_tiles(
    tiles: np.ndarray, state: Mapping[str, np.ndarray], widths: Sequence[int], *, device: torch.device
) -> np.ndarray:
    """Encode ``(n, 3, h, w)`` uint8 tiles to ``(n, c, h / 8, w / 8)`` float16 with the frozen encoder."""
    encoder = load_encoder(state, widths).to(device).eval()
    shape = (len(tiles), widths[-1], *(side // 8 for side in tiles.shape[2:]))
    out = np.empty(shape, dtype=np.float16)
    threads = torch.get_num_threads()
    torch.set_num_threads(default_threads())
    try:
        with torch.no_grad():
            for start in range(0, len(tiles), _CHUNK):
                pixels = torch.from_numpy(np.array(tiles[start : start + _CHUNK])).to(device)
                out[start : start + _CHUNK] = encoder(pixels).half().cpu().numpy()
    finally:
        torch.set_num_threads(threads)
    return out


def load_encoder(state: Mapping[str, np.ndarray], widths: Sequence[int]) -> TileEncoder:
    """Make the encoder that `pretrain` returned the arrays of; its parameters are not trained further."""
    encoder = TileEncoder(widths)
    encoder.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    return encoder.requires_grad_(requires_grad=False)
