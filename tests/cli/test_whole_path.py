"""Fit on measured sections, predict a slide that was never measured, and every way a user can get it wrong."""

from __future__ import annotations

import json
import os

import anndata
import numpy as np
import pytest
import tifffile
from PIL import Image

from histoscribe.methods.bundle import Bundle
from histoscribe.testing import make_section, write_visium

GENES = {"gland": 2, "nuclear-density": 2, "null": 2, "rest": 20}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Specs of three donors' sections in Space Ranger's layout, and their folders."""
    root = tmp_path_factory.mktemp("study")
    specs = []
    for donor in range(3):
        image = write_visium(make_section(donor, seed=1, size_um=1100.0, mpp=2.0, genes=GENES), root / f"d{donor}")
        specs.append(f"visium:{root / f'd{donor}'}?image={image}&donor=d{donor}&name=s{donor}")
    return root, specs


@pytest.fixture(scope="module")
def bundle(study):
    from histoscribe.io import read_specs
    from histoscribe.methods.train import fit

    root, specs = study
    return fit(read_specs(specs[:2]), encoder="colour", genes=10).save(root / "colour.bundle")


def test_fit_predict_and_evaluate_by_the_command_line_alone(histoscribe, study, tmp_path):
    _, specs = study
    out = tmp_path / "a.bundle"
    fitted = histoscribe("fit", *specs[:2], "--encoder", "colour", "--genes", "10", "-o", out, "--json")
    assert fitted.status == 0, fitted.err
    summary = json.loads(fitted.out)
    assert (summary["calibration_unit"], summary["n_units"], summary["level"]) == ("donor", 2, 0.6)
    predicted = histoscribe("predict", out, specs[2], "-o", tmp_path / "p.h5ad")
    assert predicted.status == 0, predicted.err
    assert "SYNTHETIC" in predicted.out
    table = anndata.read_h5ad(tmp_path / "p.h5ad")
    assert table.uns["histoscribe"]["synthetic"]
    assert {"lower", "upper"} <= set(table.layers)
    assert (table.layers["lower"] <= table.layers["upper"]).all()
    judged = histoscribe("evaluate", tmp_path / "p.h5ad", specs[2], "--json")
    assert judged.status == 0, judged.err
    assert "training-mean" in judged.out


def test_a_grid_prediction_needs_the_image_alone_and_stays_on_the_tissue(histoscribe, study, bundle, tmp_path):
    root, _ = study
    result = histoscribe("predict", bundle, root / "d2" / "image.ome.tif", "-o", tmp_path / "p.h5ad")
    assert result.status == 0, result.err
    table = anndata.read_h5ad(tmp_path / "p.h5ad")
    assert 10 < table.n_obs < (1100 / 112) ** 2
    assert table.obs_names[0].startswith("x")
    assert np.isfinite(table.X).all()


def test_a_tissue_filter_takes_what_it_names_from_the_grid(histoscribe, study, bundle, tmp_path):
    root, _ = study
    pixels = tifffile.imread(root / "d2" / "image.ome.tif").copy()
    rows = slice(pixels.shape[0] // 2 - 60, pixels.shape[0] // 2 + 60)
    pixels[rows] = (30, 40, 150)
    Image.fromarray(pixels).save(tmp_path / "marked.png")
    spec, tables = f"{tmp_path / 'marked.png'}?mpp=2", []
    for i, more in enumerate([(), ("--tissue-filters", "blue-pen")]):
        result = histoscribe("predict", bundle, spec, "-o", tmp_path / f"{i}.h5ad", *more)
        assert result.status == 0, result.err
        tables.append(anndata.read_h5ad(tmp_path / f"{i}.h5ad"))
    on_mark = [((t.obsm["spatial"][:, 1] > rows.start) & (t.obsm["spatial"][:, 1] < rows.stop)).sum() for t in tables]
    assert on_mark[0] > 0 == on_mark[1]
    assert [t.uns["histoscribe"]["tissue_filters"] for t in tables] == ["", "blue-pen"]
    fails(histoscribe("predict", bundle, spec, "-o", tmp_path / "p.h5ad", "--tissue-filters", "blue"), "blue-pen")


def test_predicting_never_looks_at_the_counts(study, bundle, tmp_path):
    """Other counts and no depth at all: the prediction stays the same to the bit."""
    import histoscribe as hs
    from histoscribe.io import read_spec

    _, specs = study
    section = read_spec(specs[2])
    table = section.table.copy()
    table.layers["counts"] = table.layers["counts"] * 3
    table.obs["total_counts"] = np.nan
    first, second = hs.predict(section, bundle), hs.predict(section.replace(table=table), bundle)
    np.testing.assert_array_equal(first.X, second.X)


def fails(result, *words):
    assert result.status == 2
    assert result.err.startswith("histoscribe: ")
    assert result.err.count("\n") == 1, result.err
    for word in words:
        assert word in result.err


def test_a_slide_without_a_scale_is_refused(histoscribe, study, bundle, tmp_path):
    Image.new("RGB", (300, 300), "white").save(tmp_path / "slide.png")
    fails(histoscribe("predict", bundle, tmp_path / "slide.png", "-o", tmp_path / "p.h5ad"), "um/px", "mpp=")
    assert not (tmp_path / "p.h5ad").exists()


def test_a_blank_slide_has_no_tissue(histoscribe, bundle, tmp_path):
    Image.new("RGB", (600, 600), (243, 240, 242)).save(tmp_path / "slide.png")
    result = histoscribe("predict", bundle, f"{tmp_path / 'slide.png'}?mpp=2", "-o", tmp_path / "p.h5ad")
    fails(result, "tissue")


def test_a_coarser_slide_is_refused_and_upsampled_only_when_asked(histoscribe, study, bundle, tmp_path):
    root, _ = study
    coarse = f"{root / 'd2' / 'spatial' / 'tissue_lowres_image.png'}?mpp=4"
    fails(histoscribe("predict", bundle, coarse, "-o", tmp_path / "p.h5ad"), "4 um/px", "coarser", "--rescale")
    asked = histoscribe("predict", bundle, coarse, "-o", tmp_path / "p.h5ad", "--rescale")
    assert asked.status == 0, asked.err
    assert "UPSAMPLED" in asked.out


def test_a_bundle_of_another_species_or_encoder_is_refused(histoscribe, study, bundle, tmp_path, monkeypatch):
    _, specs = study
    human = specs[2] + "&species=human"
    fails(histoscribe("predict", bundle, human, "-o", tmp_path / "p.h5ad"), "'human'", "'synthetic'")
    from histoscribe.encoders.colour import Colour

    monkeypatch.setattr(Colour, "fingerprint", lambda _: "another-version")
    fails(histoscribe("predict", bundle, specs[2], "-o", tmp_path / "p.h5ad"), "another-version", "fit again")


def test_genes_that_no_section_has_are_named(histoscribe, study, tmp_path):
    _, specs = study
    (tmp_path / "genes.txt").write_text("GLAND01\nNOSUCH\n")
    words = ("--encoder", "colour", "--genes", tmp_path / "genes.txt", "-o", tmp_path / "a.bundle")
    fails(histoscribe("fit", *specs[:2], *words), "NOSUCH")


def test_swapped_axes_are_refused_before_anything_is_learned(histoscribe, tmp_path):
    import pandas as pd

    image = write_visium(make_section(5, seed=1, size_um=(2000.0, 1300.0), mpp=4.0, genes=GENES), tmp_path / "swapped")
    path = tmp_path / "swapped" / "spatial" / "tissue_positions.csv"
    table = pd.read_csv(path)
    x, y = "pxl_col_in_fullres", "pxl_row_in_fullres"
    table[[x, y]] = table[[y, x]].to_numpy()
    table.to_csv(path, index=False)
    result = histoscribe("fit", f"visium:{tmp_path / 'swapped'}?image={image}", "-o", tmp_path / "a.bundle")
    fails(result, "swap")
    assert not (tmp_path / "a.bundle").exists()


def test_a_full_disk_keeps_the_old_bundle(histoscribe, study, bundle, tmp_path, monkeypatch):
    import errno

    _, specs = study
    before = bundle.read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    fails(histoscribe("fit", *specs[:2], "--encoder", "colour", "--genes", "10", "-o", bundle), "No space left")
    assert bundle.read_bytes() == before


def test_parameters_and_sizes_say_what_was_expected(histoscribe, study, tmp_path):
    _, specs = study
    fails(histoscribe("fit", specs[0], "-o", tmp_path / "a", "--size-um", "big"), "112,224,448")
    fails(histoscribe("fit", specs[0], "-o", tmp_path / "a", "--param", "pca"), "--param pca=256")
    fails(histoscribe("fit", specs[0], "-o", tmp_path / "a", "--method", "rigde"), "'ridge'")
    fails(histoscribe("fit", specs[0], "-o", tmp_path / "a", "--encoder", "color", "--genes", "3"), "'colour'")
    fails(histoscribe("fit", specs[0], "-o", tmp_path / "a", "--param", "colour=1"), "ridge", "strength")


def test_a_bundle_says_what_it_was_trained_on(bundle):
    training = Bundle.load(bundle).provenance["training"]
    assert [t["donor"] for t in training] == ["d0", "d1"]
    assert all(len(t["digest"]) == 64 for t in training)
