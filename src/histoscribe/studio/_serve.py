"""Serve: find a port, say where, open the browser, run until stopped."""

from __future__ import annotations

import errno
import logging
import secrets
import socket
import threading
import webbrowser
from typing import TYPE_CHECKING

from histoscribe.core.errors import DataError
from histoscribe.studio._app import create_app
from histoscribe.studio._guard import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Callable

    from histoscribe.studio._studio import Studio

__all__ = ["DEFAULT_PORT", "serve"]

DEFAULT_PORT = 8710
#: Ports tried after the default one where it is taken.
_NEXT = 20


def serve(
    studio: Studio,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    browser: bool = True,
    say: Callable[[str], None] = print,
) -> None:
    """Run the studio until it is interrupted.

    Parameters
    ----------
    studio
        What is shown.
    host
        Address to listen on; beyond this machine every request needs a token.
    port
        Port; by default the first free one from 8710 on, and 0 for any.
    token
        The token; beyond loopback one is made where none is given.
    browser
        Open a browser once the server answers.
    say
        Gets the address.

    Raises
    ------
    DataError
        If the port is taken or the address is not one of this machine.
    """
    import uvicorn

    beyond = host not in LOOPBACK
    if beyond and not token:
        token = secrets.token_urlsafe(24)
    listening = _listen(host, port)
    number = listening.getsockname()[1]
    hosts = None if host in {"0.0.0.0", "::", ""} else LOOPBACK | {host}
    app = create_app(studio, hosts=hosts, token=token)
    shown = socket.gethostname() if hosts is None else host
    place = f"http://{f'[{shown}]' if ':' in shown else shown}:{number}/{f'?token={token}' if token else ''}"
    say(f"studio: {place}  (Ctrl+C to stop)")
    if beyond:
        say("it listens beyond this machine, unencrypted: use it in a network that you trust, or through ssh -L.")
    # HTTP's own errors are ours to say; the rest goes to stderr.
    logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
    config = uvicorn.Config(app, log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    if browser:
        threading.Timer(0.3, webbrowser.open, (place,)).start()
    try:
        server.run(sockets=[listening])
    finally:
        listening.close()


def _listen(host: str, port: int | None) -> socket.socket:
    """Return a listening socket."""
    tried = [port] if port is not None else [*range(DEFAULT_PORT, DEFAULT_PORT + _NEXT), 0]
    for number in tried:
        try:
            family = socket.getaddrinfo(host or None, number, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
            # With the protocol by name: asyncio turns off Nagle's delay (40 ms an answer) only where it is stated.
            found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                found.bind((host, number))
                found.listen(2048)
            except OSError:
                found.close()
                raise
        except OSError as err:
            if err.errno == errno.EADDRINUSE and port is None:
                continue
            msg = (
                f"cannot listen on {host}:{number} ({err.strerror}). Give another --port, or a --host of this machine."
            )
            raise DataError(msg) from err
        return found
    msg = f"no port of {host} from {DEFAULT_PORT} on is free. Give --port."
    raise DataError(msg)
