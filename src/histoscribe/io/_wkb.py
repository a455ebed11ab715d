"""Well-known binary: the outlines in geoparquet, decoded with numpy alone."""

from __future__ import annotations

import struct

import numpy as np

__all__ = ["decode_wkb", "encode_wkb_polygon"]

_POINT, _POLYGON, _MULTIPOINT, _MULTIPOLYGON = 1, 3, 4, 6
#: Bit of the extended form (EWKB) that says that 4 bytes of a reference system follow.
_SRID = 0x20000000

Ring = tuple[np.ndarray, bool]


def decode_wkb(data: bytes) -> list[Ring]:
    """Return the rings of a (multi)polygon, each ``(k, 2)`` float64 with True for a hole; a point is a ring of one.

    Heights and measures are dropped.

    Raises
    ------
    ValueError
        If it is no polygon or point, or is cut short.
    """
    try:
        rings, end = _geometry(bytes(data), 0)
    except struct.error as err:
        msg = f"a geometry of {len(data)} bytes is cut short"
        raise ValueError(msg) from err
    if end > len(data):
        msg = f"a geometry needs {end} bytes and has {len(data)}"
        raise ValueError(msg)
    return rings


def _geometry(data: bytes, at: int) -> tuple[list[Ring], int]:
    order = "<" if data[at : at + 1] == b"\x01" else ">"
    (code,) = struct.unpack_from(f"{order}I", data, at + 1)
    at += 9 if code & _SRID else 5
    # Two spellings of further dimensions: 1000s (ISO) and high bits (EWKB).
    kind, more = (code & 0xFFFF) % 1000, (code & 0xFFFF) // 1000
    width = 2 + (more in (1, 2)) + 2 * (more == 3) + bool(code & 0x80000000) + bool(code & 0x40000000)
    if kind == _POINT:
        return [(_points(data, at, 1, width, order), False)], at + 8 * width
    (count,) = struct.unpack_from(f"{order}I", data, at)
    at += 4
    rings: list[Ring] = []
    if kind == _POLYGON:
        for i in range(count):
            (length,) = struct.unpack_from(f"{order}I", data, at)
            rings.append((_points(data, at + 4, length, width, order), i > 0))
            at += 4 + 8 * width * length
        return rings, at
    if kind in (_MULTIPOINT, _MULTIPOLYGON):
        for _ in range(count):
            part, at = _geometry(data, at)
            rings += part
        return rings, at
    msg = f"geometries of type {kind} are no polygons"
    raise ValueError(msg)


def _points(data: bytes, at: int, count: int, width: int, order: str) -> np.ndarray:
    if at + 8 * width * count > len(data):
        msg = f"a geometry of {len(data)} bytes is cut short"
        raise ValueError(msg)
    values = np.frombuffer(data, dtype=f"{order}f8", count=width * count, offset=at)
    return values.reshape(count, width)[:, :2].astype(np.float64)


def encode_wkb_polygon(rings: list[np.ndarray]) -> bytes:
    """Return a polygon of ``(k, 2)`` rings, the outline first, as little-endian WKB."""
    parts = [struct.pack("<BII", 1, _POLYGON, len(rings))]
    for ring in rings:
        closed = np.vstack([ring, ring[:1]]).astype("<f8")
        parts += [struct.pack("<I", len(closed)), closed.tobytes()]
    return b"".join(parts)
