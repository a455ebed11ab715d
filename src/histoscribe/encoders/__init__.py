"""Encoders: tiles to features; one file and one registry line each."""

from __future__ import annotations

from histoscribe.core.registry import Registry

__all__ = ["ENCODERS"]

ENCODERS = Registry(
    "encoder",
    {
        "colour": "histoscribe.encoders.colour:Colour",
        "efficientnet-lite0": "histoscribe.encoders.lite0:EfficientNetLite0",
        "random": "histoscribe.encoders.lite0:RandomLite0",
    },
)
