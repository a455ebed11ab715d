"""Find out whether an image file is whole without decoding it: libjpeg fills what is missing with grey, silently."""

from __future__ import annotations

import mmap
import re
import struct
from typing import TYPE_CHECKING

from histoscribe.core.errors import SlideError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["check_complete"]

_SOS, _EOI = 0xDA, 0xD9
#: The next marker in compressed data: 0xFF not followed by a stuffed zero, a restart number or another fill byte.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def check_complete(path: Path, kind: str) -> None:
    """Raise where a JPEG, PNG or WebP file ends before its image does.

    Raises
    ------
    SlideError
        If the file is truncated.
    """
    ends: dict[str, Callable[[mmap.mmap], bool]] = {"JPEG": _jpeg_ends, "PNG": _png_ends, "WEBP": _webp_ends}
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        whole, size = ends[kind](data), len(data)
    if not whole:
        msg = (
            f"slide {path} is truncated: its {kind} image goes on after its {size:,} bytes. Copy or download it again."
        )
        raise SlideError(msg)


def _jpeg_ends(data: mmap.mmap) -> bool:
    """Walk from segment to segment to the end-of-image marker; embedded previews are inside segments and skipped."""
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:  # stray bytes between segments: decoders skip them
            at = data.find(b"\xff", at)
            if at < 0:
                return False
            continue
        kind = data[at + 1]
        if kind == 0xFF:  # fill byte
            at += 1
            continue
        if kind == _EOI:
            return True
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
        if kind == _SOS:
            found = _MARKER.search(data, at)
            if found is None:
                return False
            at = found.start()
    return data[at : at + 2] == bytes((0xFF, _EOI))


def _png_ends(data: mmap.mmap) -> bool:
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if kind == b"IEND":
            return at <= len(data)
    return False


def _webp_ends(data: mmap.mmap) -> bool:
    return len(data) >= 12 and len(data) >= 8 + struct.unpack_from("<I", data, 4)[0]
