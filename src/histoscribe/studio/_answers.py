"""Answers other than JSON: binary vectors and images that a client may keep as long as the file stays what it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

__all__ = ["BINARY", "JPEG", "cached", "unchanged", "unchanged_for"]

#: Kept by the browser, but asked for again each time: an unchanged file costs 0.1 kB.
_KEEP = "private, no-cache"


def _content(kind: str, about: str) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string", "format": "binary"}
    return {
        200: {"description": about, "content": {kind: {"schema": schema}}},
        304: {"description": "Unchanged since the ETag that was sent."},
    }


#: OpenAPI's description of both kinds of answer.
JPEG = _content("image/jpeg", "A JPEG image.")
BINARY = _content("application/octet-stream", "Little-endian numbers, row by row.")


def unchanged(request: Request, etag: str) -> Response | None:
    """Return 304 where the client has this version already, else None."""
    return unchanged_for(request.headers.get("if-none-match", ""), etag)


def unchanged_for(sent: str, etag: str) -> Response | None:
    """Return 304 where an If-None-Match header names this version, else None."""
    if not sent:
        return None
    if etag in {tag.strip().removeprefix("W/") for tag in sent.split(",")} or sent.strip() == "*":
        return Response(status_code=304, headers={"etag": etag, "cache-control": _KEEP})
    return None


def cached(data: bytes, kind: str, etag: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return bytes with their ETag."""
    return Response(data, media_type=kind, headers={"etag": etag, "cache-control": _KEEP, **(headers or {})})
