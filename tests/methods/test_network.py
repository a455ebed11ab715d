"""The base of networks: views, batches, checkpoints and places."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from histoscribe.core.errors import CoordinateError, DataError, RegistryError
from histoscribe.methods import _views, expression
from histoscribe.methods._tile_encoder import TileBranch
from histoscribe.methods.train import prepare
from histoscribe.nn.resnet import ResNet18
from histoscribe.testing import make_feature_sections, make_section


def lattice_section(places, **changes):
    (section,) = make_feature_sections(1, len(places))
    table = section.table.copy()
    table.obs["array_row"], table.obs["array_col"] = np.array(places).T
    return section.replace(table=table, **changes)


def test_two_observations_at_one_place_are_refused():
    with pytest.raises(CoordinateError, match="1 observations at places that are taken"):
        _views.lattice(lattice_section([[0, 0], [1, 1], [0, 0]]))


def test_a_hexagonal_array_is_closed_up():
    places = _views.lattice(lattice_section([[0, 0], [0, 2], [1, 1], [1, 3]], spot_um=55.0))
    assert places.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


def test_a_square_array_stays_as_it_is():
    places = _views.lattice(lattice_section([[0, 0], [0, 1], [1, 0]], spot_um=100.0))
    assert places.tolist() == [[0, 0], [0, 1], [1, 0]]


def test_tokens_come_out_side_by_side_and_average_to_the_features():
    sections = prepare([make_section(0, size_um=500.0)], "colour[grid3]", size_um=(112.0, 224.0))
    spec = _views.Features.of(sections[0].table).spec
    small, large = _views.scale_tokens(sections[0], spec)
    assert small.shape[1:] == large.shape[1:] == (9, 8)
    assert np.allclose(_views.features(sections[0], spec), np.concatenate([small.mean(1), large.mean(1)], axis=1))


def test_tiles_are_read_once_and_mapped_from_disk():
    (section,) = prepare([make_section(0, size_um=500.0)], "colour", size_um=112.0)
    first = _views.pixels(section, side_um=112.0, tile_px=32)
    assert isinstance(first, np.memmap)
    assert first.shape == (section.n_obs, 3, 32, 32)
    assert np.array_equal(first, _views.pixels(section, side_um=112.0, tile_px=32))


def test_a_training_killed_in_the_middle_ends_with_the_same_prediction(monkeypatch):
    sections = make_feature_sections(4, 60, seed=2)
    options = {"optimiser": "adam", "lr": 1e-2, "epochs": 6, "batch": 32, "patience": 0, "checkpoint_s": 0.0}
    genes = [str(g) for g in sections[0].table.var_names[:6]]

    def fit():
        return expression("stnet", training=options).fit(sections[:3], genes, seed=4)

    whole = fit().predict(sections[3]).X
    cls = type(expression("stnet"))
    original, calls = cls.loss, []

    def dies(self, network, parts):
        calls.append(1)
        if len(calls) == 20:
            raise KeyboardInterrupt
        return original(self, network, parts)

    monkeypatch.setattr(cls, "loss", dies)
    with pytest.raises(KeyboardInterrupt):
        fit()
    assert np.array_equal(whole, fit().predict(sections[3]).X)
    assert len(calls) == 20 + 6 * 6 - 18  # six batches an epoch; the three finished epochs are not repeated


def test_a_backbone_loads_weights_under_torchvision_s_names(tmp_path):
    network = ResNet18()
    state = {f"model.resnet.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state | {"model.resnet.fc.weight": torch.zeros(2, 512)}}, tmp_path / "w.ckpt")
    branch = TileBranch({"pixels": (3, 64, 64)}, 512, backbone="resnet18", weights=str(tmp_path / "w.ckpt"))
    assert torch.equal(branch.backbone.conv1.weight, network.conv1.weight)


def test_weights_of_another_network_are_refused(tmp_path):
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "w.pt")
    with pytest.raises(DataError, match="do not fit"):
        TileBranch({"pixels": (3, 64, 64)}, 512, backbone="resnet18", weights=str(tmp_path / "w.pt"))


def test_a_network_that_cannot_be_trained_is_refused():
    with pytest.raises(RegistryError, match="colour"):
        TileBranch({"pixels": (3, 64, 64)}, 8, backbone="colour")


@pytest.mark.parametrize("backbone", ["resnet18", "efficientnet-lite0"])
def test_a_backbone_learns_from_pixels(backbone):
    sections = [s.replace(grid=None) for s in (make_section(d, size_um=400.0) for d in range(2))]
    sections = prepare(sections, "colour", size_um=112.0)
    options = {"optimiser": "adam", "lr": 1e-3, "epochs": 1, "batch": 8, "patience": 0}
    genes = [str(g) for g in sections[0].table.var_names[:3]]
    model = expression("stnet", backbone=backbone, eight=False, training=options).fit(sections[:1], genes, seed=0)
    before = TileBranch({"pixels": (3, 64, 64)}, None, backbone=backbone).backbone.state_dict()
    after = model.network_.tile.backbone.state_dict()
    moved = [n for n, v in before.items() if v.dtype.is_floating_point and not torch.equal(v, after[n])]
    assert len(moved) > 0.9 * sum(v.dtype.is_floating_point for v in before.values())
    assert np.isfinite(model.predict(sections[1]).X).all()
