"""A web server in this process that misbehaves on demand, and a home without the user's tokens."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

import pytest

from histoscribe.io.data import Transfer


@dataclass
class Served:
    """One file of the server, and what goes wrong with its next answers, one fault an answer.

    Faults: ``("status", code, headers)``; ``("cut", n)`` closes after n bytes; ``("stall", n)`` says nothing more
    after n bytes; ``("lie", n)`` announces n bytes; ``("wrong-range",)`` answers 206 from the first byte;
    ``("redirect", url)``; ``None`` is a good answer.
    """

    content: bytes
    etag: str | None = '"1"'
    ranges: bool = True
    length: bool = True
    kind: str = "application/octet-stream"
    headers: dict = field(default_factory=dict)
    faults: list = field(default_factory=list)
    always: tuple | None = None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.log.append((self.path, dict(self.headers)))
        file = server.files.get(self.path) or server.files.get(unquote(urlsplit(self.path).path))
        if callable(file):
            file = file(self)
        if file is None:
            self._status(404, {})
            return
        fault = file.faults.pop(0) if file.faults else file.always
        if fault and fault[0] == "status":
            self._status(fault[1], fault[2] if len(fault) > 2 else {})
        elif fault and fault[0] == "redirect":
            self._status(302, {"Location": fault[1]})
        else:
            self._send(file, fault)

    def _status(self, code, headers):
        self.send_response(code)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _send(self, file, fault):
        content, start = file.content, 0
        asked = self.headers.get("Range")
        same = self.headers.get("If-Range") in (None, file.etag)
        if asked and file.ranges and same:
            start = int(asked.removeprefix("bytes=").rstrip("-"))
            if start >= len(content):
                self._status(416, {"Content-Range": f"bytes */{len(content)}"})
                return
            if fault and fault[0] == "wrong-range":
                start = 0
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        body = content[start:]
        announced = fault[1] - start if fault and fault[0] == "lie" else len(body)
        if file.length:
            self.send_header("Content-Length", str(announced))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        if file.etag:
            self.send_header("ETag", file.etag)
        self.send_header("Content-Type", file.kind)
        for name, value in file.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            if fault and fault[0] in {"cut", "stall"}:
                self.wfile.write(body[: fault[1]])
                self.wfile.flush()
                if fault[0] == "stall":
                    self.server.closing.wait(5)
                self.close_connection = True
                return
            self.wfile.write(body)
            self.close_connection = self.close_connection or announced != len(body)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


class Server(ThreadingHTTPServer):
    """The server: `files` by path, `log` of requests, and the `url` of a path."""

    daemon_threads = True
    block_on_close = False

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.log, self.closing = {}, [], threading.Event()

    def handle_error(self, request, client_address):
        pass

    def serve(self, path, content=b"", **options):
        self.files[path] = Served(content, **options)
        return self.url(path)

    @staticmethod
    def answer(content=b"", **options):
        return Served(content, **options)

    def url(self, path, host="127.0.0.1"):
        return f"http://{host}:{self.server_port}{path}"

    def asked(self, header, path=None):
        return [headers.get(header) for where, headers in self.log if path in (None, where)]


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def sleeps():
    """Seconds that were slept, without sleeping."""
    return []


@pytest.fixture
def transfer(sleeps):
    """Impatient downloads that never sleep."""
    return Transfer(timeout_s=0.2, attempts=4, sleep=sleeps.append)


@pytest.fixture(autouse=True)
def own_world(tmp_path, monkeypatch):
    """No token, no proxy, no memory of other tests."""
    for name in ("HF_TOKEN", "HF_TOKEN_PATH", "HF_ENDPOINT", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "no-hub"))
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "own-cache"))


@pytest.fixture
def killed():
    """Do something in a process of its own, and kill it (SIGKILL) as soon as `when()` holds."""

    def run(work, *, when):
        with warnings.catch_warnings():
            # A fork of a process with threads: the child does nothing but `work`.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            try:
                work()
            finally:
                os._exit(1)
        deadline = time.monotonic() + 20
        while not when():
            assert time.monotonic() < deadline
            assert os.waitpid(child, os.WNOHANG) == (0, 0), "it ended before it could be killed"
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    return run
