"""`histoscribe encoders`: what a user sees of encoders, their licences and their weights."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from histoscribe.bench import plan
from histoscribe.bench.suite import load_suite
from histoscribe.cli import app
from histoscribe.core.errors import DataError, RegistryError, WeightsError
from histoscribe.encoders import ENCODERS, _measure, foundation
from histoscribe.encoders._model_card import model_cards
from histoscribe.encoders.foundation import encoder_class
from histoscribe.testing import make_section, write_visium
from histoscribe.testing._small_model import small_card, write_model

if find_spec("timm") is None:
    pytest.skip("needs the extra hub", allow_module_level=True)


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    for name in ("HISTOSCRIBE_WEIGHTS", "HISTOSCRIBE_COMMERCIAL", "HF_HUB_CACHE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def small(monkeypatch, tmp_path):
    """UNI, shrunk, with weights in a folder."""
    card = small_card(model_cards()["uni"])
    monkeypatch.setitem(vars(foundation), "uni", encoder_class(card))
    return write_model(card, tmp_path / "models" / "uni")


def call(*words, status=0):
    done = CliRunner().invoke(app(), ["encoders", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == status, done.output
    return done.output


def test_list_shows_every_encoder_with_licence_and_state():
    rows = {row["name"]: row for row in json.loads(call("list", "--json"))}
    assert set(rows) == set(ENCODERS)
    assert rows["uni2-h"]["gated"]
    assert not rows["uni2-h"]["commercial_use"]
    assert {rows[name]["state"] for name in ("colour", "uni", "conch")} == {"built in", "not here", "card only"}
    text = call("list")
    assert "CC-BY-NC-ND-4.0" in text
    assert "`histoscribe encoders info NAME` says how to get one" in text


def test_list_is_narrowed_to_what_can_be_used():
    names = {row["name"] for row in json.loads(call("list", "--commercial", "--json"))}
    assert "virchow" in names
    assert not names & {"uni", "virchow2", "gigapath"}
    assert {row["name"] for row in json.loads(call("list", "--ready", "--json"))} == {
        "colour",
        "efficientnet-lite0",
        "random",
    }


def test_weights_of_a_command_are_those_of_no_other(small):
    assert json.loads(call("info", "uni", "--weights", small.parent, "--json"))["state"] == "ready"
    assert "HISTOSCRIBE_WEIGHTS" not in os.environ
    assert json.loads(call("info", "uni", "--json"))["state"] == "not here"


@pytest.mark.parametrize("name", ENCODERS)
def test_info_says_what_an_encoder_is_and_how_to_get_it(name):
    text = call("info", name)
    card = ENCODERS.get(name).card
    assert card.licence in text
    assert (card.paper or card.reference) in text
    if hasattr(card, "hub"):
        assert "revision: not pinned" in text
        assert ("fetch" in text) == card.loads


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(RegistryError, match="Did you mean 'virchow2'"):
        call("info", "virchow-2")


def test_fetch_refuses_what_needs_none():
    with pytest.raises(RegistryError, match="part of the package, so there is nothing to fetch"):
        call("fetch", "colour")
    with pytest.raises(WeightsError, match="cannot be computed here"):
        call("fetch", "keep", "--json")


def test_doctor_finds_weights_and_loads_them(small, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", f"uni={small}")
    found = {row["name"]: row for row in json.loads(call("doctor", "--load", "--json"))}
    assert found["uni"]["detail"].endswith("loads, 24 features")
    assert found["hub log-in"]["detail"].startswith("none")
    assert "virchow (gated)" in found["not here"]["detail"]
    (small / "model.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    assert "FAIL  uni" in call("doctor", status=1)


def test_doctor_fails_where_a_named_place_is_not_there(monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", "/nowhere/at/all")
    assert "FAIL  HISTOSCRIBE_WEIGHTS: /nowhere/at/all (any encoder) does not exist" in call("doctor", status=1)


def test_bench_says_which_weights_it_timed(small, monkeypatch):
    # In this process: a fresh one would not know the shrunken card.
    def here(name, *, n_tiles, threads, device):
        return _measure._measured(name, n_tiles, threads, device)

    monkeypatch.setattr(_measure, "measure_encoder", here)
    own, untrained = (
        json.loads(call("bench", "uni", "--tiles", "1", "--threads", "1", *words, "--json"))[0]
        for words in (("--weights", small), ())
    )
    assert (own["weights"], untrained["weights"]) == ("own", "random")
    assert own["dim"] == untrained["dim"] == 24
    assert own["tiles_per_second"] > 0
    assert "RANDOM WEIGHTS: the speed is real, the features are not" in call("bench", "uni", "--tiles", "1")
    (small / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(WeightsError, match="cannot be read"):
        call("bench", "uni", "--tiles", "1", "--weights", small)
    with pytest.raises(DataError, match="--device 'gpu' is unknown"):
        call("bench", "uni", "--device", "gpu")


def test_bench_runs_in_a_process_of_its_own():
    (row,) = json.loads(call("bench", "colour", "--tiles", "2", "--json"))
    assert row["dim"] == 8
    assert row["runtime"].startswith("numpy")


def test_fit_and_predict_take_weights(histoscribe, small, tmp_path):
    image = write_visium(make_section(0, seed=1, size_um=600.0, mpp=2.0), tmp_path / "d0")
    spec, out = f"visium:{tmp_path / 'd0'}?image={image}&donor=d0", tmp_path / "a.bundle"
    words = ("--encoder", "uni[class+mean]", "--genes", "5", "--no-calibration", "-o", out)
    without = histoscribe("fit", spec, *words)
    assert without.status == 2
    assert "the weights of encoder 'uni' are not on this machine" in without.err
    assert without.err.count("\n") == 1
    fitted = histoscribe("fit", spec, *words, "--weights", f"uni={small}")
    assert fitted.status == 0, fitted.err
    predicted = histoscribe("predict", out, spec, "-o", tmp_path / "p.h5ad", "--weights", small.parent)
    assert predicted.status == 0, predicted.err
    other = write_model(ENCODERS.get("uni").card, tmp_path / "other", seed=5)
    refused = histoscribe("predict", out, spec, "-o", tmp_path / "q.h5ad", "--weights", other)
    assert refused.status == 2
    assert "its features differ" in refused.err


def test_runs_of_a_benchmark_are_told_apart_by_weights(small, tmp_path, monkeypatch):
    suite = load_suite("synthetic-planted")
    entry = next(entry for entry in suite.methods if entry.method == "ridge")

    def key():
        return plan._method(suite, entry, 0, "data", plan._Given("uni")).key

    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", str(small))
    first = key()
    assert key() == first
    other = write_model(ENCODERS.get("uni").card, tmp_path / "other", seed=5)
    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", str(other))
    assert key() != first
