"""Build a foundation model's network from its card and weights: one builder a library, none a model."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import WeightsError
from histoscribe.encoders._torchvision_guard import guard_torchvision
from histoscribe.encoders._weight_files import read_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import torch

    from histoscribe.encoders._model_card import EncoderCard
    from histoscribe.encoders._weights import Weights

    Tokens = tuple[torch.Tensor | None, torch.Tensor]

__all__ = ["Network", "build", "quiet"]

#: What a ``config.json`` may say about a timm network; the rest of timm's arguments fetch files or run code.
_ARGUMENTS = (
    *("act_layer", "attn_drop_rate", "channels", "class_token", "depth", "drop_path_rate", "drop_rate"),
    *("dynamic_img_pad", "dynamic_img_size", "embed_dim", "fc_norm", "final_norm", "global_pool", "img_size"),
    *("in_chans", "init_values", "layers", "mlp_layer", "mlp_ratio", "no_embed_class", "norm_layer", "num_classes"),
    *("num_heads", "patch_drop_rate", "patch_size", "pos_drop_rate", "pos_embed", "pre_norm", "proj_bias"),
    *("proj_drop_rate", "qk_norm", "qkv_bias", "reg_tokens", "stem_width", "weight_init"),
)
#: ``model_type`` of transformers to the names of its configuration and network.
_CLASSES = {
    "vit": ("ViTConfig", "ViTModel"),
    "dinov2": ("Dinov2Config", "Dinov2Model"),
    "dinov2_with_registers": ("Dinov2WithRegistersConfig", "Dinov2WithRegistersModel"),
}
#: Arrays that play no part in encoding a whole image.
_UNUSED = ("mask_token", "embeddings.mask_token")
#: Means and standard deviations that differ by less are the same, rounded.
_SAME = 2e-3


@dataclass(frozen=True)
class Network:
    """A network and what it gives for a batch.

    Attributes
    ----------
    module
        In evaluation mode.
    tokens
        Normalised pixels ``(b, 3, h, w)`` to the class token ``(b, d)``, None where there is none, and the map of the
        image's own tokens ``(b, d, h', w')``.
    library
        Name of the package that built it.
    """

    module: torch.nn.Module
    tokens: Callable[[torch.Tensor], Tokens]
    library: str


def build(card: EncoderCard, weights: Weights | None) -> Network:
    """Build the network of a card; without weights it has random ones (for timing).

    Raises
    ------
    WeightsError
        If the library is not installed, or the weights are not those of the card's network.
    """
    if find_spec(card.family) is None:
        msg = f"encoder {card.name!r} needs {card.family}, which is not installed. Run: pip install 'histoscribe[hub]'"
        raise WeightsError(msg)
    guard_torchvision()
    settings = {} if weights is None else weights.settings()
    if card.family == "timm":
        _check_settings(card, settings, weights)
        return _timm(card, settings, weights)
    return _transformers(card, settings, weights)


def _check_settings(card: EncoderCard, settings: Mapping[str, Any], weights: Weights | None) -> None:
    """Refuse a folder whose config.json speaks of another network or of other pixels than the card."""
    found = settings.get("architecture", card.arch)
    if found != card.arch:
        msg = f"{weights.config} is of a {found}, but {card.name} is a {card.arch}. {_give(card)}"
        raise WeightsError(msg)
    pixels = settings.get("pretrained_cfg", {})
    for key in ("mean", "std"):
        other = tuple(pixels.get(key, getattr(card, key)))
        same = len(other) == 3 and all(abs(a - b) < _SAME for a, b in zip(other, getattr(card, key), strict=True))
        if not same:
            msg = (
                f"{weights.config} normalises pixels with {key} {other}, but {card.name} expects {getattr(card, key)}; "
                f"features would not be those that are published. {_give(card)}"
            )
            raise WeightsError(msg)


def _timm(card: EncoderCard, settings: Mapping[str, Any], weights: Weights | None) -> Network:
    import timm

    args = dict(card.args)
    args |= {"num_classes": settings["num_classes"]} if "num_classes" in settings else {}
    args |= settings.get("model_args", {})
    unknown = sorted(set(args).difference(_ARGUMENTS))
    if unknown or not timm.is_model(card.arch):
        what = f"sets {', '.join(unknown)}" if unknown else f"names {card.arch}"
        msg = (
            f"the description of {card.name} ({weights.config if weights else 'its card'}) {what}, which timm "
            f"{timm.__version__} as used here does not take. {_give(card)}"
        )
        raise WeightsError(msg)
    module = timm.create_model(card.arch, pretrained=False, **{key: _layer(value) for key, value in args.items()})
    if weights is not None:
        state = _renamed(read_weights(weights.file, card.name), card)
        _check_arrays(card, weights, state, module.state_dict())
        module.load_state_dict(state, strict=True, assign=True)
    module = module.float().eval()
    if card.stage is not None:
        return Network(module, _stage(module, card.stage), "timm")
    _check_tokens(card, weights, module.num_features, module.num_prefix_tokens, module.patch_embed.patch_size[0])
    return Network(module, _split(module.forward_features, card.prefix_tokens), "timm")


def _layer(value: Any) -> Any:
    """Replace the names of layers, which JSON and TOML cannot hold, by the layers."""
    from timm.layers import SwiGLUPacked
    from torch import nn

    return {"swiglu-packed": SwiGLUPacked, "silu": nn.SiLU}.get(value, value) if isinstance(value, str) else value


def _renamed(state: dict[str, torch.Tensor], card: EncoderCard) -> dict[str, torch.Tensor]:
    """Give arrays that are named as by the original DINOv2 code timm's names."""
    if card.layout != "dinov2" or "reg_token" in state:
        return state
    state = {key: value for key, value in state.items() if key not in _UNUSED}
    if not {"register_tokens", "cls_token", "pos_embed"} <= set(state):
        return state  # not DINOv2's names either: the comparison with the network says what is missing
    # timm adds positions to the image's tokens only, so the class token takes its own along.
    positions = state["pos_embed"]
    state |= {"cls_token": state["cls_token"] + positions[:, :1], "pos_embed": positions[:, 1:]}
    state["reg_token"] = state.pop("register_tokens")
    names = {".mlp.w12.": ".mlp.fc1.", ".mlp.w3.": ".mlp.fc2."}
    for old, new in names.items():
        state = {key.replace(old, new): value for key, value in state.items()}
    return state


def _transformers(card: EncoderCard, settings: Mapping[str, Any], weights: Weights | None) -> Network:
    import torch
    import transformers

    kind = settings.get("model_type", card.arch)
    # A repository with code of its own calls its network what it likes; the arrays decide then.
    if kind != card.arch and "auto_map" not in settings:
        msg = f"{weights.config} is of a {kind!r}, but {card.name} is a {card.arch!r} network. {_give(card)}"
        raise WeightsError(msg)
    if card.arch not in _CLASSES or not all(hasattr(transformers, part) for part in _CLASSES[card.arch]):
        msg = (
            f"transformers {transformers.__version__} has no {card.arch!r} network, which {card.name} is. "
            "Run: pip install -U 'histoscribe[hub]'"
        )
        raise WeightsError(msg)
    config_class, model_class = (getattr(transformers, part) for part in _CLASSES[card.arch])
    skip = {"auto_map", "architectures", "model_type", "torch_dtype", "dtype", "transformers_version", "_name_or_path"}
    values = dict(card.args) | {key: value for key, value in settings.items() if key not in skip}
    options = {"add_pooling_layer": False} if card.arch == "vit" else {}
    config = config_class(**values)
    with quiet():
        if weights is None:
            module = model_class(config, **options)
        else:
            module = _from_arrays(card, weights, model_class, config, options)
    module = module.to(torch.float32).eval()
    prefix = 1 + int(getattr(config, "num_register_tokens", 0))
    _check_tokens(card, weights, config.hidden_size, prefix, config.patch_size)
    return Network(module, _split(lambda x: module(pixel_values=x).last_hidden_state, prefix), "transformers")


def _from_arrays(
    card: EncoderCard, weights: Weights, model_class: Any, config: Any, options: Mapping[str, Any]
) -> torch.nn.Module:
    # transformers renames what older versions of it wrote, so its own report says what fits.
    state = {
        key: value for key, value in read_weights(weights.file, card.name).items() if not key.startswith("pooler.")
    }
    try:
        module, report = model_class.from_pretrained(
            None, config=config, state_dict=state, output_loading_info=True, **options
        )
    except (RuntimeError, ValueError, KeyError) as err:
        msg = f"{weights.file} does not fit the network of {card.name}: {_first(err)}. {_give(card)}"
        raise WeightsError(msg) from err
    wrong = {
        "lacks": [key for key in report["missing_keys"] if key not in _UNUSED],
        "has unknown": list(report["unexpected_keys"]),
        "has another shape of": [str(key) for key in report.get("mismatched_keys", ())],
    }
    _refuse_misfit(card, weights, wrong)
    return module


def _check_arrays(
    card: EncoderCard, weights: Weights, state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]
) -> None:
    shapes = [
        f"{key} {tuple(state[key].shape)} for {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    wrong = {
        "lacks": [key for key in wanted if key not in state],
        "has unknown": [key for key in state if key not in wanted],
        "has another shape of": shapes,
    }
    _refuse_misfit(card, weights, wrong)


def _refuse_misfit(card: EncoderCard, weights: Weights, wrong: Mapping[str, list[str]]) -> None:
    texts = []
    for what, keys in wrong.items():
        more = f" and {len(keys) - 1} more" if len(keys) > 1 else ""
        texts += [f"it {what} {sorted(keys)[0]}{more}"] if keys else []
    if texts:
        msg = f"{weights.file} does not fit the network of {card.name}: {'; '.join(texts)}. {_give(card)}"
        raise WeightsError(msg)


def _check_tokens(card: EncoderCard, weights: Weights | None, width: int, prefix: int, patch_px: int) -> None:
    found = {"width": width, "prefix_tokens": prefix, "patch_px": patch_px}
    wrong = [f"{key} {value} for {getattr(card, key)}" for key, value in found.items() if value != getattr(card, key)]
    if wrong:
        where = weights.place if weights else "its card's arguments"
        msg = f"{where} gives another network than {card.name}: {', '.join(wrong)}. {_give(card)}"
        raise WeightsError(msg)


def _give(card: EncoderCard) -> str:
    return f"Give the weights of {card.hub} ({card.address})."


def _first(err: Exception) -> str:
    return " ".join(str(err).split())[:200].rstrip(".")


def _split(forward: Callable[[torch.Tensor], torch.Tensor], prefix: int) -> Callable[[torch.Tensor], Tokens]:
    def tokens(pixels: torch.Tensor) -> Tokens:
        found = forward(pixels)  # (b, prefix + n, d)
        own = found[:, prefix:]
        side = round(own.shape[1] ** 0.5)
        return found[:, 0], own.transpose(1, 2).reshape(len(found), -1, side, side)  # (b, d, side, side)

    return tokens


def _stage(module: torch.nn.Module, stage: int) -> Callable[[torch.Tensor], Tokens]:
    def tokens(pixels: torch.Tensor) -> Tokens:
        (found,) = module.forward_intermediates(pixels, indices=[stage], intermediates_only=True, stop_early=True)
        return None, found

    return tokens


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from printing bars and tables: what they say, our errors say."""
    import transformers

    log = transformers.utils.logging
    level, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bars:
            log.enable_progress_bar()
