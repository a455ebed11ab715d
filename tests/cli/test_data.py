"""`histoscribe data`, as a user runs it, against a server in this process."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from histoscribe.io.data import _registry
from histoscribe.io.data._registry import parse_data_set
from histoscribe.testing import make_section

TOY = """
id = "toy"
title = "A toy"
licence = "CC0-1.0"
licence_source = "its page"
homepage = "http://127.0.0.1/toy"
platform = ["st"]
read = ["st-array:{dir}?section={sample}&donor={donor}"]
samples = ["A1", "B1"]
donors = { A1 = "A", B1 = "B" }

[[files]]
part = "counts"
url = "URL/{sample}.tsv"
to = "{sample}.tsv"
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def toy(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("A1", "B1"):
        (source / f"{name}.tsv").write_text(f"counts of {name}\n")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(source)))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    entry = parse_data_set(TOY.replace("URL", f"http://127.0.0.1:{server.server_port}"), where="toy")
    monkeypatch.setattr(_registry, "data_sets", lambda: {"toy": entry})
    monkeypatch.setattr("histoscribe.io.data.data_sets", _registry.data_sets)
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HISTOSCRIBE_DATA", str(tmp_path / "data"))
    yield tmp_path / "data" / "toy"
    server.shutdown()
    server.server_close()


def test_fetch_shows_the_licence_brings_the_files_and_says_how_to_read_them(histoscribe, toy):
    result = histoscribe("data", "fetch", "toy")
    assert result.status == 0
    assert "licence: CC0-1.0 (source: its page)" in result.out
    assert "2 files new, 0 were there" in result.out
    assert f"read: st-array:{toy}?section=A1&donor=A" in result.out
    assert (toy / "B1.tsv").read_text() == "counts of B1\n"


def test_a_dry_run_lists_files_and_downloads_none(histoscribe, toy):
    said = histoscribe("data", "fetch", "toy", "--dry-run", "--sample", "A*").out
    assert "13 B  A1.tsv" in said
    assert "1 files of 1 samples, 13 B; nothing was downloaded" in said
    body = json.loads(histoscribe("data", "fetch", "toy", "--dry-run", "--json").out)
    assert [f["path"] for f in body["files"]] == ["A1.tsv", "B1.tsv"]
    assert not toy.exists()


def test_list_says_what_is_there_and_info_how_to_read_it(histoscribe, toy):
    assert json.loads(histoscribe("data", "list", "--json").out)[0]["present"] is None
    histoscribe("data", "fetch", "toy", "--json")
    assert json.loads(histoscribe("data", "list", "--json").out)[0]["present"]["files"] == 2
    assert "2 files, 26 B" in histoscribe("data", "list").out
    said = histoscribe("data", "info", "toy").out
    assert f"st-array:{toy}?section=A1&donor=A" in said
    assert json.loads(histoscribe("data", "info", "toy", "--json").out)["parts"] == ["counts"]


def test_verify_ends_with_status_1_where_a_file_is_damaged_and_fetch_mends_it(histoscribe, toy):
    histoscribe("data", "fetch", "toy")
    assert histoscribe("data", "verify", "toy").status == 0
    (toy / "A1.tsv").write_text("counts of XX\n")
    result = histoscribe("data", "verify", "toy")
    assert result.status == 1
    assert "damaged   A1.tsv" in result.out
    body = json.loads(histoscribe("data", "verify", "toy", "--json").out)
    assert (body["damaged"], body["good"]) == (["A1.tsv"], 1)
    histoscribe("data", "fetch", "toy", "--check")
    assert histoscribe("data", "verify", "toy").status == 0


def test_mistakes_end_as_one_line(histoscribe, toy):
    for words in (("fetch", "toi"), ("verify", "toy"), ("fetch", "toy", "--sample", "Z9")):
        result = histoscribe("data", *words)
        assert result.status == 2
        assert result.err.startswith("histoscribe: ")
        assert len(result.err.strip().splitlines()) == 1


def test_duplicates_ends_with_status_1_where_two_files_hold_the_same_tissue(histoscribe, tmp_path):
    one, other = (make_section(d, seed=d, size_um=700, mpp=4.0, genes={"gland": 4, "rest": 200}).table for d in (0, 1))
    twin = one[::-1].copy()
    twin.obs_names = [f"b{i}" for i in range(twin.n_obs)]
    specs = []
    for name, table in {"one": one, "other": other, "twin": twin}.items():
        table.uns.clear()
        table.write_h5ad(tmp_path / f"{name}.h5ad")
        specs.append(f"h5ad:{tmp_path / name}.h5ad?image=none&mpp=4&donor={name}&name={name}")
    result = histoscribe("data", "duplicates", *specs)
    assert result.status == 1
    assert "100% of the observations of one and twin" in result.out
    assert "3 sections, 1 pairs" in result.out
    body = json.loads(histoscribe("data", "duplicates", *specs, "--json").out)
    assert [(d["first"], d["second"], d["reason"]) for d in body["duplicates"]] == [("one", "twin", "counts")]
    assert histoscribe("data", "duplicates", *specs[:2], "--no-images").status == 0
