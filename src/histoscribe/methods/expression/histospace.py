"""HistoSPACE: an auto-encoder learns what tiles look like, and a small network on its frozen encoder predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from histoscribe.core.card import Card
from histoscribe.core.errors import BundleError, DataError, RegistryError
from histoscribe.core.features import Features
from histoscribe.core.grid import TileGrid
from histoscribe.encoders import encode
from histoscribe.methods import _views
from histoscribe.methods._histospace_encoder import channel_gain, encode_tiles, load_encoder, pretrain
from histoscribe.methods._network import NetworkPredictor, Part
from histoscribe.train import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from histoscribe.core.section import Section
    from histoscribe.methods._batches import Unit
    from histoscribe.methods._expression import TrainingSection

__all__ = ["HistoSpace"]

#: Side of the tiles of a registered encoder, px, and of the auto-encoder's own as published.
_ENCODER_PX, _PUBLISHED_PX = 224, 128


def _log_cosh(error: torch.Tensor) -> torch.Tensor:
    # log(cosh(e)) without overflow: |e| + log(1 + exp(-2|e|)) - log 2.
    size = error.abs()
    return (size + functional.softplus(-2.0 * size) - float(np.log(2.0))).mean()


#: Loss name to a function of the ``(b, g)`` errors.
_LOSSES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mse": lambda e: (e**2).mean(),
    "rmse": lambda e: (e**2).mean().clamp_min(1e-12).sqrt(),
    "huber": lambda e: functional.huber_loss(e, torch.zeros_like(e), delta=1.0),
    "log-cosh": _log_cosh,
    "distance": lambda e: e.norm(dim=1).mean(),
}


class HistoSpace(NetworkPredictor):
    """A convolution and two linear layers on the frozen encoder of an auto-encoder trained on the tiles.

    It needs no features of another network: it cuts its own tiles from the slide, and trains the auto-encoder on those
    of the training sections, without expression. Source: Kumar and Chatterjee 2024 (histospace-2024).

    Parameters
    ----------
    encoder
        Registered encoder in place of the auto-encoder (``"efficientnet-lite0[grid7]"``); None trains the latter.
    side_um
        Side of a tile, um; None cuts `tile_px` native px, another size on each scanner, as released.
    tile_px
        Side of a tile given to the auto-encoder, px; a multiple of 8.
    widths
        Channels after each of the auto-encoder's three stages.
    n_hidden
        Width between the two linear layers.
    activation
        Put a ReLU between the two linear layers; without it, as published, they are one map of rank `n_hidden`.
    objective
        Loss: ``"mse"``, ``"rmse"``, ``"huber"`` (delta 1), ``"log-cosh"``, or ``"distance"`` (mean Euclidean distance).
    scale_channels
        Scale each channel of a slide so that its 99th percentile is 255, as published.
    moving_statistics
        Let the running statistics of the frozen encoder's norms move with the batches, as in the released code.
    released_range
        Train the auto-encoder, whose output is 0-1, against tiles at -1..1, as in the released code.
    max_tiles
        Draw at most this many tiles for the auto-encoder; 0 takes all.
    pretraining
        Options of the auto-encoder's training that differ from the published ones.
    training
        Options of the predictor's training that differ from the published ones.
    """

    card: ClassVar[Card] = Card(
        name="histospace",
        summary="A small network on the frozen encoder of an auto-encoder, itself trained on the sections' own tiles.",
        paper="histospace-2024",
        deviations=(
            "The auto-encoder is trained on the tiles of the training sections (all of them, without expression), not "
            "on the BACH images.",
            "No luminosity standardisation and no Vahadane normalisation: the template is not published. Each channel "
            "is scaled to its 99th percentile as published.",
            "Tiles are 88 um wide (128 px on the ST arrays' scanner) on every slide; side_um=None cuts 128 native px.",
            "The norms of the frozen encoder keep their statistics; moving_statistics=True is the released behaviour.",
            "The auto-encoder is compared with tiles at 0-1, which its sigmoid can reach; released_range=True: -1..1.",
            "The epoch is chosen by the error on a held-out training group, not on the left-out patient; the target is "
            "that of the benchmark.",
            "The last layer starts at the training mean.",
            "Preset 'laptop': tiles of 154 um at 48 px, half the widths, an auto-encoder of 256 tiles and 6 epochs at "
            "a higher learning rate; what the encoder gives is flipped and turned in training, which stands for turned "
            "tiles only about.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "published": {},
        "released": {"side_um": None, "moving_statistics": True, "released_range": True},
        "laptop": {
            "side_um": 154.0,
            "tile_px": 48,
            "widths": [16, 32, 64],
            "max_tiles": 256,
            "pretraining": {"epochs": 6, "batch": 16, "lr": 2e-3},
            "training": {
                "optimiser": "adamw",
                "lr": 3e-4,
                "weight_decay": 1e-2,
                "epochs": 24,
                "patience": 6,
                "monitor": "pcc_gene",
                "augment": True,
                "refit": True,
            },
        },
        "tiny": {
            "side_um": 112.0,
            "tile_px": 32,
            "widths": [8, 16, 16],
            "n_hidden": 32,
            "max_tiles": 64,
            "pretraining": {"epochs": 4, "batch": 8, "lr": 5e-3},
            "training": {"lr": 3e-3, "epochs": 8, "batch": 32, "patience": 4},
        },
    }
    uses_features: ClassVar[bool] = False
    uses_pixels: ClassVar[bool] = True
    kinds: ClassVar[Mapping[str, Any]] = {"codes": "pixels", "pixels": "pixels", "tokens": "tokens"}
    scaled: ClassVar[tuple[str, ...]] = ("tokens",)
    defaults: ClassVar[Training] = Training(
        epochs=50, batch=32, lr=1e-4, patience=50, monitor="mse", mixed=True, augment=False
    )
    pretraining_defaults: ClassVar[Training] = Training(epochs=150, batch=256, lr=1e-5, patience=150, augment=False)

    def __init__(
        self,
        *,
        encoder: str | None = None,
        side_um: float | None = 88.0,
        tile_px: int = _PUBLISHED_PX,
        widths: Sequence[int] = (32, 64, 128),
        n_hidden: int = 256,
        activation: bool = False,
        objective: str = "mse",
        scale_channels: bool = True,
        moving_statistics: bool = False,
        released_range: bool = False,
        max_tiles: int = 0,
        pretraining: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(training=training)
        self.encoder = encoder
        self.side_um = side_um
        self.tile_px = tile_px
        self.widths = list(widths)
        self.n_hidden = n_hidden
        self.activation = activation
        self.objective = objective
        self.scale_channels = scale_channels
        self.moving_statistics = moving_statistics
        self.released_range = released_range
        self.max_tiles = max_tiles
        self.pretraining = None if pretraining is None else dict(pretraining)

    @property
    def read_mpp(self) -> float | None:
        """Finest detail of the tiles it was fitted on, um/px."""
        return float(self.memory_["read_mpp"][0])

    def _fit(self, data: list[TrainingSection], *, rng: np.random.Generator) -> None:
        self._check_options()
        finest = 0.0 if self.side_um is None else self.side_um / self._px
        self.memory_ = {"read_mpp": np.array([max([finest, *(d.section.mpp for d in data)])])}
        if self.encoder is None:
            options = self.pretraining_defaults.but(self.pretraining)
            trained = pretrain(
                [self._tiles(d.section) for d in data],
                self.widths,
                options,
                max_tiles=self.max_tiles,
                released_range=self.released_range,
                rng=rng,
            )
            state = trained.encoder.state_dict()
            self.memory_ |= {f"encoder.{name}": value.cpu().numpy() for name, value in state.items()}
        super()._fit(data, rng=rng)

    def memorise(self, units: Sequence[Unit], allowed: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """Keep the auto-encoder and the resolution; both are known before the network is trained."""
        del units, allowed
        return self.memory_

    def views(self, section: Section) -> dict[str, np.ndarray]:
        """Return what the frozen encoder gives, or the tiles themselves where its statistics move."""
        if self.encoder is not None:
            return {"tokens": self._tokens(section)}
        tiles = self._tiles(section)
        if self.moving_statistics:
            return {"pixels": tiles}
        return {"codes": encode_tiles(tiles, self._encoder_state(), self.widths, device=self.options.place())}

    def build(self, shapes: Mapping[str, tuple[int, ...]], n_genes: int) -> nn.Module:
        """Make the predictor, with the frozen encoder in front where its statistics move."""
        if "tokens" in shapes:
            k = round(shapes["tokens"][0] ** 0.5)
            n_in, side, encoder = shapes["tokens"][1], k, None
        elif "codes" in shapes:
            (n_in, side, _), encoder = shapes["codes"], None
        else:
            n_in, side = self.widths[-1], shapes["pixels"][-1] // 8
            encoder = load_encoder(self._encoder_state(), self.widths)
        return _Network(n_in, side, self.n_hidden, n_genes, encoder=encoder, activation=self.activation)

    def forward(self, network: nn.Module, part: Part) -> torch.Tensor:
        """Predict."""
        return network(part.views)

    def loss(self, network: nn.Module, parts: Sequence[Part]) -> torch.Tensor:
        """Return the loss that `objective` names."""
        errors = torch.cat([self.forward(network, part) - part.y for part in parts])
        return _LOSSES[self.objective](errors)

    @property
    def _px(self) -> int:
        return self.tile_px if self.encoder is None else _ENCODER_PX

    def _check_options(self) -> None:
        if self.objective not in _LOSSES:
            msg = f"histospace has no objective {self.objective!r}. Choose one of: {', '.join(_LOSSES)}."
            raise RegistryError(msg)
        if self.tile_px < 8 or self.tile_px % 8 or len(self.widths) != 3:
            msg = (
                f"histospace's auto-encoder halves a tile three times; tile_px={self.tile_px} and widths="
                f"{self.widths} do not fit. Give a multiple of 8 px, and three widths."
            )
            raise DataError(msg)

    def _encoder_state(self) -> dict[str, np.ndarray]:
        prefix = "encoder."
        return {n.removeprefix(prefix): v for n, v in self.memory_.items() if n.startswith(prefix)}

    def _geometry(self, section: Section) -> tuple[float, float]:
        """Return side in um and finest detail in um/px of this section's tiles."""
        if self.side_um is None:
            return self._px * section.mpp, section.mpp
        return self.side_um, float(self.memory_["read_mpp"][0])

    def _tiles(self, section: Section) -> np.ndarray:
        """Return ``(n, 3, tile_px, tile_px)`` uint8 tiles, channels scaled where that is asked for."""
        side_um, read_mpp = self._geometry(section)
        tiles = _views.pixels(section, side_um=side_um, tile_px=self._px, read_mpp=read_mpp)
        gain = channel_gain(section.slide) if self.scale_channels and section.slide is not None else None
        if section.slide is not None:
            # A large JPEG is decoded as a whole: only one is held at a time.
            section.slide.close()
        if gain is None:
            return tiles
        table = np.minimum(np.arange(256)[None] * gain[:, None] + 0.5, 255.0).astype(np.uint8)  # (3, 256)
        return np.stack([table[c][tiles[:, c]] for c in range(3)], axis=1)

    def _tokens(self, section: Section) -> np.ndarray:
        """Return ``(n, k * k, d)`` features of the registered encoder over this method's own tiles."""
        assert self.encoder is not None
        side_um, read_mpp = self._geometry(section)
        grid = TileGrid(section.xy, (side_um,), self._px, section.mpp, read_mpp)
        encoded = encode(section.replace(grid=grid), self.encoder)
        if section.slide is not None:
            section.slide.close()
        spec = Features.of(encoded.table, self.encoder, name=section.name).spec
        own = np.frombuffer(spec.fingerprint.encode(), dtype=np.uint8)
        if not np.array_equal(self.memory_.setdefault("fingerprint", own), own):
            msg = (
                f"histospace was fitted on {self.encoder} [{self.memory_['fingerprint'].tobytes().decode()}], but this "
                f"installation's is [{spec.fingerprint}]; its features differ. Fit again."
            )
            raise BundleError(msg)
        return _views.tokens(encoded, spec)


class _Norm(nn.BatchNorm2d):
    """Batch norm that uses its running statistics for a batch of one value a channel, which has no variance."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training and x[:, 0].numel() == 1:
            return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class _Network(nn.Module):
    """Convolution, norm, ReLU, pooling, two linear layers."""

    def __init__(
        self, n_in: int, side: int, n_hidden: int, n_genes: int, *, encoder: nn.Module | None, activation: bool
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.convolution = nn.Conv2d(n_in, 128, 3, padding=1)
        self.norm = _Norm(128)
        # Features of one vector a tile have nothing to pool.
        self.pool = nn.MaxPool2d(2) if side > 1 else nn.Identity()
        self.hidden = nn.Linear(128 * max(side // 2, 1) ** 2, n_hidden)
        self.activation = nn.ReLU() if activation else nn.Identity()
        self.head = nn.Linear(n_hidden, n_genes)

    def forward(self, views: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Predict ``(b, g)``."""
        if self.encoder is not None:
            with torch.no_grad():
                maps = self.encoder(views["pixels"])
        elif "tokens" in views:
            tokens = views["tokens"]
            k = round(tokens.shape[1] ** 0.5)
            maps = tokens.transpose(1, 2).unflatten(2, (k, k))  # (b, d, k, k)
        else:
            maps = views["codes"].float()
        maps = self.pool(functional.relu(self.norm(self.convolution(maps))))
        return self.head(self.activation(self.hidden(maps.flatten(1))))
