"""The table of encoders, and how names become encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.core.errors import RegistryError
from histoscribe.core.registry import Registry
from histoscribe.encoders._concat import Concatenation

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
        Registry names joined by ``+``, e.g. ``"efficientnet-lite0+colour"``.
    threads
        Threads of the computation; default `OMP_NUM_THREADS` or the free cores, at most 8.
    device
        ``"cpu"``, ``"cuda"`` or ``"auto"`` (CUDA where the encoder can use it and there is one).

    Raises
    ------
    RegistryError
        If a part is not registered, or stands there twice.

    Examples
    --------
    >>> make_encoder("colour").dim
    8
    """
    names = name.split("+")
    repeated = sorted({part for part in names if names.count(part) > 1})
    if repeated:
        msg = f"encoder {name!r} names {', '.join(repeated)} more than once. Give each part once."
        raise RegistryError(msg)
    parts = [ENCODERS.get(part)(threads=threads, device=device) for part in names]
    return parts[0] if len(parts) == 1 else Concatenation(parts)
