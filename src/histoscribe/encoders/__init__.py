"""Encoders: tiles to features; one file and one registry line each."""

from __future__ import annotations

from histoscribe.encoders._encoder import Encoder
from histoscribe.encoders._pooling import grid_side, split_name, split_names
from histoscribe.encoders._registry import ENCODERS, make_encoder, weights_fingerprint
from histoscribe.encoders._run import encode
from histoscribe.encoders._surround import Surround, encode_surround

__all__ = [
    "ENCODERS",
    "Encoder",
    "Surround",
    "encode",
    "encode_surround",
    "grid_side",
    "make_encoder",
    "split_name",
    "split_names",
    "weights_fingerprint",
]
