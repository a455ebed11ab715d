"""Routes of the page: the files that the package's build made, and its start page for every address of the page."""

from __future__ import annotations

import gzip
import mimetypes
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, HTMLResponse, Response

from histoscribe.studio._error import StudioError

__all__ = ["STATIC", "router"]

router = APIRouter(include_in_schema=False)
STATIC = Path(__file__).parents[1] / "static"
#: First parts of addresses that are none of the page's.
_NO_PAGES = ("api", "assets")
#: Names of built files carry a hash of their content.
_FOREVER = "public, max-age=31536000, immutable"
#: Sent compressed, a quarter of the bytes: the page is also used through a tunnel to a server.
_SMALLER = {".js", ".css"}
_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>HistoScribe studio</title>
<main style="font:16px/1.5 system-ui;max-width:42em;margin:4em auto;padding:0 1em"><h1>HistoScribe studio</h1>
<p>The server runs, but its page is not built. In a checkout:
<code>cd web &amp;&amp; npm ci &amp;&amp; npm run build</code>, then load this page again.
An installed package brings the page with it.</p>
<p>The API is there: <a href="/api/openapi.json">/api/openapi.json</a>, <a href="/api/items">/api/items</a>.</p></main>
</html>"""


@router.api_route("/{path:path}", methods=["GET", "HEAD"])
async def page(request: Request, path: str) -> Response:
    """Send a built file, or the start page, which knows the page's own addresses."""
    found = _file(path)
    if found is not None:
        kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        keep = _FOREVER if path.startswith("assets/") else "no-cache"
        if found.suffix in _SMALLER and "gzip" in request.headers.get("accept-encoding", ""):
            headers = {"cache-control": keep, "content-encoding": "gzip", "vary": "accept-encoding"}
            return Response(_squeezed(found, found.stat().st_mtime_ns), media_type=kind, headers=headers)
        return FileResponse(found, media_type=kind, headers={"cache-control": keep})
    if path.split("/", maxsplit=1)[0] in _NO_PAGES:
        todo = "See /api/openapi.json for what there is."
        raise StudioError(404, "there is nothing at this address.", where=f"/{path[:100]}", todo=todo)
    start = _file("index.html")
    if start is None:
        return HTMLResponse(_NOT_BUILT, headers={"cache-control": "no-store"})
    return FileResponse(start, media_type="text/html; charset=utf-8", headers={"cache-control": "no-cache"})


@lru_cache(maxsize=32)
def _squeezed(path: Path, _: int) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


def _file(path: str) -> Path | None:
    """Return a built file; nothing outside the folder, and nothing that is a link, can be named."""
    parts = path.split("/")
    if not path or any(p in {"", ".", ".."} or "\\" in p or "\0" in p or ":" in p for p in parts):
        return None
    found = STATIC
    for part in parts:
        found /= part
        if found.is_symlink():
            return None
    return found if found.is_file() else None
