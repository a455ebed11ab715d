"""A method from an outside package: command line, contract and board row, with nothing of ours changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "histoscribe-pls"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Install the package as pip would: its module and its entry points in a folder on the path."""
    site = tmp_path_factory.mktemp("site")
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    shutil.copy(EXAMPLE / "histoscribe_pls.py", site)
    info = site / f"histoscribe_pls-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"]
    lines = [
        line for group, names in groups.items() for line in (f"[{group}]", *(f"{n} = {v}" for n, v in names.items()))
    ]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return os.environ | {"PYTHONPATH": str(site)}


def run(environment, *words, cwd=None):
    done = subprocess.run(
        [sys.executable, *words], env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_appears_in_the_command_line(environment):
    found = json.loads(run(environment, "-m", "histoscribe", "methods", "list", "--json"))
    assert "pls" in [f["name"] for f in found]
    assert "Partial least squares" in run(environment, "-m", "histoscribe", "methods", "info", "pls")


def test_it_passes_the_public_contract(environment):
    run(environment, "-c", "from histoscribe.testing import check_method; check_method('pls')")


def test_it_gets_a_board_row(environment, tmp_path):
    suite = Path(__file__).with_name("plugin-board.toml")
    words = ["-m", "histoscribe", "bench"]
    folders = ["--out", str(tmp_path / "results"), "--work", str(tmp_path / "work")]
    run(environment, *words, "run", str(suite), "--methods", "pls", *folders, cwd=tmp_path)
    board = run(
        environment, *words, "board", "plugin-board", "--format", "markdown", "--records", str(tmp_path / "results")
    )
    assert "| pls |" in board or "| `pls` |" in board
