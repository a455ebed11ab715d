"""The application: routes, guard, and every error as JSON in three parts."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from histoscribe.core.errors import HistoScribeError
from histoscribe.studio._error import StudioError, parts_of
from histoscribe.studio._fast_tiles import FastTiles
from histoscribe.studio._guard import LOOPBACK, Guard, error_response
from histoscribe.studio._pool import Gone

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from histoscribe.studio._studio import Studio

__all__ = ["create_app"]

_LOG = logging.getLogger(__name__)
#: Modules of `routes`, pages last: they answer to what no other route does.
_ROUTES = ("items", "tiles", "genes", "analysis", "exports", "jobs", "boards", "papers", "pages")


def create_app(studio: Studio, *, hosts: frozenset[str] | None = LOOPBACK, token: str | None = None) -> Guard:
    """Return the ASGI application of a studio.

    Parameters
    ----------
    studio
        What is shown.
    hosts
        Names by which it may be called; None for any, which needs a token.
    token
        Secret that every request must bring, or None.

    Raises
    ------
    ValueError
        If it would answer to any name without a token.
    """
    if hosts is None and not token:
        msg = "a studio that answers to any name needs a token. Give token=, or the names in hosts=."
        raise ValueError(msg)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        studio.open_all()
        yield
        studio.close()

    app = FastAPI(
        title="HistoScribe studio",
        version=version("histoscribe"),
        openapi_url="/api/openapi.json",
        # Both pages of documentation load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.studio = studio
    for name in _ROUTES:
        app.include_router(import_module(f"histoscribe.studio.routes.{name}").router)
    _handle_errors(app)
    # Around the whole application, not within its own layers: they would double the cost of a tile.
    return Guard(FastTiles(app, studio=studio), limits=studio.limits, hosts=hosts, token=token)


def _handle_errors(app: FastAPI) -> None:
    async def ours(request: Request, err: Any) -> Response:
        parts = parts_of(err, where=request.url.path)
        return error_response(err.status if isinstance(err, StudioError) else 422, parts.what, parts.where, parts.todo)

    async def unreadable(_: Request, err: Any) -> Response:
        first = err.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        said = " ".join(str(first["msg"]).split())[:200]
        return error_response(422, f"{said}.", where, "See /api/openapi.json for what is asked for.")

    async def http(request: Request, err: Any) -> Response:
        todo = "See /api/openapi.json for what there is."
        answer = error_response(err.status_code, f"{err.detail}.".lower(), request.url.path, todo)
        answer.headers.update(err.headers or {})
        return answer

    async def gone(_: Request, __: Any) -> Response:
        return Response(status_code=499)  # nobody reads it

    async def unexpected(request: Request, err: Any) -> Response:
        _LOG.error("while answering %s", request.url.path, exc_info=err)
        todo = "Try again; if it stays so, report it with what the terminal shows."
        return error_response(500, "the server made a mistake.", request.url.path, todo)

    handlers = {HistoScribeError: ours, RequestValidationError: unreadable, HTTPException: http, Gone: gone}
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, unexpected)
