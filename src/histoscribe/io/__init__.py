"""Readers and writers: one file per platform; each turns vendors' files into a checked `Section`, or back."""

from __future__ import annotations

from histoscribe.io._read import READERS, detect_reader, read
from histoscribe.io._spec import parse_spec, read_spec, read_specs
from histoscribe.io._write import WRITERS, write

__all__ = ["READERS", "WRITERS", "detect_reader", "parse_spec", "read", "read_spec", "read_specs", "write"]
