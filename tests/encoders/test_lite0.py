"""EfficientNet-Lite0: the right network, the same in ONNX Runtime and PyTorch, the same to the bit in every batch."""

from __future__ import annotations

import io
import os
import pickle
import subprocess
import sys
from collections import OrderedDict
from importlib import resources

import numpy as np
import pytest
from PIL import Image

from histoscribe.core.errors import DataError, HistoScribeError
from histoscribe.encoders import _lite0, make_encoder
from histoscribe.encoders._state_dict import read_state_dict

PX = 224


@pytest.fixture(scope="module")
def tiles():
    """Noise, flat colours and smooth gradients: five tiles that have little in common."""
    rng = np.random.default_rng(3)
    noise = rng.integers(0, 256, (2, 3, PX, PX), dtype=np.uint8)
    flat = np.broadcast_to(np.array([230, 180, 210], dtype=np.uint8)[None, :, None, None], (1, 3, PX, PX))
    ramp = np.broadcast_to(np.linspace(0, 255, PX).astype(np.uint8), (1, 3, PX, PX))
    return np.concatenate([noise, flat, ramp, ramp.transpose(0, 1, 3, 2)])


@pytest.fixture(scope="module", params=["efficientnet-lite0", "random"])
def encoder(request):
    return make_encoder(request.param, threads=1, device="cpu")


def test_it_recognises_a_daisy():
    """ImageNet's own classifier, applied to our features, names the flower of scikit-learn's sample picture."""
    from sklearn.datasets import load_sample_image

    picture = Image.fromarray(load_sample_image("flower.jpg")).resize((PX, PX))
    features = make_encoder("efficientnet-lite0", device="cpu").encode(np.asarray(picture).transpose(2, 0, 1)[None])[0]
    state = read_state_dict(resources.files(_lite0._PACKAGE).joinpath(_lite0._FILE).read_bytes())
    scores = state["_fc.weight"] @ features + state["_fc.bias"]
    assert scores.argmax() == 985  # daisy


def test_onnxruntime_and_torch_agree(encoder, tiles):
    from histoscribe.encoders._lite0_torch import Lite0Torch

    by_torch = Lite0Torch(encoder._weights, device="cpu")(tiles)
    np.testing.assert_allclose(encoder.encode(tiles), by_torch, atol=1e-4, rtol=1e-4)


def test_a_tiles_features_do_not_depend_on_its_batch_to_the_bit(encoder, tiles):
    together = encoder.encode(tiles)
    alone = np.concatenate([encoder.encode(tile[None]) for tile in tiles])
    backwards = encoder.encode(tiles[::-1])[::-1]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, backwards)


def test_the_number_of_threads_does_not_change_a_bit(encoder, tiles):
    other = type(encoder)(threads=3, device="cpu")
    np.testing.assert_array_equal(other.encode(tiles), encoder.encode(tiles))


def test_features_have_the_promised_shape_and_tell_tiles_apart(encoder, tiles):
    features = encoder.encode(tiles)
    assert features.shape == (5, encoder.dim)
    assert features.dtype == np.float32
    assert np.isfinite(features).all()
    distances = np.linalg.norm(features[:, None] - features[None], axis=2)
    assert distances[np.triu_indices(5, 1)].min() > 0.1
    # Not a network whose units are dead or saturated.
    assert (features.std(0) > 1e-3).mean() > 0.1
    assert (features < 5.9).mean() > 0.9


def test_no_tile_is_no_feature(encoder):
    assert encoder.encode(np.empty((0, 3, PX, PX), dtype=np.uint8)).shape == (0, encoder.dim)


def test_fingerprints_name_the_weights_and_are_stable():
    names = ("efficientnet-lite0", "random")
    first, second = ([make_encoder(name).fingerprint() for name in names] for _ in range(2))
    assert first == second
    assert first[0] != first[1]


def test_encoding_on_the_cpu_never_loads_torch():
    code = (
        "import sys, numpy as np; from histoscribe.encoders import make_encoder;"
        "make_encoder('efficientnet-lite0+colour', device='cpu').encode(np.zeros((1, 3, 224, 224), np.uint8));"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, env=os.environ).returncode == 0


def test_a_gpu_that_is_not_there_is_an_error_and_no_silent_fallback(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    encoder = make_encoder("efficientnet-lite0", device="cuda")
    with pytest.raises(HistoScribeError, match="device 'cuda' was asked for"):
        encoder.encode(np.zeros((1, 3, PX, PX), dtype=np.uint8))


def test_the_device_is_part_of_the_runtime_but_not_of_the_fingerprint(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    cpu, cuda = (make_encoder("efficientnet-lite0", device=device) for device in ("cpu", "cuda"))
    assert cpu.runtime().endswith("-cpu")
    assert cuda.runtime().endswith("-cuda")
    assert cpu.fingerprint() == cuda.fingerprint()


def test_a_layer_keeps_sizes_as_tensorflows_same_padding_does():
    three, five = (_lite0.Layer("c", "n", 1, 1, kernel=k, stride=2) for k in (3, 5))
    assert _lite0.pads(224, three) == (0, 1)
    assert _lite0.pads(225, three) == (1, 1)
    assert _lite0.pads(56, five) == (1, 2)


def test_state_dicts_are_read_as_torch_reads_them(tmp_path):
    import torch

    state = OrderedDict(
        plain=torch.arange(6.0).reshape(2, 3),
        channels_last=torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).to(
            memory_format=torch.channels_last
        ),
        view=torch.arange(10.0)[4:7],
        counter=torch.tensor(7),
    )
    torch.save(state, tmp_path / "state.pth", _use_new_zipfile_serialization=False)
    found = read_state_dict((tmp_path / "state.pth").read_bytes())
    assert list(found) == list(state)
    for name, array in found.items():
        np.testing.assert_array_equal(array, state[name].numpy())


def test_a_state_dict_cannot_run_code():
    data = io.BytesIO()
    for value in (0x1950A86A20F9469CFC6C, 1001, {}):
        pickle.dump(value, data, protocol=2)

    class Evil:
        def __reduce__(self):
            return os.system, ("exit 1",)

    pickle.dump(Evil(), data, protocol=2)
    with pytest.raises(DataError, match=r"it asks for .*system"):
        read_state_dict(data.getvalue())


@pytest.mark.parametrize("keep", [0, 10, 1000, 100_000])
def test_a_truncated_state_dict_is_refused(keep):
    data = resources.files(_lite0._PACKAGE).joinpath(_lite0._FILE).read_bytes()
    with pytest.raises(DataError, match="not a complete PyTorch state dict"):
        read_state_dict(data[:keep])


def test_weights_that_are_not_the_published_ones_are_refused(monkeypatch):
    monkeypatch.setattr(_lite0, "_SHA256", "0" * 64)
    with pytest.raises(DataError, match=r"have SHA-256 .*Reinstall"):
        _lite0.pretrained()


def test_weights_of_another_network_are_refused():
    weights = _lite0.random_weights(0)
    weights["_conv_stem.weight"] = weights["_conv_stem.weight"][:, :1]
    with pytest.raises(DataError, match=r"1 arrays do not fit .*_conv_stem\.weight"):
        _lite0._checked(weights)
