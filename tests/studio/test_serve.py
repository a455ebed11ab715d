"""The server as it runs: its socket, its address, its end."""

from __future__ import annotations

import socket

import pytest

from histoscribe.core.errors import DataError
from histoscribe.studio import _serve


def test_an_answer_is_not_held_back_for_the_clients_acknowledgement():
    listening = _serve._listen("127.0.0.1", 0)
    # asyncio asks for this before it turns off Nagle's algorithm; without it every tile took 40 ms.
    assert listening.proto == socket.IPPROTO_TCP
    listening.close()


def test_a_taken_port_is_told_and_the_default_moves_on(monkeypatch):
    first = _serve._listen("127.0.0.1", 0)
    port = first.getsockname()[1]
    with pytest.raises(DataError, match=r"Give another --port"):
        _serve._listen("127.0.0.1", port)
    monkeypatch.setattr(_serve, "DEFAULT_PORT", port)
    second = _serve._listen("127.0.0.1", None)
    assert second.getsockname()[1] != port
    first.close()
    second.close()


def test_an_address_of_another_machine_is_told():
    with pytest.raises(DataError, match=r"a --host of this machine"):
        _serve._listen("192.0.2.1", 0)
