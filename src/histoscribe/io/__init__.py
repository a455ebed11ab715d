"""Readers: one file and one registry line per platform."""

from __future__ import annotations

from histoscribe.core.registry import Registry

__all__ = ["READERS"]

READERS = Registry(
    "reader",
    {
        "h5ad": "histoscribe.io.h5ad:read",
        "slide": "histoscribe.io.slide:read",
        "st-array": "histoscribe.io.st_array:read",
        "visium": "histoscribe.io.visium:read",
    },
)
