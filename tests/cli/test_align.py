import json

import numpy as np
import pytest
from typer.testing import CliRunner

import histoscribe as hs
from align.made import cut, in_tissue, motion
from histoscribe.align import read_stack
from histoscribe.cli import app
from histoscribe.core.errors import DataError, StorageError

RUN = CliRunner()


@pytest.fixture
def files(tmp_path):
    for i, m in enumerate([motion(), motion(60, 900, 100)]):
        # The file's own um/px: observations at 2 um per px.
        section = cut(in_tissue, m, i, name=f"s{i + 1}")
        hs.write(section, tmp_path / f"s{i + 1}.h5ad")
    return [str(tmp_path / f"s{i}.h5ad") for i in (1, 2)]


def test_align_writes_a_stack_with_pictures_and_prints_each_verdict(files, tmp_path):
    done = RUN.invoke(app(), ["align", *files, "--z-um", "0,16", "-o", str(tmp_path / "stack")])
    assert done.exit_code == 0, done.output
    assert "ok  s2 -> s1 (by observations): overlap" in done.output
    assert {p.name for p in (tmp_path / "stack").iterdir()} == {
        "01_s1.h5ad",
        "02_s2.h5ad",
        "pair_01.png",
        "stack.json",
    }
    stack = read_stack(tmp_path / "stack")
    assert stack.z_um.tolist() == [0, 16]
    assert np.median(np.linalg.norm(stack.xy_um[1].mean(0) - stack.xy_um[0].mean(0))) < 60


def test_align_prints_json_and_says_when_depths_are_guessed(files, tmp_path):
    words = ["align", *files, "--no-pictures", "--genes", "never", "--reference", "middle"]
    done = RUN.invoke(app(), [*words, "-o", str(tmp_path / "a"), "--json"])
    assert done.exit_code == 0, done.output
    (pair,) = json.loads(done.output)["pairs"]
    assert (pair["moving"], pair["verdict"], pair["agreement"]) == ("s1", "ok", None)
    assert "depths are guessed" in RUN.invoke(app(), [*words, "-o", str(tmp_path / "b")]).output


def test_align_refuses_what_makes_no_sense_before_the_work(files, tmp_path):
    def error(*more):
        return RUN.invoke(app(), ["align", *files, "-o", str(tmp_path / "stack"), *more]).exception

    assert isinstance(error("--images", "magic"), DataError)
    assert isinstance(error("--z-um", "0"), DataError)
    assert isinstance(error("--z-um", "0,deep"), DataError)
    assert isinstance(error("--reference", "3"), DataError)
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "stack.json").write_text("{}")
    assert isinstance(error(), StorageError)
