"""Without any path: the studio answers at once, and shows generated sections one by one as they are made."""

from __future__ import annotations

import shutil
import time

import pytest

from histoscribe.studio.items import _demo


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache of the test's own, and small tissue."""
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(_demo, "_SIZE_UM", 600.0)
    monkeypatch.setattr(_demo, "_TRAINING_UM", 600.0)
    return tmp_path / "cache"


def until_made(client, seen):
    """Ask for the list, as the page does, until nothing is being made; what came when goes into `seen`."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        answer = client.get("/api/items").json()
        for item in answer["items"]:
            if item["id"] not in seen:
                seen[item["id"]] = item["kind"], answer["making"]
        if not answer["making"]:
            return answer
        time.sleep(0.02)
    pytest.fail("the demo was never made")


def test_generated_sections_join_one_by_one_and_are_kept_even_where_the_first_start_was_stopped(cache, make_client):
    maker = _demo.DemoMaker()
    next(maker.specs())
    maker.close()
    image = _demo.demo_folder() / "section" / "image.ome.tif"
    before = image.stat().st_mtime_ns
    assert not _demo.demo_is_made()
    with make_client() as client:
        assert client.get("/api/meta").json()["demo"]
        seen = {}
        answer = until_made(client, seen)
        assert [kind for kind, _ in seen.values()] == ["section", "prediction"]
        assert next(iter(seen.values())) == ("section", True)  # before its prediction was there
        assert answer["making_error"] is None
        assert [item["state"] for item in answer["items"]] == ["ready", "ready"]
        section = client.get(f"/api/items/{answer['items'][0]['id']}").json()
        assert [layer["name"] for layer in section["layers"]] == ["measured", "predicted", "residual", "uncertainty"]
        assert not section["opening_others"]
        assert [b["name"] for b in client.get("/api/bundles").json()["bundles"]] == ["synthetic"]
    assert image.stat().st_mtime_ns == before
    assert not list(_demo.demo_folder().glob(".making-*"))
    made = {path: path.stat().st_mtime_ns for path in _demo.demo_folder().rglob("*") if path.is_file()}
    _demo.make_demo()  # nothing is left to make
    assert len(list(_demo.DemoMaker().specs())) == 3
    assert {path: path.stat().st_mtime_ns for path in made} == made


def test_a_cache_that_cannot_be_written_is_told_on_the_page(cache, make_client):
    shutil.rmtree(cache, ignore_errors=True)
    cache.write_text("a file where the folder should be")
    with make_client() as client:
        answer = until_made(client, {})
        assert answer["items"] == []
        assert answer["making_error"]["where"] == "generated sections"
        assert "HISTOSCRIBE_CACHE" in answer["making_error"]["todo"]
        assert str(cache) not in str(answer)
