"""Cell composition from H&E alone, on the command line: fit, predict, evaluate."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest

from histoscribe.core import keys
from histoscribe.io import write
from histoscribe.testing import make_section


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Three donors' sections on disk, and tables of what two types share as the planted depth says."""
    root = tmp_path_factory.mktemp("composition")
    for donor in range(3):
        section = make_section(donor, seed=2, genes={"nuclear-density": 2, "stroma": 2, "rest": 20})
        write(section, root / f"{donor}.h5ad")
        z = np.log(section.depth)
        share = np.clip(0.5 + 0.15 * (z - z.mean()) / z.std(), 0.05, 0.95)
        table = pd.DataFrame({"dark": share, "pale": 1 - share}, index=section.table.obs_names)
        table.to_csv(root / f"{donor}.csv")
    return root


@pytest.fixture(scope="module")
def bundle(study):
    from typer.testing import CliRunner

    from histoscribe.cli import app

    words = ["fit", *(str(study / f"{d}.h5ad") for d in (0, 1))]
    words += [w for d in (0, 1) for w in ("--composition", str(study / f"{d}.csv"))]
    words += ["--encoder", "colour", "--no-check", "--json", "-o", str(study / "c.bundle")]
    done = CliRunner().invoke(app(), words)
    assert done.exit_code == 0, done.output
    return json.loads(done.output.splitlines()[-1])


def test_a_bundle_of_composition_says_so(histoscribe, study, bundle):
    assert bundle["cell_types"] == 2
    assert bundle["calibration_unit"] == "donor"
    assert "histology-composition" in histoscribe("info", study / "c.bundle").out


def test_a_slide_gets_shares_and_they_are_scored(histoscribe, study, bundle):
    done = histoscribe("predict", study / "c.bundle", study / "2.h5ad", "-o", study / "2.out.h5ad")
    assert done.status == 0, done.err
    assert "2 cell types, proportion" in done.out
    found = anndata.read_h5ad(study / "2.out.h5ad")
    np.testing.assert_allclose(found.obsm[keys.COMPOSITION].sum(1), 1)
    words = ("evaluate", study / "2.out.h5ad", study / "2.h5ad", "--composition", study / "2.csv")
    scored = json.loads(histoscribe(*words, "--json").out)
    rows = {row["method"]: row for row in scored["scores"]}
    truth = pd.read_csv(study / "2.csv", index_col=0).loc[found.obs_names].to_numpy()
    expected = np.sqrt(((found.obsm[keys.COMPOSITION] - truth) ** 2).mean())
    assert rows["histology-composition"]["composition_rmse"] == pytest.approx(expected, rel=1e-4)
    assert rows["training-mean"]["composition_pcc_type"] == 0
    assert "training-mean" in histoscribe(*words).out


def test_mistakes_are_named(histoscribe, study, bundle):
    one = ("fit", study / "0.h5ad", study / "1.h5ad", "--composition", study / "0.csv", "-o", study / "x")
    assert "1 --composition for 2 sections" in histoscribe(*one).err
    histoscribe("predict", study / "c.bundle", study / "2.h5ad", "-o", study / "2.out.h5ad")
    plain = histoscribe("evaluate", study / "2.out.h5ad", study / "2.h5ad")
    assert "is of cell composition, not of expression" in plain.err
    report = histoscribe("report", study / "2.out.h5ad", "-o", study / "r.html")
    assert "is of cell composition, and reports are of expression" in report.err
    own = ("evaluate", study / "2.out.h5ad", study / "0.h5ad", "--composition", study / "0.csv")
    assert "trained on" in histoscribe(*own).err
