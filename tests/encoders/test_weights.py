"""Weights of foundation models: where they are looked for, and what each wrong file is told."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from histoscribe.core.errors import RegistryError, WeightsError
from histoscribe.encoders import _weight_files, make_encoder, weights_fingerprint
from histoscribe.encoders._model_card import model_cards
from histoscribe.encoders._status import encoder_state, has_token
from histoscribe.encoders._weight_files import content_digest, read_weights
from histoscribe.encoders._weights import find_weights, weight_places
from histoscribe.encoders.foundation import encoder_class
from histoscribe.testing._small_model import small_card, write_model

if find_spec("timm") is None:
    pytest.skip("needs the extra hub", allow_module_level=True)

CARD = small_card(model_cards()["uni"])
TILE = np.zeros((1, 3, 224, 224), dtype=np.uint8)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_model(CARD, tmp_path_factory.mktemp("models") / "uni")


@pytest.fixture
def folder(written, tmp_path):
    return shutil.copytree(written, tmp_path / "uni")


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    """No weights of this machine: an empty hub cache, no places."""
    for name in ("HISTOSCRIBE_WEIGHTS", "HISTOSCRIBE_COMMERCIAL", "HF_HUB_CACHE", "HF_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "cache"))


def make(path, card=CARD):
    return encoder_class(card)(threads=1, device="cpu", weights=path)


def snapshot(folder, root, commit, *, main=True):
    repository = root / "models--MahmoodLab--uni"
    shutil.copytree(folder, repository / "snapshots" / commit)
    if main:
        (repository / "refs").mkdir(parents=True)
        (repository / "refs/main").write_text(commit)
    return repository


def test_without_weights_the_error_says_how_to_get_them():
    with pytest.raises(
        WeightsError, match=r"'uni' are not on this machine.*Accept its licence \(CC-BY-NC-ND-4.0\)"
    ) as err:
        make_encoder("uni")
    assert "https://huggingface.co/MahmoodLab/uni" in str(err.value)
    assert "histoscribe encoders fetch uni" in str(err.value)
    assert "--weights" in str(err.value)
    with pytest.raises(WeightsError, match="Run `histoscribe encoders fetch phikon`"):
        make_encoder("phikon")  # not gated: no licence to accept
    assert encoder_state("uni").state == "not here"


def test_places_are_searched_in_order(folder, tmp_path, monkeypatch):
    snapshot(folder, tmp_path / "hf/hub", "a" * 40)
    assert find_weights(CARD).revision == "a" * 40
    named = shutil.copytree(folder, tmp_path / "named")
    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", f"virchow={tmp_path}:{tmp_path / 'nowhere'}:uni={named}")
    assert find_weights(CARD).place == str(named)
    of_all = tmp_path / "all"
    shutil.copytree(folder, of_all / "uni")
    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", f"{of_all}:uni={named}")
    assert find_weights(CARD).place == str(of_all / "uni")
    assert find_weights(CARD, folder).place == str(folder)
    state = encoder_state("uni")
    assert (state.state, state.detail) == ("ready", str(of_all / "uni"))


def test_a_hub_cache_in_any_folder_serves(folder, tmp_path):
    snapshot(folder, tmp_path / "mirror", "b" * 40)
    found = find_weights(CARD, tmp_path / "mirror")
    assert found.file.name == "model.safetensors"
    assert found.config is not None
    assert found.revision == "b" * 40


def test_several_revisions_without_a_current_one_are_refused(folder, tmp_path):
    for commit in ("a" * 40, "b" * 40):
        snapshot(folder, tmp_path / "hf/hub", commit, main=False)
    with pytest.raises(WeightsError, match="holds 2 revisions of MahmoodLab/uni.*Give one"):
        find_weights(CARD)


def test_a_pinned_revision_is_the_only_one_taken(folder, tmp_path):
    snapshot(folder, tmp_path / "hf/hub", "a" * 40)
    with pytest.raises(WeightsError, match="not on this machine"):
        find_weights(replace(CARD, revision="c" * 40))
    assert find_weights(replace(CARD, revision="a" * 40)).revision == "a" * 40


def test_places_are_split_into_encoder_and_path(monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", "/a/x=1:uni=/b::virchow2=~/c")
    (first, second, third) = weight_places()
    assert (first[0], str(first[1])) == (None, "/a/x=1")
    assert (second[0], str(second[1])) == ("uni", "/b")
    assert third[0] == "virchow2"
    assert "~" not in str(third[1])


def test_a_folder_without_weights_says_what_is_there(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/README.md").write_text("x")
    with pytest.raises(WeightsError, match=r"there is README.md, but no model.safetensors or pytorch_model.bin"):
        make(tmp_path / "empty")
    with pytest.raises(WeightsError, match="nowhere does not exist"):
        make(tmp_path / "nowhere")


def test_a_file_that_is_no_file_of_weights_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(WeightsError, match=r"its name ends in '.txt'. Give one of model.safetensors"):
        make(tmp_path / "notes.txt")


def test_a_pointer_of_git_lfs_is_refused(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(WeightsError, match=r"is a Git LFS pointer of 63 bytes.*git lfs pull"):
        make(folder)


def test_an_empty_file_is_refused(folder):
    (folder / "model.safetensors").write_bytes(b"")
    with pytest.raises(WeightsError, match="is empty"):
        make(folder)


def test_a_truncated_file_is_refused(folder):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="cannot be read as weights of uni .*Download it again"):
        make(folder).encode(TILE)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "touched"), "w"))

    torch.save({"a": Evil()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="tensors only, since HistoScribe runs no code"):
        make(tmp_path / "pytorch_model.bin").encode(TILE)
    assert not (tmp_path / "touched").exists()


def test_a_file_without_arrays_is_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match="holds no arrays by name"):
        make(tmp_path / "pytorch_model.bin").encode(TILE)


@pytest.mark.parametrize("name", ["uni", "phikon"])
def test_missing_unknown_and_misshapen_arrays_are_named(name, tmp_path):
    from safetensors.torch import load_file, save_file

    card = small_card(model_cards()[name])
    file = write_model(card, tmp_path / name) / "model.safetensors"
    state = load_file(file)
    last = next(key for key in state if key in ("norm.weight", "layernorm.weight"))
    save_file({k: v for k, v in state.items() if k != last} | {"extra": torch.zeros(2)}, file)
    with pytest.raises(WeightsError, match=rf"it lacks {last}; it has unknown extra. Give the weights of {card.hub}"):
        make(file.parent, card).encode(TILE)
    save_file(state | {last: torch.zeros(5)}, file)
    with pytest.raises(WeightsError, match="does not fit the network"):
        make(file.parent, card).encode(TILE)


def test_weights_of_another_model_are_refused(folder, tmp_path):
    virchow = small_card(model_cards()["virchow2"])
    with pytest.raises(WeightsError, match="is of a vit_large_patch16_224, but virchow2 is a vit_huge_patch14_224"):
        make(folder, virchow).encode(TILE)
    phikon = write_model(small_card(model_cards()["phikon"]), tmp_path / "phikon")
    with pytest.raises(WeightsError, match="is of a 'vit', but phikon-v2 is a 'dinov2' network"):
        make(phikon, small_card(model_cards()["phikon-v2"])).encode(TILE)
    wide = replace(CARD, width=48, dim=48)
    with pytest.raises(WeightsError, match="another network than uni: width 24 for 48"):
        make(folder, wide).encode(TILE)


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (
            "pretrained_cfg",
            {"mean": [0.5, 0.5, 0.5]},
            r"normalises pixels with mean \(0.5, 0.5, 0.5\), but uni expects",
        ),
        ("model_args", {"checkpoint_path": "/tmp/x.bin"}, "sets checkpoint_path, which timm"),
    ],
)
def test_a_description_of_something_else_is_refused(folder, key, value, text):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {key: config[key] | value}))
    with pytest.raises(WeightsError, match=text):
        make(folder).encode(TILE)


def test_another_content_than_the_card_names_is_refused(folder):
    right = content_digest(folder / "model.safetensors")
    assert make(folder, replace(CARD, sha256=right)).weights.sha256 == right
    with pytest.raises(WeightsError, match=f"has SHA-256 {right}, but the weights of uni have 0000"):
        make(folder, replace(CARD, sha256="0" * 64))


def test_a_commercial_use_refuses_weights_that_forbid_it(folder, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_COMMERCIAL", "1")
    with pytest.raises(WeightsError, match=r"'uni' \(CC-BY-NC-ND-4.0\) may not be used commercially"):
        make(folder)
    assert encoder_state("uni").state == "refused"
    assert encoder_state("virchow").state == "not here"  # Apache-2.0


@pytest.mark.parametrize("name", [name for name, card in model_cards().items() if not card.loads])
def test_an_encoder_known_by_its_card_only_says_why_and_what_else_to_do(name):
    with pytest.raises(WeightsError, match=r"cannot be computed here: .*reader 'trident'"):
        make_encoder(name)
    assert encoder_state(name).state == "card only"


def test_given_weights_must_belong_to_one_encoder(folder):
    with pytest.raises(RegistryError, match="could be of none of colour"):
        make_encoder("colour", weights=folder)
    with pytest.raises(RegistryError, match=r"could be of uni or virchow of uni\+virchow. Say which"):
        make_encoder("uni+virchow", weights=folder)
    with pytest.raises(RegistryError, match="weights are given for 'phikon', but uni takes them for uni only"):
        make_encoder("uni", weights={"phikon": folder})


def test_only_fetched_weights_have_a_fingerprint_of_their_own(folder, monkeypatch):
    assert weights_fingerprint("") == weights_fingerprint("colour+efficientnet-lite0[grid7]") == ""
    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", str(folder))
    assert weights_fingerprint("uni+colour") == make_encoder("uni").fingerprint()


def test_the_digest_of_a_large_file_is_kept_until_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(_weight_files, "_SMALL", 10)
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"x" * 100)
    first = content_digest(file)
    (kept,) = (tmp_path / "cache").glob("*.json")
    assert json.loads(kept.read_text()).popitem()[1] == first
    kept.write_text("{broken")
    assert content_digest(file) == first
    file.write_bytes(b"y" * 101)
    assert content_digest(file) != first


def test_a_sharded_index_that_names_missing_files_is_refused(folder):
    (folder / "model.safetensors").unlink()
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "part.safetensors", "b": "../outside.safetensors"}}))
    with pytest.raises(WeightsError, match=r"names ../outside.safetensors, part.safetensors, which are not beside it"):
        read_weights(index, "uni")
    index.write_text("[]")
    with pytest.raises(WeightsError, match="does not say which files hold the weights"):
        read_weights(index, "uni")


def test_a_missing_library_is_named(folder, monkeypatch):
    monkeypatch.setattr("histoscribe.encoders._networks.find_spec", lambda name: None)
    with pytest.raises(
        WeightsError, match=r"'uni' needs timm, which is not installed. Run: pip install 'histoscribe\[hub\]'"
    ):
        make(folder).encode(TILE)


def test_a_log_in_is_seen_without_being_read(tmp_path, monkeypatch):
    assert not has_token()
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf/token").touch()
    assert has_token()
    (tmp_path / "hf/token").unlink()
    monkeypatch.setenv("HF_TOKEN", "x")
    assert has_token()
