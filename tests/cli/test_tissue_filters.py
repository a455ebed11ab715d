"""`histoscribe encode --tissue-filters`: tiles on ink go, and a finished file says what it was made with."""

import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from histoscribe.cli import app
from histoscribe.core.errors import RegistryError
from tiles.painted import MPP, ellipse, section

RUN = CliRunner()


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    image, _ = section()
    image[ellipse((210, 200), (28, 28))] = (170, 45, 60)  # a dot of red felt pen
    Image.fromarray(image).save(folder / "one.png")
    return folder


def encode(*words):
    return RUN.invoke(app(), ["encode", *map(str, words), "--encoder", "colour", "--size-um", "160"])


def test_a_single_slide_loses_its_tiles_on_ink(slides):
    n = []
    for more in ((), ("--tissue-filters", "pen")):
        done = encode(f"slide:{slides / 'one.png'}?mpp={MPP}", "--json", *more)
        assert done.exit_code == 0, done.output
        n.append(json.loads(done.stdout)["sections"][0]["n_obs"])
    assert n[1] < n[0] - 3


def test_a_folder_s_slides_carry_their_filters_and_are_not_mixed(slides, tmp_path):
    words = (slides, "--out", tmp_path, "--mpp", MPP)
    assert encode(*words, "--tissue-filters", "pen,grey").exit_code == 0
    again = encode(*words, "--tissue-filters", "pen,grey")
    assert again.exit_code == 0
    other = encode(*words)
    assert other.exit_code == 1
    assert "another tissue_filters" in " ".join(other.output.split())


def test_an_unknown_filter_is_refused_before_any_work(slides, tmp_path):
    done = encode(slides, "--out", tmp_path, "--mpp", MPP, "--tissue-filters", "pens")
    assert isinstance(done.exception, RegistryError)
    assert not np.any([p.suffix == ".h5ad" for p in tmp_path.iterdir()])
