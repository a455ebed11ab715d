"""`histoscribe report` from files to a file."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from histoscribe.cli import app
from histoscribe.core.errors import DataError, GeneError
from histoscribe.testing import make_section
from reports.example import predict


def run(*arguments):
    return CliRunner().invoke(app(), ["report", *map(str, arguments)], catch_exceptions=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from histoscribe.testing import write_visium

    root = tmp_path_factory.mktemp("report")
    section = make_section(donor=3)
    write_visium(section, root / "measured")
    predict(section).write_h5ad(root / "prediction.h5ad")
    return root


def test_a_prediction_alone_becomes_a_report(folder, tmp_path):
    out = tmp_path / "r.html"
    result = run(folder / "prediction.h5ad", "--out", out, "--json")
    assert result.exit_code == 0
    summary = json.loads(result.stdout)
    assert summary == {"out": str(out), "bytes": out.stat().st_size, "evaluated": False}


def test_a_measured_section_is_evaluated_first(folder, tmp_path):
    out = tmp_path / "r.html"
    image = folder / "measured" / "image.ome.tif"
    result = run(folder / "prediction.h5ad", "--measured", f"visium:{folder / 'measured'}?image={image}", "--out", out)
    assert result.exit_code == 0, result.output
    assert "wrote" in result.output
    page = out.read_text(encoding="utf-8")
    assert "Predicted − measured" in page
    assert "log-depth-oracle" in page


def test_asked_for_genes_are_checked(folder, tmp_path):
    with pytest.raises(GeneError, match="'NOPE' is not among the 12 predicted genes"):
        run(folder / "prediction.h5ad", "--genes", "NOPE", "--out", tmp_path / "r.html")


def test_a_missing_prediction_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere.h5ad does not exist"):
        run(tmp_path / "nowhere.h5ad")


def test_training_sections_without_a_measured_one_are_refused(folder):
    result = run(folder / "prediction.h5ad", "--train", "x")
    assert result.exit_code == 2
    assert "Give --measured as well" in " ".join(result.output.split())
