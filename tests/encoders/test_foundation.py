"""Foundation models: what our path computes is what timm and transformers compute from the same files."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from histoscribe.core.errors import BundleError, DataError, RegistryError
from histoscribe.encoders import ENCODERS, encode, foundation, make_encoder, split_name, split_names
from histoscribe.encoders._model_card import model_cards
from histoscribe.encoders._networks import build
from histoscribe.encoders._pooling import Pooled
from histoscribe.encoders._torchvision_guard import guard_torchvision
from histoscribe.encoders.foundation import encoder_class
from histoscribe.methods import train
from histoscribe.methods.apply import predict
from histoscribe.testing import make_section
from histoscribe.testing._small_model import small_card, stand_in, write_model
from histoscribe.tiles import tile

# Looked for, not imported: a torchvision that does not match torch breaks the import until it is guarded.
if any(find_spec(package) is None for package in ("timm", "transformers")):
    pytest.skip("needs the extra hub", allow_module_level=True)

TILES = np.random.default_rng(3).integers(0, 256, (3, 3, 224, 224), dtype=np.uint8)
TIMM = ["uni", "uni2-h", "virchow", "virchow2", "h-optimus-0", "h0-mini", "gigapath", "kaiko-vitl14", "lunit-vits8"]
TRANSFORMERS = ["phikon", "phikon-v2", "midnight-12k", "hibou-l"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Write a small model of a card once; return the card and its folder."""
    written = {}

    def get(name):
        if name not in written:
            card = small_card(model_cards()[name])
            written[name] = card, write_model(card, tmp_path_factory.mktemp(name), seed=7)
        return written[name]

    return get


def pixels(card):
    mean, std = (np.array(values)[:, None, None] for values in (card.mean, card.std))
    return torch.tensor((TILES / 255.0 - mean) / std, dtype=torch.float32)


def by_timm(card, folder):
    """Tokens as timm's own loader of local folders and its own forward give them."""
    guard_torchvision()
    import timm

    layers = {}
    if "mlp_layer" in card.args:
        layers = {"mlp_layer": timm.layers.SwiGLUPacked, "act_layer": torch.nn.SiLU}
    network = timm.create_model(f"local-dir:{folder}", pretrained=True, **layers).eval()
    with torch.inference_mode():
        return network.forward_features(pixels(card)).numpy(), network.num_prefix_tokens


def by_transformers(card, folder):
    guard_torchvision()
    from transformers import AutoModel

    network = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    with torch.inference_mode():
        return network(pixel_values=pixels(card)).last_hidden_state.numpy(), card.prefix_tokens


@pytest.mark.parametrize("name", [*TIMM, *TRANSFORMERS])
def test_features_are_those_of_the_library_itself_in_every_pooling(name, model):
    card, folder = model(name)
    tokens, prefix = (by_timm if name in TIMM else by_transformers)(card, folder)
    assert prefix == card.prefix_tokens
    own = tokens[:, prefix:]  # registers are left out
    side = round(own.shape[1] ** 0.5)
    maps = own.reshape(3, side, side, -1)
    expected = {"class": tokens[:, 0], "mean": own.mean(1), "class+mean": np.hstack([tokens[:, 0], own.mean(1)])}
    expected |= {"centre2": maps[:, side // 2 - 1 : side // 2 + 1, side // 2 - 1 : side // 2 + 1].mean((1, 2))}
    half = maps.reshape(3, 2, side // 2, 2, side // 2, -1).mean((2, 4))
    expected |= {"grid2": half.reshape(3, -1)}
    encoder = encoder_class(card)(threads=1, device="cpu", weights=folder)
    np.testing.assert_allclose(encoder.encode(TILES), expected[card.pooling], atol=1e-5)
    np.testing.assert_allclose(encoder.maps(TILES), maps.transpose(0, 3, 1, 2), atol=1e-5)
    for pooling, features in expected.items():
        pooled = Pooled(encoder, *split_name(f"{name}[{pooling}]")[1:])
        assert pooled.dim == features.shape[1]
        assert pooled.card.name == f"{name}[{pooling}]"
        np.testing.assert_allclose(pooled.encode(TILES), features, atol=1e-5)


def test_a_convolutional_network_gives_the_mean_of_its_third_stage(model):
    card, folder = model("resnet50")
    guard_torchvision()
    import timm

    args = {"features_only": True, "out_indices": (3,), **{k: v for k, v in card.args.items() if k != "num_classes"}}
    network = timm.create_model("resnet50", **args).eval()
    from safetensors.torch import load_file

    state = load_file(folder / "model.safetensors")
    missing, _unexpected = network.load_state_dict(state, strict=False)
    assert not missing
    with torch.inference_mode():
        expected = network(pixels(card))[0].mean((2, 3)).numpy()
    features = encoder_class(card)(threads=1, device="cpu", weights=folder).encode(TILES)
    np.testing.assert_allclose(features, expected, atol=1e-5 * np.abs(expected).max())


def test_arrays_named_as_by_dinov2_give_the_network_that_timm_converts_them_to(model):
    card, folder = model("openmidnight")
    guard_torchvision()
    import timm
    from timm.models.vision_transformer import checkpoint_filter_fn

    args = dict(card.args)
    network = timm.create_model(card.arch, **args).eval()
    state = torch.load(folder / "teacher_checkpoint_load.pt", weights_only=True)
    assert "register_tokens" in state
    network.load_state_dict(checkpoint_filter_fn(state, network))
    with torch.inference_mode():
        expected = network.forward_features(pixels(card))[:, 0].numpy()
    features = encoder_class(card)(threads=1, device="cpu", weights=folder).encode(TILES)
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_a_bare_file_loads_as_its_folder_does(model, tmp_path):
    card, folder = model("virchow2")
    bare = tmp_path / "pytorch_model.bin"
    from safetensors.torch import load_file

    torch.save({"state_dict": {f"module.{k}": v for k, v in load_file(folder / "model.safetensors").items()}}, bare)
    make = encoder_class(card)
    ours, other = (make(threads=1, device="cpu", weights=path) for path in (folder, bare))
    np.testing.assert_array_equal(ours.encode(TILES), other.encode(TILES))


def test_divided_weights_load_as_whole_ones_do(model, tmp_path):
    from safetensors.torch import load_file, save_file

    card, folder = model("phikon-v2")
    state = load_file(folder / "model.safetensors")
    keys = sorted(state)
    parts = {"model-1.safetensors": keys[::2], "model-2.safetensors": keys[1::2]}
    for file, held in parts.items():
        save_file({key: state[key] for key in held}, tmp_path / file)
    where = {key: file for file, held in parts.items() for key in held}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    ours, other = (encoder_class(card)(threads=1, device="cpu", weights=path) for path in (folder, tmp_path))
    np.testing.assert_array_equal(ours.encode(TILES[:1]), other.encode(TILES[:1]))
    assert len(other.fingerprint()) == 16


def test_the_description_beside_the_weights_wins_over_the_card(model, tmp_path):
    card, folder = model("h0-mini")
    shutil.copytree(folder, tmp_path / "copy")
    config = json.loads((tmp_path / "copy/config.json").read_text())
    config["model_args"]["num_heads"] = 4
    (tmp_path / "copy/config.json").write_text(json.dumps(config))
    ours, other = (encoder_class(card)(threads=1, device="cpu", weights=p) for p in (folder, tmp_path / "copy"))
    assert not np.allclose(ours.encode(TILES[:1]), other.encode(TILES[:1]), atol=1e-3)
    assert ours.fingerprint() != other.fingerprint()


def test_a_fingerprint_follows_the_content_and_not_the_place(model, tmp_path):
    card, folder = model("uni")
    shutil.copytree(folder, tmp_path / "elsewhere")
    make = encoder_class(card)
    first, moved = (make(weights=path).fingerprint() for path in (folder, tmp_path / "elsewhere"))
    assert first == moved
    other = make(weights=write_model(card, tmp_path / "other", seed=8))
    assert other.fingerprint() != first


def test_an_encoder_without_a_class_token_says_so(model):
    card, folder = model("resnet50")
    with pytest.raises(RegistryError, match=r"'resnet50' has no class token.*Use \[mean\]"):
        encoder_class(card)(device="cpu", weights=folder).class_and_mean(TILES)
    with pytest.raises(RegistryError, match="has no class token"):
        make_encoder("efficientnet-lite0[class]", device="cpu").encode(TILES)


def test_a_plus_in_brackets_belongs_to_the_pooling():
    assert split_names("uni[class+mean]+colour") == ["uni[class+mean]", "colour"]
    assert split_names("a+b") == ["a", "b"]


def test_a_foundation_model_stands_beside_other_encoders(model, monkeypatch):
    card, folder = model("uni")
    monkeypatch.setitem(vars(foundation), "uni", encoder_class(card))
    both = make_encoder("uni[class+mean]+colour", device="cpu", threads=1, weights=folder)
    assert both.dim == 2 * card.width + 8
    assert both.card.gated
    assert not both.card.commercial_use
    named = make_encoder("colour+uni", device="cpu", threads=1, weights={"uni": folder})
    np.testing.assert_array_equal(named.encode(TILES)[:, 8:], both.encode(TILES)[:, : card.width])


def test_every_card_says_what_is_needed_to_use_it():
    for name, card in model_cards().items():
        assert card.name == name
        assert len(card.mean) == len(card.std) == 3, name
        assert all(0 < v < 1 for v in (*card.mean, *card.std)), name
        assert card.dim == card.width * (2 if card.pooling == "class+mean" else 1) or not card.loads, name
        assert card.loads or card.why_not, name
        assert bool(card.paper) != bool(card.reference), name
        assert card.hub.count("/") == 1, name
        assert card.revision is None, f"{name}: say which stored source states the commit"


def test_a_full_size_network_has_the_parameters_that_its_card_states():
    for name in ("uni2-h", "virchow2", "h0-mini", "hibou-b", "resnet50"):
        card = model_cards()[name]
        with torch.device("meta"):
            network = build(card, None).module
        assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(card.parameters, abs=0.06), name


@pytest.mark.parametrize("name", [name for name, card in model_cards().items() if card.loads])
def test_every_card_loads_a_small_model_of_its_architecture_from_a_local_path(name):
    encoder = stand_in(name)
    features = encoder.encode(TILES[:1])
    assert features.shape == (1, encoder.dim)
    assert np.isfinite(features).all()
    assert encoder.weights.file.is_file()
    assert ENCODERS.get(name).dim == model_cards()[name].dim


def test_a_bundle_is_refused_with_other_weights(tmp_path, monkeypatch):
    small = small_card(model_cards()["uni"])
    monkeypatch.setitem(vars(foundation), "uni", encoder_class(small))
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", f"uni={write_model(small, tmp_path / 'a', seed=1)}")
    section = make_section(0, size_um=500.0)
    bundle = train.fit([section], "ridge", encoder="uni", genes=5, calibrated=False, seed=0)
    same = predict(section.blind(), bundle)
    assert same.n_vars == 5
    monkeypatch.setenv("HISTOSCRIBE_WEIGHTS", f"uni={write_model(small, tmp_path / 'b', seed=2)}")
    with pytest.raises(BundleError, match="fitted on uni .* its features differ"):
        predict(section.blind(), bundle)


def test_tiles_of_another_size_are_refused_before_anything_is_computed():
    section = tile(make_section(0, size_um=500.0), 112.0, tile_px=64)
    with pytest.raises(DataError, match="expects 224 px"):
        encode(section, stand_in("uni"))
