"""A server on the loopback address that answers what a test tells it to, and a clock that never waits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from histoscribe.catalogue import RECORDS, Catalogue
from histoscribe.catalogue.services import Web


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.time = 1_700_000_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


class Server:
    """Path to replies: a tuple (status, headers, body), a list of them in turn (the last stays), or a function."""

    def __init__(self) -> None:
        self.routes: dict[str, object] = {}
        self.asked: list[tuple[str, str, dict[str, list[str]], dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                outer.answer(self)

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.005,), daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query)
        headers = {k.lower(): v for k, v in handler.headers.items()}
        self.asked.append((handler.command, parts.path, query, headers))
        reply = self.routes.get(parts.path, (404, {"Content-Type": "text/plain"}, b"Resource not found."))
        if isinstance(reply, list):
            reply = reply.pop(0) if len(reply) > 1 else reply[0]
        if callable(reply):
            reply = reply(handler, query)
        if reply is None:
            handler.close_connection = True
            return
        status, found, body = reply
        handler.send_response(status)
        for name, value in found.items():
            handler.send_header(name, value)
        if "Content-Length" not in found:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.close_connection = True
        if handler.command != "HEAD":
            handler.wfile.write(body)

    def count(self, path: str, method: str = "GET") -> int:
        return sum(m == method and p == path for m, p, _, _ in self.asked)

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "OPENALEX_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_web(clock: Clock) -> Callable[..., Web]:
    def make(**options: object) -> Web:
        return Web(**({"clock": clock, "now": clock, "sleep": clock.sleep, "timeout_s": 5.0} | options))

    return make


@pytest.fixture
def web(make_web: Callable[..., Web]) -> Web:
    return make_web()


@pytest.fixture
def catalogue(tmp_path) -> Catalogue:
    """An empty catalogue with the package's tables."""
    for kind in ("papers", "datasets"):
        (tmp_path / "records" / kind).mkdir(parents=True)
    assert (RECORDS / "vocabulary.yaml").exists()
    return Catalogue.load(tmp_path / "records")
