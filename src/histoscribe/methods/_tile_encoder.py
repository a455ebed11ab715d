"""The tile branch of a network: tokens of a frozen encoder, or pixels through one that is trained with the rest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from histoscribe.core.errors import DataError, RegistryError
from histoscribe.core.registry import Registry
from histoscribe.encoders import ENCODERS, make_encoder
from histoscribe.methods import _views

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from histoscribe.core.features import FeatureSpec
    from histoscribe.core.section import Section

__all__ = ["BACKBONES", "TileBranch", "tile_view"]

#: Networks that can be trained from pixels beside the registered encoders that offer their `module`; each has `dim`,
#: and `maps`: 0-255 RGB to a feature map.
BACKBONES = Registry(
    "backbone", {"resnet18": "histoscribe.nn.resnet:ResNet18", "squares": "histoscribe.nn.squares:Squares"}
)


def tile_view(section: Section, spec: FeatureSpec, *, backbone: str | None, tile_px: int) -> tuple[str, np.ndarray]:
    """Return the name and the array of the tile view: ``"tokens"`` of the frozen encoder, or ``"pixels"``."""
    if backbone is None:
        return "tokens", _views.tokens(section, spec)
    return "pixels", _views.pixels(section, side_um=float(min(spec.geometry["sides_um"])), tile_px=tile_px)


class TileBranch(nn.Module):
    """``(b, t, width)`` tokens of each tile, whichever way they come.

    Parameters
    ----------
    shapes
        Of the views: ``"tokens"`` (t, d) or ``"pixels"`` (3, h, w).
    width
        Size of a token that goes out; a linear layer stands between where the encoder's differs. None keeps the
        encoder's own, which is then `width`.
    backbone
        Name of the network trained from pixels, or None for frozen tokens.
    weights
        File of a state dict to start the backbone from (torchvision's names for ``resnet18``); None starts a registered
        encoder from its own weights, and ``resnet18`` from random ones.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        width: int | None,
        *,
        backbone: str | None,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        self.backbone = None if backbone is None else _backbone(backbone, weights)
        dim = shapes["tokens"][-1] if self.backbone is None else self.backbone.dim
        self.width = width or dim
        self.project = nn.Identity() if dim == self.width else nn.Linear(dim, self.width)

    def forward(self, views: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the tokens of every tile in the view."""
        if self.backbone is None:
            return self.project(views["tokens"])
        maps = self.backbone.maps(views["pixels"])  # (b, d, h, w)
        return self.project(maps.flatten(2).transpose(1, 2))


def _backbone(name: str, weights: str | None) -> nn.Module:
    if name in BACKBONES:
        network = BACKBONES.get(name)()
    elif name in ENCODERS:
        encoder = make_encoder(name, device="cpu")
        if not hasattr(encoder, "module"):
            msg = f"encoder {name!r} cannot be trained: it offers no network. Use it frozen, or one of {_trainable()}."
            raise RegistryError(msg)
        network = encoder.module()
        network.dim = encoder.dim
    else:
        msg = f"there is no network called {name!r} to train from pixels. Choose one of: {_trainable()}."
        raise RegistryError(msg)
    if weights is not None:
        _load(network, Path(weights))
    return network


def _trainable() -> str:
    return ", ".join([*BACKBONES, *(name for name in ENCODERS if hasattr(ENCODERS.get(name), "module"))])


def _load(network: nn.Module, path: Path) -> None:
    """Load a state dict; a classifier that the network does not have is left out, anything else must fit."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError) as err:
        msg = f"the weights {path} cannot be read ({err}). Give a file of PyTorch's state dict."
        raise DataError(msg) from err
    state = state.get("state_dict", state)
    # Lightning checkpoints of self-supervised ResNets prefix every name.
    state = {name.removeprefix("model.").removeprefix("resnet."): value for name, value in state.items()}
    state = {name: value for name, value in state.items() if not name.startswith("fc.")}
    missing, unexpected = network.load_state_dict(state, strict=False)
    if missing or unexpected:
        first = (list(missing) + list(unexpected))[0]
        msg = (
            f"the weights {path} do not fit: {len(missing)} arrays are missing and {len(unexpected)} unknown (first: "
            f"{first}). Give weights of the same architecture, with torchvision's names for resnet18."
        )
        raise DataError(msg)
