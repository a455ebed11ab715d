"""Small random stand-ins of foundation models, written in the hub's own file layout."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.files import write_json
from histoscribe.encoders import ENCODERS
from histoscribe.encoders._networks import build, quiet
from histoscribe.encoders.foundation import FoundationEncoder, encoder_class

if TYPE_CHECKING:
    from histoscribe.encoders import Encoder
    from histoscribe.encoders._model_card import EncoderCard

__all__ = ["small_card", "stand_in", "write_model"]

#: Width of a token, blocks and heads of a stand-in: enough for every array of the architecture to be there.
_WIDTH, _DEPTH, _HEADS = 24, 2, 2


def small_card(card: EncoderCard) -> EncoderCard:
    """Shrink a card's network: fewer blocks and shorter tokens; patches, registers, layers and pooling stay."""
    if card.stage is not None:
        # The third stage of a ResNet whose bottlenecks are 4 times as wide as their base: 4 * 4 * base.
        args = {"layers": [1, 1, 1, 1], "channels": [4, 8, 16, 32], "stem_width": 8, "num_classes": 5}
        return replace(card, args=dict(card.args) | args, width=64, dim=64, parameters=None)
    if card.family == "timm":
        changed: dict[str, Any] = {"embed_dim": _WIDTH, "depth": _DEPTH, "num_heads": _HEADS}
    else:
        changed = {"hidden_size": _WIDTH, "num_hidden_layers": _DEPTH, "num_attention_heads": _HEADS}
        changed |= {"intermediate_size": 2 * _WIDTH} if card.arch == "vit" else {}
    dim = _WIDTH * (2 if card.pooling == "class+mean" else 1)
    return replace(card, args=dict(card.args) | changed, width=_WIDTH, dim=dim, parameters=None)


def write_model(card: EncoderCard, folder: Path, *, seed: int = 0) -> Path:
    """Write random weights of a card's network as its repository on the hub holds them; return the folder."""
    import torch
    from safetensors.torch import save_file

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        module = build(card, None).module
        _spread(module)
    folder.mkdir(parents=True, exist_ok=True)
    if card.family == "transformers":
        with quiet():
            module.save_pretrained(folder)
        return folder
    if not card.files[0].endswith(".safetensors"):
        state = module.state_dict()
        torch.save(_dinov2_names(state) if card.layout == "dinov2" else state, folder / card.files[0])
        return folder
    save_file(module.state_dict(), folder / "model.safetensors")
    layers = ("mlp_layer", "act_layer")  # classes have no place in the hub's JSON
    args = {key: value for key, value in card.args.items() if key not in layers}
    pixels = {"mean": list(card.mean), "std": list(card.std), "input_size": [3, card.tile_px, card.tile_px]}
    write_json(folder / "config.json", {"architecture": card.arch, "model_args": args, "pretrained_cfg": pixels})
    return folder


def stand_in(name: str, *, threads: int = 1) -> Encoder:
    """Make the encoder called `name`, or, where its weights must be fetched, its small stand-in.

    A stand-in has the card's name and everything else but the size of its network.
    """
    member = ENCODERS.get(name)
    if not issubclass(member, FoundationEncoder):
        return member(threads=threads, device="cpu")
    small, folder = _written(name)
    return encoder_class(small)(threads=threads, device="cpu", weights=folder)


@functools.cache
def _written(name: str) -> tuple[EncoderCard, Path]:
    small = small_card(ENCODERS.get(name).card)
    return small, write_model(small, _scratch() / name, seed=sorted(ENCODERS).index(name))


@functools.cache
def _scratch() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="histoscribe-stand-ins-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _spread(module: Any) -> None:
    """Give every array values that matter: fresh networks have zeros and 1e-5, behind which a fault could hide."""
    import torch

    with torch.no_grad():
        for key, array in module.state_dict().items():
            if array.is_floating_point():
                noise = torch.randn(array.shape) * (0.5 / max(array.shape[-1], 1) ** 0.5 if array.ndim > 1 else 0.2)
                variance = key.endswith("running_var")
                scale = array.ndim == 1 and key.endswith(("weight", "gamma", "lambda1"))
                array.copy_(1.0 + noise.abs() if variance else noise + (1.0 if scale else 0.0))


def _dinov2_names(state: dict[str, Any]) -> dict[str, Any]:
    """Name a timm network's arrays as the original DINOv2 code does."""
    import torch

    state = dict(state)
    registers, token, positions = (state.pop(key) for key in ("reg_token", "cls_token", "pos_embed"))
    # The class token's position; a constant one would vanish in the first normalisation.
    own = torch.linspace(-0.5, 0.5, token.shape[-1]).expand_as(token)
    state |= {"register_tokens": registers, "cls_token": token - own, "pos_embed": torch.cat([own, positions], dim=1)}
    state["mask_token"] = torch.zeros(1, token.shape[-1])
    names = {".mlp.fc1.": ".mlp.w12.", ".mlp.fc2.": ".mlp.w3."}
    for old, new in names.items():
        state = {key.replace(old, new): value for key, value in state.items()}
    return state
