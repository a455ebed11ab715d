"""Decode JPEG, PNG and WebP bytes straight into an array."""

from __future__ import annotations

import imagecodecs
import numpy as np

from histoscribe.core.errors import SlideError
from histoscribe.slide._rgb import to_rgb

__all__ = ["decode", "kind_of"]

# Not through Pillow: its images take 4 bytes per px, and an array made of one is a second copy.
_DECODERS = {"JPEG": imagecodecs.jpeg8_decode, "PNG": imagecodecs.png_decode, "WEBP": imagecodecs.webp_decode}


def kind_of(head: bytes) -> str | None:
    """Name the format by its first 12 bytes, or None."""
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    return "WEBP" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else None


def decode(data: bytes, *, where: str) -> np.ndarray:
    """Decode to ``(h, w, 3)`` uint8 RGB.

    Raises
    ------
    SlideError
        If the bytes are no image, or damaged.
    """
    kind = kind_of(data[:12])
    if kind is None:
        msg = f"{where} is not JPEG, PNG or WebP (it starts with {data[:8]!r}). Convert it to one of these or to TIFF."
        raise SlideError(msg)
    try:
        found = _DECODERS[kind](data)
    except (RuntimeError, ValueError) as err:
        msg = f"{where} is damaged and cannot be decoded ({err}). Copy or download it again."
        raise SlideError(msg) from err
    return to_rgb(found, where=where)
