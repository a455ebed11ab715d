"""Fetching weights, from a server on this machine that speaks as the hub does."""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec

import pytest

from histoscribe.core.errors import WeightsError
from histoscribe.encoders._fetch import fetch_weights
from histoscribe.encoders._model_card import model_cards
from histoscribe.encoders._weights import find_weights

if find_spec("huggingface_hub") is None:
    pytest.skip("needs the extra hub", allow_module_level=True)

CARD = model_cards()["phikon"]
COMMIT = "d" * 40


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, *, body):
        server = self.server
        server.asked.append(self.path)
        if server.refusal:
            self._send(403 if server.refusal == "GatedRepo" else 404, b"", {"X-Error-Code": server.refusal}, body=body)
        elif self.path.startswith("/api/models/"):
            siblings = [{"rfilename": name} for name in server.files]
            about = {"id": CARD.hub, "modelId": CARD.hub, "sha": COMMIT, "siblings": siblings}
            self._send(200, json.dumps(about).encode(), {"Content-Type": "application/json"}, body=body)
        else:
            content = server.files[self.path.rsplit("/", 1)[1]]
            etag = hashlib.sha256(content).hexdigest()
            self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, body=body)

    def _send(self, code, content, headers, *, body):
        self.send_response(code)
        for key, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(key, value)
        self.end_headers()
        if body:
            self.wfile.write(content)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    server.asked, server.refusal = [], ""
    server.files = {
        "README.md": b"x",
        "config.json": b"{}",
        "model.safetensors": b"weights",
        "pytorch_model.bin": b"old",
    }
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    # huggingface_hub reads its environment when it is imported, and other tests have imported it.
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True, raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_TOKEN", "")
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_is_fetched_is_found_offline_afterwards(hub):
    found = fetch_weights(CARD)
    assert found.file.read_bytes() == b"weights"
    assert found.revision == COMMIT
    assert not any("pytorch_model.bin" in path or "README" in path for path in hub.asked)
    hub.asked.clear()
    assert find_weights(CARD).file == found.file
    assert hub.asked == []


def test_divided_weights_are_fetched_whole(hub):
    index = {"weight_map": {"a": "part-1.safetensors", "b": "part-2.safetensors"}}
    hub.files = {"model.safetensors.index.json": json.dumps(index).encode(), "config.json": b"{}"}
    hub.files |= {"part-1.safetensors": b"1", "part-2.safetensors": b"2"}
    found = fetch_weights(CARD)
    assert {p.name for p in found.file.parent.iterdir()} == set(hub.files)


def test_a_licence_that_was_not_accepted_is_named_with_its_address(hub):
    hub.refusal = "GatedRepo"
    with pytest.raises(
        WeightsError, match=r"was not accepted, or you are not logged in. Accept it at https://.*hf auth login"
    ):
        fetch_weights(CARD)


def test_a_repository_that_is_not_shown_is_named(hub):
    hub.refusal = "RepoNotFound"
    with pytest.raises(WeightsError, match="the hub shows no owkin/phikon to you"):
        fetch_weights(CARD)


def test_a_repository_without_the_weights_says_what_it_holds(hub):
    hub.files = {"README.md": b"x"}
    with pytest.raises(WeightsError, match=r"holds README.md, but no model.safetensors or pytorch_model.bin"):
        fetch_weights(CARD)


def test_a_hub_that_cannot_be_reached_says_what_to_do(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(WeightsError, match=r"could not be downloaded .*--weights phikon=PATH"):
        fetch_weights(CARD)


def test_content_that_is_not_what_the_card_names_is_refused(hub):
    with pytest.raises(WeightsError, match="has SHA-256"):
        fetch_weights(replace(CARD, sha256="0" * 64))


def test_a_model_that_is_only_known_by_its_card_is_not_fetched(hub):
    with pytest.raises(WeightsError, match="cannot be computed here"):
        fetch_weights(model_cards()["musk"])
    assert hub.asked == []
