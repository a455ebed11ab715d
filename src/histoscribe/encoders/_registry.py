"""The table of encoders, and how names become encoders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import RegistryError
from histoscribe.core.registry import Registry
from histoscribe.encoders._concat import Concatenation
from histoscribe.encoders._model_card import model_cards
from histoscribe.encoders._pooling import Pooled, split_name, split_names
from histoscribe.encoders._weights import weight_places

if TYPE_CHECKING:
    from pathlib import Path

    from histoscribe.encoders._encoder import Device, Encoder

__all__ = ["ENCODERS", "make_encoder", "weights_fingerprint"]

ENCODERS = Registry(
    "encoder",
    {
        "colour": "histoscribe.encoders.colour:Colour",
        "efficientnet-lite0": "histoscribe.encoders.lite0:EfficientNetLite0",
        "random": "histoscribe.encoders.lite0:RandomLite0",
    }
    | {name: f"histoscribe.encoders.foundation:{name}" for name in model_cards()},
)


def make_encoder(
    name: str,
    *,
    threads: int | None = None,
    device: Device = "auto",
    weights: str | Path | Mapping[str, str | Path] | None = None,
) -> Encoder:
    """Make the encoder called `name`; ``+`` puts several side by side.

    Parameters
    ----------
    name
        Registry names joined by ``+``, e.g. ``"efficientnet-lite0+colour"``; each may say how its tokens are pooled:
        ``[gridK]`` keeps K x K of them, ``[centreK]`` the mean of the central K x K, ``[mean]`` that of all,
        ``[class]`` the class token and ``[class+mean]`` both.
    threads
        Threads of the computation; default `OMP_NUM_THREADS` or the free cores, at most 8.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"`` (CUDA where the encoder can use it and there is one).

    weights
        Weights of the foundation model in `name`: a file, the folder that was downloaded, or ``"encoder=path"``; a
        dict of paths where there are several. Default: `HISTOSCRIBE_WEIGHTS`, then the cache of the Hugging Face hub.

    Raises
    ------
    RegistryError
        If a part is not registered, stands there twice, names no known pooling, or takes no weights.
    WeightsError
        If weights are missing, do not fit, or may not be used.

    Examples
    --------
    >>> make_encoder("colour").dim
    8
    >>> make_encoder("colour[grid3]").dim
    72
    """
    names = split_names(name)
    repeated = sorted({part for part in names if names.count(part) > 1})
    if repeated:
        msg = f"encoder {name!r} names {', '.join(repeated)} more than once. Give each part once."
        raise RegistryError(msg)
    given = _given(names, weights)
    parts = [_make_part(part, given, threads=threads, device=device) for part in names]
    return parts[0] if len(parts) == 1 else Concatenation(parts)


def weights_fingerprint(name: str) -> str:
    """Name the weights of the foundation models in `name` by content; empty where the package holds all that it needs.

    Raises
    ------
    RegistryError, WeightsError
        As `make_encoder`.
    """
    taking = [p for p in split_names(name) if name and ENCODERS.get(split_name(p)[0]).takes_weights]
    return make_encoder("+".join(taking)).fingerprint() if taking else ""


def _make_part(name: str, given: Mapping[str, Path], *, threads: int | None, device: Device) -> Encoder:
    base, kind, k = split_name(name)
    options: dict[str, Any] = {"weights": given[base]} if base in given else {}
    encoder = ENCODERS.get(base)(threads=threads, device=device, **options)
    return Pooled(encoder, kind, k) if kind else encoder


def _given(names: list[str], weights: str | Path | Mapping[str, str | Path] | None) -> dict[str, Path]:
    """Say which encoder's weights each given path is."""
    if weights is None:
        return {}
    items = [f"{key}={path}" for key, path in weights.items()] if isinstance(weights, Mapping) else [str(weights)]
    takers = [base for part in names if getattr(ENCODERS.get(base := split_name(part)[0]), "takes_weights", False)]
    given: dict[str, Path] = {}
    for name, path in weight_places(items):
        if name is None and len(takers) != 1:
            msg = (
                f"weights {str(path)!r} could be of {' or '.join(takers) or 'none'} of {'+'.join(names)}. Say which: "
                "weights={name: path}, or NAME=PATH."
            )
            raise RegistryError(msg)
        if name is not None and name not in takers:
            msg = (
                f"weights are given for {name!r}, but {'+'.join(names)} takes them for "
                f"{' and '.join(takers) or 'none'} only. Give them for those, or leave them out."
            )
            raise RegistryError(msg)
        given[name or takers[0]] = path
    return given
