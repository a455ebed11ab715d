"""The table of encoders, and how names become encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.core.errors import RegistryError
from histoscribe.core.registry import Registry
from histoscribe.encoders._concat import Concatenation
from histoscribe.encoders._pooling import Pooled, split_name

if TYPE_CHECKING:
    from histoscribe.encoders._encoder import Device, Encoder

__all__ = ["ENCODERS", "make_encoder"]

ENCODERS = Registry(
    "encoder",
    {
        "colour": "histoscribe.encoders.colour:Colour",
        "efficientnet-lite0": "histoscribe.encoders.lite0:EfficientNetLite0",
        "random": "histoscribe.encoders.lite0:RandomLite0",
    },
)


def make_encoder(name: str, *, threads: int | None = None, device: Device = "auto") -> Encoder:
    """Make the encoder called `name`; ``+`` puts several side by side.

    Parameters
    ----------
    name
        Registry names joined by ``+``, e.g. ``"efficientnet-lite0+colour"``; each may say how its feature map is
        pooled: ``[gridK]`` keeps K x K tokens, ``[centreK]`` the mean of the central K x K cells.
    threads
        Threads of the computation; default `OMP_NUM_THREADS` or the free cores, at most 8.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"`` (CUDA where the encoder can use it and there is one).

    Raises
    ------
    RegistryError
        If a part is not registered, stands there twice, or names no known pooling.

    Examples
    --------
    >>> make_encoder("colour").dim
    8
    >>> make_encoder("colour[grid3]").dim
    72
    """
    names = name.split("+")
    repeated = sorted({part for part in names if names.count(part) > 1})
    if repeated:
        msg = f"encoder {name!r} names {', '.join(repeated)} more than once. Give each part once."
        raise RegistryError(msg)
    parts = [_make_part(part, threads=threads, device=device) for part in names]
    return parts[0] if len(parts) == 1 else Concatenation(parts)


def _make_part(name: str, *, threads: int | None, device: Device) -> Encoder:
    base, kind, k = split_name(name)
    encoder = ENCODERS.get(base)(threads=threads, device=device)
    return Pooled(encoder, kind, k) if kind else encoder
