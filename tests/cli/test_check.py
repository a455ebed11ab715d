"""`histoscribe check`: verdict, exit status, picture."""

from __future__ import annotations

import json

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from histoscribe.cli.check import check
from histoscribe.testing import make_section, write_visium


def run(*arguments):
    """Errors come out as they are, for the test to see."""
    command = typer.Typer()
    command.command()(check)
    return CliRunner().invoke(command, list(map(str, arguments)), catch_exceptions=False)


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Spec of a synthetic section that is wider than high, 150 spots or more."""
    folder = tmp_path_factory.mktemp("good") / "outs"
    image = write_visium(make_section(size_um=(2000.0, 1500.0), mpp=4.0, seed=2), folder)
    return f"visium:{folder}?image={image}"


@pytest.fixture
def swapped(good, tmp_path):
    import shutil
    from pathlib import Path

    folder = tmp_path / "swapped"
    shutil.copytree(Path(good.removeprefix("visium:").partition("?")[0]), folder)
    path = folder / "spatial" / "tissue_positions.csv"
    table = pd.read_csv(path)
    x, y = "pxl_col_in_fullres", "pxl_row_in_fullres"
    table[[x, y]] = table[[y, x]].to_numpy()
    table.to_csv(path, index=False)
    return f"visium:{folder}?image={folder}/image.ome.tif"


def test_a_right_section_passes(good):
    result = run(good)
    assert result.exit_code == 0
    assert ": ok. " in result.stdout


def test_swapped_axes_are_named_with_exit_status_one(swapped):
    result = run(swapped)
    assert result.exit_code == 1
    assert "swap x and y" in result.stdout


def test_several_sections_give_one_json_list_and_a_folder_of_pictures(good, swapped, tmp_path):
    result = run(f"{good}&name=a", f"{swapped}&name=b", "--json", "--overlay", tmp_path / "pictures")
    assert result.exit_code == 1
    first, second = json.loads(result.stdout)
    assert (first["verdict"], second["verdict"]) == ("ok", "wrong")
    assert second["suggestion"]["name"] == "swap x and y"
    assert sorted(p.name for p in (tmp_path / "pictures").iterdir()) == ["a.png", "b.png"]


def test_a_section_that_cannot_be_judged_has_its_own_status(good):
    result = run(f"{good.partition('?')[0]}?image=none")
    assert result.exit_code == 3
    assert "cannot tell" in result.stdout
