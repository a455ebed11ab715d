"""Guard: who may ask, how much, how often; and what a browser may do with the answer. Runs before every route."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, RedirectResponse, Response

from histoscribe.studio._error import ErrorBody, ErrorParts

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from histoscribe.studio._limits import Limits

__all__ = ["LOOPBACK", "Guard", "error_response"]

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_COOKIE = "histoscribe_studio"
_CSP = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
#: Clients whose rate is remembered.
_CLIENTS = 10_000


class Guard:
    """ASGI middleware.

    Parameters
    ----------
    app
        What is guarded.
    limits
        Bounds.
    hosts
        Names by which this server may be called; None for any, which needs a token. A page elsewhere that points its
        own name at 127.0.0.1 (DNS rebinding) fails here.
    token
        Secret that every request must bring, or None.
    """

    def __init__(self, app: ASGIApp, *, limits: Limits, hosts: frozenset[str] | None, token: str | None) -> None:
        self.app, self.limits, self.hosts, self.token = app, limits, hosts, token
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or let the request through."""
        if scope["type"] != "http":
            # No websocket is served; the lifespan is ours.
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refusal = self._refuse(scope)
        if refusal is not None:
            await refusal(scope, receive, _with_headers(send))
            return
        most = self.limits.upload_bytes if scope["path"] == "/api/uploads" else self.limits.body_bytes
        await self.app(scope, _bounded(receive, most), _with_headers(send))

    def _refuse(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if len(scope["path"]) > self.limits.path_chars or len(scope["query_string"]) > self.limits.query_chars:
            return error_response(414, "the address is too long.", "request", "Shorten the path or the query.")
        if (refusal := self._stranger(headers)) is not None:
            return refusal
        if not self._in_time((scope.get("client") or ("", 0))[0]):
            answer = error_response(429, "too many requests in a short time.", "client", "Wait a second.")
            answer.headers["retry-after"] = "1"
            return answer
        if self.token and (refusal := self._without_token(scope, headers)) is not None:
            return refusal
        most = self.limits.upload_bytes if scope["path"] == "/api/uploads" else self.limits.body_bytes
        length = headers.get("content-length", "0")
        if not length.isdigit():
            return error_response(400, "the length of the body is no number.", "request", "Send a valid request.")
        return _too_large(most) if int(length) > most else None

    def _stranger(self, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        name = _hostname(host)
        if self.hosts is not None and name not in self.hosts:
            return error_response(
                403,
                f"this server does not answer to the name {name[:80]!r}.",
                "Host header",
                "Open the address that the command printed.",
            )
        origin = headers.get("origin")
        # A page of another origin may not even read what it could not see: its request is refused, not only its answer.
        if (origin is not None and _origin_host(origin) != host) or headers.get("sec-fetch-site") == "cross-site":
            if origin is None and headers.get("sec-fetch-mode") == "navigate":
                return None  # somebody followed a link
            return error_response(
                403, "the request comes from a page of another origin.", "Origin header", "Use the studio's own page."
            )
        return None

    def _in_time(self, client: str) -> bool:
        """Take one request out of the client's bucket, which fills with time."""
        now = time.monotonic()
        level, last = self._buckets.pop(client, (self.limits.burst, now))
        level = min(self.limits.burst, level + (now - last) * self.limits.per_second)
        self._buckets[client] = (max(0.0, level - 1), now)
        while len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return level >= 1

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        assert self.token is not None
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(bearer.strip(), self.token):
            return None
        if _same(_cookie(headers), self.token):
            return None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if any(key == "token" and _same(value, self.token) for key, value in query):
            rest = urlencode([(key, value) for key, value in query if key != "token"])
            # Out of the address at once: addresses end up in histories and logs. "//" would be another host.
            place = "/" + scope["path"].lstrip("/") + (f"?{rest}" if rest else "")
            answer = RedirectResponse(place, status_code=303)
            answer.set_cookie(_COOKIE, self.token, httponly=True, samesite="strict", path="/")
            return answer
        return error_response(
            401, "this server wants its token.", "request", "Open the address with ?token=... that the command printed."
        )


def error_response(status: int, what: str, where: str, todo: str) -> JSONResponse:
    """Return an error in three parts as JSON."""
    body = ErrorBody(error=ErrorParts(what=what, where=where, todo=todo))
    return JSONResponse(body.model_dump(), status_code=status, headers={"cache-control": "no-store"})


def _origin_host(origin: str) -> str:
    """Return host and port of an origin; empty where it is none (``null``)."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(_COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _too_large(most: int) -> Response:
    return error_response(413, f"the body is larger than {most:,} bytes.", "request", "Send less.")


def _bounded(receive: Receive, most: int) -> Receive:
    """Count the bytes of a body whose length was not announced."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > most:
            # The one kind that FastAPI lets through while it reads a body.
            raise HTTPException(413, f"the body is larger than {most:,} bytes")
        return message

    return counted


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
