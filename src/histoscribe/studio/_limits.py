"""Limits: what one request, one client and the whole server may ask for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """Bounds of the server.

    Attributes
    ----------
    upload_bytes, body_bytes
        Largest slide sent up, and largest body of any other request.
    query_chars, path_chars
        Longest query string and path.
    markers_observations
        Most observations whose markers are computed while a user waits.
    per_second, burst
        Requests of one client: sustained, and at once.
    waiting
        Requests that wait for a thread; further ones are turned away.
    jobs_waiting
        Jobs that wait for the running one.
    markers_seconds
        Time after which markers are given up.
    """

    upload_bytes: int = 4_000_000_000
    body_bytes: int = 16_000_000
    query_chars: int = 2048
    path_chars: int = 1024
    markers_observations: int = 2_000_000
    per_second: float = 500.0
    burst: float = 2000.0
    waiting: int = 1024
    jobs_waiting: int = 16
    markers_seconds: float = 20.0
