"""Readers: one file per platform; each turns vendors' files into a checked `Section`."""

from __future__ import annotations

from histoscribe.io._read import READERS, detect_reader, read
from histoscribe.io._spec import parse_spec, read_spec, read_specs

__all__ = ["READERS", "detect_reader", "parse_spec", "read", "read_spec", "read_specs"]
