import importlib

import numpy as np
import pytest
import torch

from histoscribe.core.errors import BundleError, DataError, RegistryError, ScaleError
from histoscribe.methods import expression, train
from histoscribe.methods._histospace_encoder import AutoEncoder, encode_tiles, pretrain
from histoscribe.methods.apply import predict
from histoscribe.testing import make_section
from histoscribe.train import Training

module = importlib.import_module("histoscribe.methods.expression.histospace")
FAST = {"pretraining": {"epochs": 1, "batch": 16}, "training": {"epochs": 2, "patience": 0}}


@pytest.fixture(scope="module")
def sections():
    return [make_section(donor, seed=8, size_um=500.0) for donor in range(3)]


@pytest.fixture(scope="module")
def fitted(sections):
    return expression("histospace", preset="tiny", **FAST).fit(sections[:2], 5)


def values(model, section):
    return np.asarray(model.predict(section).X)


def test_it_cuts_its_own_tiles_whatever_the_section_is_tiled_to(fitted, sections):
    tiled = train.prepare(sections[2:], "colour", size_um=60.0)[0]
    assert sections[2].grid is None
    assert np.array_equal(values(fitted, tiled), values(fitted, sections[2]))


def test_the_frozen_encoder_trains_no_more_and_is_saved(fitted):
    assert fitted.network_.encoder is None
    again = type(fitted)(**fitted.params())
    again.genes_, again.spec_, again.train_mean_ = fitted.genes_, None, fitted.train_mean_
    again.load_state(fitted.state())
    assert again._encoder_state().keys() == fitted._encoder_state().keys()
    assert all(np.array_equal(v, again._encoder_state()[n]) for n, v in fitted._encoder_state().items())


def test_moving_statistics_move_and_weights_stay(sections):
    model = expression("histospace", preset="tiny", moving_statistics=True, **FAST).fit(sections[:2], 5)
    before, after = model._encoder_state(), model.network_.encoder.state_dict()
    assert np.array_equal(after["0.weight"].numpy(), before["0.weight"])
    assert np.array_equal(after["1.weight"].numpy(), before["1.weight"])
    assert not np.allclose(after["1.running_mean"].numpy(), before["1.running_mean"])
    assert all(not p.requires_grad for p in model.network_.encoder.parameters())


def test_without_activation_the_two_linear_layers_are_one_map(fitted):
    network = fitted.network_
    x = torch.randn(3, network.hidden.in_features)
    weight, bias = network.head.weight @ network.hidden.weight, network.head(network.hidden.bias)
    assert torch.allclose(network.head(network.activation(network.hidden(x))), x @ weight.T + bias, atol=1e-5)


def test_an_activation_between_them_is_an_option(sections):
    model = expression("histospace", preset="tiny", activation=True, **FAST).fit(sections[:2], 5)
    assert isinstance(model.network_.activation, torch.nn.ReLU)


@pytest.mark.parametrize(
    ("name", "by_hand"),
    [
        ("mse", lambda e: (e**2).mean()),
        ("rmse", lambda e: np.sqrt((e**2).mean())),
        ("huber", lambda e: np.where(np.abs(e) <= 1, e**2 / 2, np.abs(e) - 0.5).mean()),
        ("log-cosh", lambda e: np.log(np.cosh(e)).mean()),
        ("distance", lambda e: np.sqrt((e**2).sum(1)).mean()),
    ],
)
def test_each_objective_is_what_its_name_says(name, by_hand, rng):
    errors = rng.normal(0, 2, (6, 4))
    assert float(module._LOSSES[name](torch.tensor(errors))) == pytest.approx(by_hand(errors), rel=1e-6)


def test_log_cosh_of_a_huge_error_is_finite():
    assert float(module._LOSSES["log-cosh"](torch.full((1, 1), 1e4))) == pytest.approx(1e4 - np.log(2), rel=1e-6)


def test_the_auto_encoder_learns_to_give_tiles_back(rng):
    # Dark discs at random places on pink: colour alone does not give them back.
    y, x = np.mgrid[:32, :32]
    centres = rng.integers(6, 26, (60, 2))
    disc = ((y - centres[:, :1, None]) ** 2 + (x - centres[:, 1:, None]) ** 2) < 25
    tiles = np.where(disc[:, None], 60, np.array([230, 180, 210])[None, :, None, None]).astype(np.uint8)
    options = Training(epochs=25, batch=8, lr=1e-2, patience=25)
    network = pretrain([tiles], (8, 16, 16), options, rng=rng).eval()
    with torch.no_grad():
        error = ((network(torch.from_numpy(tiles)).numpy() - tiles / 255.0) ** 2).mean()
    assert error < 0.3 * (tiles / 255.0).var(axis=(0, 2, 3)).mean()


def test_the_released_range_cannot_be_reached_in_the_dark(rng):
    tiles = np.zeros((8, 3, 16, 16), dtype=np.uint8)
    torch.manual_seed(0)
    given = AutoEncoder((4, 4, 4)).eval()(torch.from_numpy(tiles)).detach()
    assert 0 <= float(given.min()) <= float(given.max()) <= 1
    options = Training(epochs=1, batch=8, patience=1)
    first, second = (
        pretrain([tiles], (4, 4, 4), options, released_range=r, rng=np.random.default_rng(0)) for r in (False, True)
    )
    assert not torch.equal(first.decoder[0].weight, second.decoder[0].weight)


def test_codes_do_not_depend_on_the_tiles_beside(rng):
    tiles = rng.integers(0, 256, (70, 3, 16, 16)).astype(np.uint8)
    torch.manual_seed(0)
    state = {n: v.numpy() for n, v in AutoEncoder((4, 4, 8)).encoder.state_dict().items()}
    codes = encode_tiles(tiles, state, (4, 4, 8), device=torch.device("cpu"))
    alone = encode_tiles(tiles[65:66], state, (4, 4, 8), device=torch.device("cpu"))
    assert codes.shape == (70, 8, 2, 2)
    assert np.allclose(codes[65:66].astype(float), alone.astype(float), atol=2e-3)


def test_native_pixels_give_tiles_of_another_size_on_another_scanner(sections):
    model = expression("histospace", preset="tiny", side_um=None)
    assert model._geometry(sections[0]) == (32 * 2.0, 2.0)
    assert model._geometry(sections[0].replace(mpp=0.5)) == (32 * 0.5, 0.5)


@pytest.mark.parametrize("encoder", ["colour", "colour[grid7]"])
def test_a_registered_encoder_may_stand_in_for_the_auto_encoder(encoder, sections):
    model = expression("histospace", preset="tiny", encoder=encoder, **FAST).fit(sections[:2], 5)
    assert not [n for n in model.memory_ if n.startswith("encoder.")]
    assert np.std(values(model, sections[2]), axis=0).max() > 0
    model.memory_["fingerprint"] = np.frombuffer(b"another", dtype=np.uint8)
    with pytest.raises(BundleError, match="its features differ"):
        model.predict(sections[2])


def test_a_coarser_slide_is_refused_unless_asked_for(sections, tmp_path):
    bundle = train.fit(sections[:2], "histospace", preset="tiny", params=FAST, genes=5, calibrated=False)
    path = bundle.save(tmp_path / "a.bundle")
    # Trained on tiles of 112 um at 32 px, from slides of 2 um/px.
    coarse = make_section(2, seed=8, size_um=600.0, mpp=4.0)
    with pytest.raises(ScaleError, match="coarser than the 3.5 um/px"):
        predict(coarse, path)
    found = predict(coarse, path, rescale=True)
    assert np.isfinite(np.asarray(found.X)).all()
    assert found.uns["histoscribe"]["scale"].startswith("UPSAMPLED")
    fine = predict(sections[2], path)
    assert "to match the training slides" in fine.uns["histoscribe"]["scale"]


def test_what_cannot_be_fitted_is_refused(sections):
    with pytest.raises(RegistryError, match="no objective 'mae'"):
        expression("histospace", preset="tiny", objective="mae").fit(sections[:1], 3)
    with pytest.raises(DataError, match="multiple of 8"):
        expression("histospace", preset="tiny", tile_px=100).fit(sections[:1], 3)
    with pytest.raises(DataError, match="has no slide"):
        expression("histospace", preset="tiny").fit([sections[0].replace(slide=None)], 3)
