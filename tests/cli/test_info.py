"""`histoscribe info` on everything that it may be given."""

from __future__ import annotations

import json

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from histoscribe.cli.info import info
from histoscribe.core.errors import BundleError, DataError
from histoscribe.testing import make_feature_sections, make_section, write_visium


def run(*arguments):
    """Errors come out as they are, for the test to see."""
    command = typer.Typer()
    command.command()(info)
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


def described(*arguments):
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture(scope="module")
def outs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run", numbered=False) / "outs"
    write_visium(make_section(size_um=700.0), folder)
    return folder


def test_a_section_is_described_in_numbers_and_units(outs):
    (found,) = described(f"visium:{outs}?image={outs}/image.ome.tif&donor=P1")
    made = make_section(size_um=700.0)
    assert (found["kind"], found["donor"], found["reader"]) == ("section", "P1", "visium")
    assert (found["observations"], found["genes"]) == made.table.shape
    assert found["um_per_px"] == pytest.approx(made.mpp, rel=0.01)
    assert found["image_px"] == f"{made.slide.size[0]} x {made.slide.size[1]}"
    assert found["image_mm"] == "0.70 x 0.70"
    assert found["total_counts"] == made.depth.sum()


def test_a_donor_that_nobody_stated_is_marked(outs):
    assert described(outs)[0]["donor"].endswith("(not stated)")


def test_a_slide_alone_has_no_observations(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (300, 200), "white").save(path)
    (found,) = described(f"{path}?mpp=0.5")
    assert (found["kind"], found["um_per_px"], found["image_mm"]) == ("slide", 0.5, "0.15 x 0.10")
    assert "observations" not in found


def test_a_bundle_is_described_without_its_sections(tmp_path):
    from histoscribe.methods import expression
    from histoscribe.methods.bundle import Bundle, provenance
    from histoscribe.methods.calibration import calibrate

    sections = make_feature_sections(2, 30, seed=4)
    model = expression("ridge").fit(sections, 6, seed=7)
    path = Bundle(model, calibrate(model, sections, seed=7), provenance(sections)).save(tmp_path / "a.bundle")
    (found,) = described(path)
    assert (found["kind"], found["method"], found["genes"]) == ("bundle", "ridge", 6)
    assert found["donors"] == sorted({s.donor for s in sections})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(BundleError):
        run(path)


def test_a_prediction_is_told_from_a_section(tmp_path):
    table = ad.AnnData(
        np.zeros((5, 3), np.float32), var=pd.DataFrame({"trusted": [True, False, True]}, index=list("abc"))
    )
    table.uns["histoscribe"] = {"kind": "prediction", "unit": "ln(1 + CP10k)", "method": "ridge", "mpp": 0.5}
    path = tmp_path / "p.h5ad"
    table.write_h5ad(path)
    (found,) = described(path)
    assert found == {
        "kind": "prediction",
        "name": str(path),
        "places": 5,
        "genes": 3,
        "trusted_genes": 2,
        "unit": "ln(1 + CP10k)",
        "method": "ridge",
        "mpp": 0.5,
    }
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="truncated"):
        run(path)


def test_text_has_one_line_a_fact(outs):
    text = run(outs).stdout
    assert text.startswith("section run\n")
    assert "  um per px: 2\n" in text.replace("2.0\n", "2\n")
    assert "None" not in text
    assert "  notes: " in text


def test_what_does_not_exist_is_named(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        run(tmp_path / "nothing")
