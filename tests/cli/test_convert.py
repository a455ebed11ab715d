"""`histoscribe convert`: files, labels, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from histoscribe.io import read, write
from histoscribe.testing import make_section


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_section(size_um=500.0), tmp_path_factory.mktemp("made")


def test_a_section_is_converted_and_labelled_on_the_way(made, histoscribe, tmp_path):
    section, folder = made
    section.table.obs["half"] = np.where(section.xy[:, 0] < 125, "left", "right")
    source = write(section, folder / "a.h5ad", overwrite=True)
    drawn = write(section, folder / "a.geojson", overwrite=True, key="half")
    result = histoscribe(
        "convert", source, tmp_path / "b.h5ad", "--annotations", f"side={drawn}", "--option", "slide=none"
    )
    assert result.status == 0, result.err
    assert f"{section.n_obs} observations x {section.table.n_vars} genes" in result.out
    found = read("h5ad", tmp_path / "b.h5ad")
    assert found.slide is None
    assert found.table.obs["side"].tolist() == section.table.obs["half"].tolist()


def test_mistakes_end_as_one_line(made, histoscribe, tmp_path):
    section, folder = made
    source = write(section, folder / "a.h5ad", overwrite=True)
    for words, message in (
        ((source, tmp_path / "b.xyz"), "does not say what to write"),
        ((source, tmp_path / "b.h5ad", "--to", "h5d"), "Did you mean 'h5ad'"),
        ((source, tmp_path / "b.h5ad", "--option", "slid=copy"), "Did you mean 'slide'"),
        ((source, tmp_path / "b.h5ad", "--option", "slide"), "is not key=value"),
        ((source, tmp_path / "b.h5ad", "--option", "thumbnail_px=big"), "is not a whole number"),
        ((source, source), "exists already and would be replaced"),
    ):
        result = histoscribe("convert", *words)
        assert result.status == 2
        assert message in result.err
        assert result.err.count("\n") == 1
    assert not list(tmp_path.iterdir())
