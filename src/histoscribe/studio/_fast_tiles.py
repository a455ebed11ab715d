"""The short way of a tile: stored tiles of opened items are sent before any routing; all else goes on to the routes.

Routing, validation and dependencies take ten times as long as reading the tile. What is sent is what the route sends.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.responses import Response

from histoscribe.core.errors import HistoScribeError
from histoscribe.studio._answers import cached, unchanged_for

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from histoscribe.studio._studio import Studio

__all__ = ["FastTiles"]

_TILE = re.compile(r"/api/items/([0-9a-f]{16})/tile/(\d{1,2})/(\d{1,6})/(\d{1,6})", re.ASCII)


class FastTiles:
    """ASGI middleware that answers what it can answer at once.

    Parameters
    ----------
    app
        The routes.
    studio
        Whose tiles.
    """

    def __init__(self, app: ASGIApp, *, studio: Studio) -> None:
        self.app, self.studio = app, studio

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request through."""
        found = _TILE.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        answer = None if found is None else self._answer(scope, *found.groups())
        await (answer or self.app)(scope, receive, send)

    def _answer(self, scope: Scope, key: str, *place: str) -> Response | None:
        """Return the tile, or None where it takes longer or something is wrong: the route says what."""
        level, column, row = map(int, place)
        try:
            opened = self.studio.items.get(key).opened
            if opened is None or opened.tiles is None:
                return None
            tiles = opened.tiles
            tiles.check()
            if not tiles.cheap(tiles.level(level, column, row)):
                return None
            etag = tiles.etag(level, column, row)
            kept = unchanged_for(Headers(scope=scope).get("if-none-match", ""), etag)
            return kept or cached(tiles.tile(level, column, row), "image/jpeg", etag)
        except (HistoScribeError, OSError):
            return None
