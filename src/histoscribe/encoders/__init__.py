"""Encoders: tiles to features; one file and one registry line each."""

from __future__ import annotations

from histoscribe.encoders._encoder import Encoder
from histoscribe.encoders._registry import ENCODERS, make_encoder
from histoscribe.encoders._run import encode

__all__ = ["ENCODERS", "Encoder", "encode", "make_encoder"]
