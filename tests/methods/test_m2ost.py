import numpy as np
import pytest
import torch

from histoscribe.core.features import Features, FeatureSpec
from histoscribe.methods import expression
from histoscribe.methods._batches import Part
from histoscribe.methods._m2ost_network import ChannelGate, CrossScale, PixelScales, Within
from histoscribe.testing import make_feature_sections

SHAPE = {"heads": 2, "head_width": 4, "dropout": 0.0}


def three_scales(section, *, seed):
    """Give a section 2 x 2 tokens of 3 channels at three sides; the first gene follows the middle one alone."""
    rng = np.random.default_rng(seed)
    n, sides = section.n_obs, (154.0, 308.0, 616.0)
    matrix = rng.normal(size=(n, 36)).astype(np.float32)
    blocks = {f"toy[grid2]@{side:g}um": (12 * i, 12 * (i + 1)) for i, side in enumerate(sides)}
    geometry = {"sides_um": list(sides), "tile_px": 224, "read_mpp": 1.0}
    table = section.table.copy()
    for slot in [s for s in table.obsm if s.startswith("X_")]:
        del table.obsm[slot]
    table.uns = {}
    Features(matrix, FeatureSpec("toy[grid2]", "toy", blocks, geometry)).attach(table)
    counts = np.full(table.shape, 200)
    counts[:, 0] = np.exp(3 + 0.8 * matrix[:, 12:24].reshape(n, 4, 3)[:, :, 0].mean(1) * 2).astype(int)
    table.layers["counts"] = type(section.table.layers["counts"])(counts)
    table.obs["total_counts"] = counts.sum(1)
    return section.replace(table=table)


@pytest.fixture(scope="module")
def sections():
    return [three_scales(s, seed=i) for i, s in enumerate(make_feature_sections(3, 81, seed=6, n_genes=4, n_null=2))]


@pytest.fixture(scope="module")
def fitted(sections):
    genes = [str(sections[0].table.var_names[0])]
    training = {"lr": 1e-2, "epochs": 20, "batch": 64, "patience": 0, "augment": False}
    return expression("m2ost", preset="tiny", training=training).fit(sections[:2], genes)


def part_of(model, section):
    views = {n: torch.from_numpy(np.ascontiguousarray(v)) for n, v in model._standardised(model.views(section)).items()}
    return Part(views, torch.arange(section.n_obs))


def test_a_signal_of_the_middle_scale_is_learned(fitted, sections):
    guess = np.asarray(fitted.predict(sections[2]).X)[:, 0]
    assert np.corrcoef(guess, fitted.target_(sections[2], fitted.genes_)[:, 0])[0, 1] > 0.5


@pytest.mark.parametrize("view", ["tokens0", "tokens1", "tokens2"])
def test_every_scale_reaches_the_prediction(fitted, sections, view):
    part = part_of(fitted, sections[2])
    other = {**part.views, view: part.views[view] + 1.0}
    with torch.no_grad():
        change = fitted.forward(fitted.network_, Part(other, part.rows)) - fitted.forward(fitted.network_, part)
    assert (change.abs() > 0).float().mean() > 0.9


@pytest.mark.parametrize("released", [False, True])
def test_every_parameter_receives_gradient_with_three_scales(fitted, sections, released):
    model = expression("m2ost", preset="tiny", released=released)
    network = model.build(fitted.shapes_, 4)
    model.forward(network, part_of(fitted, sections[0])).square().sum().backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_attention_within_a_scale_sees_no_other_scale():
    layer = Within(2, 8, released=False, **SHAPE)
    a, b, c = torch.randn(3, 1, 5, 8)
    assert torch.equal(layer([a, b])[0], layer([a, c])[0])


def test_attention_across_scales_looks_at_the_others_alone():
    layer = CrossScale(2, 8, released=True, **SHAPE)
    a, b = torch.randn(2, 1, 5, 8)
    changed = a.clone()
    # Another token of its own scale, which only the other scale may look at; not a shift: the norm takes that out.
    changed[0, 3] += torch.arange(8.0)
    before, after = layer([a, b]), layer([changed, b])
    assert torch.equal(before[0][0, 0], after[0][0, 0])
    assert not torch.equal(before[1][0, 0], after[1][0, 0])


def test_attention_across_scales_is_the_weighted_mean_of_the_other_scale_s_values():
    layer = CrossScale(2, 2, heads=1, head_width=2, dropout=0.0, released=True)
    a, b = torch.tensor([[[1.0, -1.0]]]), torch.tensor([[[2.0, 0.0], [0.0, 2.0]]])
    with torch.no_grad():
        layer.query[0].weight.copy_(torch.eye(2))
        layer.key_value[1].weight.copy_(torch.cat([torch.eye(2), torch.eye(2)]))
        layer.output[0][0].weight.copy_(torch.eye(2))
        layer.output[0][0].bias.zero_()
        found = layer([a, b])[0][0, 0]
    # Normed, a = (1, -1) and b = (1, -1), (-1, 1): logits 2 / sqrt(2) and -2 / sqrt(2).
    weight = 1 / (1 + np.exp(-2 * np.sqrt(2)))
    assert found.numpy() == pytest.approx([2 * weight - 1, 1 - 2 * weight], abs=1e-4)


def test_only_the_released_layer_drops_a_token_s_own_content():
    a, b = torch.randn(2, 1, 5, 8)
    for released in (True, False):
        layer = CrossScale(2, 8, released=released, **SHAPE)
        with torch.no_grad():
            layer.output[0][0].weight.zero_()
            layer.output[0][0].bias.zero_()
        assert torch.equal(layer([a, b])[0], torch.zeros_like(a) if released else a)


def test_the_gate_scales_channels_between_one_and_two():
    gate = ChannelGate(2, 4, 8, dropout=0.0)
    a, b = torch.rand(2, 3, 5, 4) + 0.5
    ratio = gate([a, b])[0] / a
    assert ((ratio > 1) & (ratio < 2)).all()
    assert torch.allclose(ratio, ratio[:, :1].expand_as(ratio))


def test_the_finest_cells_of_every_scale_show_the_field_of_the_first():
    embed = PixelScales(3, 6, cell_px=16)
    tiles = [255 * torch.rand(1, 3, 64, 64) for _ in range(3)]
    assert [x.shape[1] for x in embed(tiles)] == [16, 32, 48]
    inside, outside = (tiles[2].clone() for _ in range(2))
    inside[..., 24:40, 24:40] = 255 * torch.rand(1, 3, 16, 16)  # the middle quarter of the side
    outside[..., :24, :] = 255 * torch.rand(1, 3, 24, 64)
    plain, seen, unseen = (embed([tiles[0], tiles[1], t])[2][0, :16] for t in (tiles[2], inside, outside))
    assert ((seen - plain).abs().sum(1) > 0).all()
    assert torch.equal(unseen, plain)


def test_the_published_pixels_make_196_392_and_588_tokens():
    model = expression("m2ost", preset="published", depth=1)
    network = model.build({f"pixels{i}": (3, 224, 224) for i in range(3)}, 5)
    assert [p.shape[1] for p in network.position] == [197, 393, 589]
    views = {f"pixels{i}": torch.randint(0, 256, (1, 3, 224, 224), dtype=torch.uint8) for i in range(3)}
    assert model.forward(network, Part(views, torch.arange(1))).shape == (1, 5)
