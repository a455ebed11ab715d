"""`histoscribe encode` on a small picture, start to end."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pytest
import typer
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from histoscribe.cli.encode import encode
from histoscribe.core.errors import DataError, RegistryError
from histoscribe.core.features import Features


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(folder))
    return folder


@pytest.fixture
def slide(tmp_path, rng):
    """A pink ellipse with purple dots on white, 600 x 500 px."""
    picture = Image.new("RGB", (600, 500), (243, 242, 244))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 50, 540, 450), fill=(222, 160, 196))
    for x, y in rng.uniform((120, 110), (480, 390), (400, 2)):
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(96, 58, 140))
    path = tmp_path / "slide.png"
    picture.save(path)
    return f"slide:{path}?mpp=1.0"


def run(*arguments):
    """Errors come out as they are, for the test to see."""
    app = typer.Typer()
    app.command()(encode)
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def test_the_summary_says_what_was_made(slide):
    found = json.loads(run(slide, "--encoder", "colour", "--size-um", "100,200", "--json").stdout)
    (section,) = found["sections"]
    assert found["encoder"] == "colour"
    assert section["dim"] == 16
    assert section["blocks"] == {"colour@100um": [0, 8], "colour@200um": [8, 16]}
    assert section["n_obs"] > 4
    assert section["out"] is None


def test_a_smaller_step_makes_more_tiles(slide):
    n = [
        json.loads(run(slide, "--encoder", "colour", "--size-um", "100", *step, "--json").stdout)["sections"][0][
            "n_obs"
        ]
        for step in ([], ["--step-um", "50"])
    ]
    assert n[1] > 2 * n[0]


def test_the_written_file_holds_features_and_says_where_its_pixels_are(slide, tmp_path):
    out = tmp_path / "features.h5ad"
    result = run(slide, "--encoder", "colour", "--size-um", "100", "--out", str(out))
    assert str(out) in result.stdout
    table = ad.read_h5ad(out)
    features = Features.of(table)
    assert features.matrix.shape == (table.n_obs, 8)
    assert table.uns["histoscribe"]["mpp"] == 1.0
    assert table.uns["histoscribe"]["slide"].endswith("slide.png")
    # Tissue is pink: less green than red.
    assert (features.matrix[:, 1] < features.matrix[:, 0]).all()


def test_a_second_run_takes_everything_from_the_cache(slide, cache):
    arguments = (slide, "--encoder", "random", "--size-um", "200", "--threads", "1", "--json")
    first = json.loads(run(*arguments).stdout)
    stamps = {path: path.stat().st_mtime_ns for path in cache.rglob("features.npy")}
    second = json.loads(run(*arguments).stdout)
    assert first["sections"] == second["sections"]
    assert stamps == {path: path.stat().st_mtime_ns for path in cache.rglob("features.npy")}
    assert len(stamps) == 1


def test_several_sections_go_to_a_folder(slide, tmp_path):
    run(slide + "&name=one", slide + "&name=two", "--encoder", "colour", "--out", str(tmp_path / "made"))
    one, two = (ad.read_h5ad(tmp_path / "made" / f"{name}.h5ad") for name in ("one", "two"))
    np.testing.assert_array_equal(one.obsm["X_colour"], two.obsm["X_colour"])


def test_several_sections_in_one_file_are_refused_before_any_work(slide, tmp_path, cache):
    with pytest.raises(DataError, match="is one file, but there are 2 sections"):
        run(slide + "&name=one", slide + "&name=two", "--encoder", "colour", "--out", str(tmp_path / "a.h5ad"))
    assert not cache.exists()


def test_an_unknown_encoder_is_one_clear_error(slide):
    with pytest.raises(RegistryError, match="no encoder called 'unyx'"):
        run(slide, "--encoder", "unyx")


def test_sizes_that_are_no_numbers_are_one_clear_error(slide):
    with pytest.raises(DataError, match="are not numbers"):
        run(slide, "--size-um", "small")
