"""`histoscribe encode` on folders and lists of slides."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from encoders.batch_slides import paint
from histoscribe.cli.encode import encode
from histoscribe.core.errors import DataError, RegistryError


@pytest.fixture
def slides(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "cache"))
    paint(tmp_path / "slides" / "a.png")
    paint(tmp_path / "slides" / "b.png", seed=1)
    return tmp_path / "slides"


def run(*arguments):
    app = typer.Typer()
    app.command()(encode)
    return CliRunner().invoke(app, [str(a) for a in arguments], catch_exceptions=False)


def test_a_folder_is_encoded_slide_by_slide(slides, tmp_path):
    out = tmp_path / "out"
    result = run(slides, "--mpp", "1.0", "--encoder", "colour", "--out", out)
    assert result.exit_code == 0
    assert result.stdout.startswith("2 done; ")
    assert {p.name for p in out.glob("*.h5ad")} == {"a.h5ad", "b.h5ad"}
    again = json.loads(run(slides, "--mpp", "1.0", "--encoder", "colour", "--out", out, "--json").stdout)
    assert again["slides"]["skipped"] == 2


def test_failures_are_listed_and_end_with_status_1(slides, tmp_path):
    (slides / "c.svs").write_bytes(b"nothing")
    result = run(slides, "--mpp", "1.0", "--encoder", "colour", "--out", tmp_path / "out")
    assert result.exit_code == 1
    assert "failed: c: " in result.stderr
    assert "2 done, 1 failed" in result.stdout


def test_what_is_wrong_with_all_slides_is_one_error_before_any_work(slides, tmp_path):
    with pytest.raises(RegistryError, match="no encoder called 'colours'"):
        run(slides, "--encoder", "colours", "--out", tmp_path / "out")
    with pytest.raises(DataError, match="Give it by --out FOLDER"):
        run(slides, "--encoder", "colour")
    with pytest.raises(DataError, match="holds no slide whose name matches '\\*.svs'"):
        run(slides, "--encoder", "colour", "--match", "*.svs", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_list_gives_each_slide_its_scale(slides, tmp_path):
    table = slides / "list.csv"
    table.write_text("path,mpp,donor\na.png,1.0,A\nb.png,2.0,B\n")
    found = json.loads(run("--list", table, "--encoder", "colour", "--out", tmp_path / "out", "--json").stdout)
    assert {o["name"]: o["mpp"] for o in found["outcomes"]} == {"a": 1.0, "b": 2.0}
