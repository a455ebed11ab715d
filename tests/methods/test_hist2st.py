import numpy as np
import pytest
import torch
from scipy import stats

from histoscribe.core.features import Features
from histoscribe.methods import expression
from histoscribe.methods._batches import Part
from histoscribe.methods._hist2st_network import ConvMixer, PixelTokens, blend, zinb_nll
from histoscribe.testing import make_feature_sections

PLACES = torch.tensor([[0, 0], [0, 1], [1, 0], [9, 9]])


@pytest.fixture
def pixel_model():
    torch.manual_seed(0)
    model = expression("hist2st", pixels=True, tile_px=14, depth=1, heads=2, head_width=8, graph_depth=2, n_views=2)
    model.memory_ = {"seen": np.array([[0, 0], [9, 9]])}
    model.train_mean_ = np.zeros(5)
    return model, model.build({"pixels": (3, 14, 14), "places": (2,)}, 5)


def pixel_part(*, n=4):
    torch.manual_seed(1)
    views = {"pixels": torch.randint(0, 256, (n, 3, 14, 14), dtype=torch.uint8), "places": PLACES[:n]}
    counts = torch.tensor([[0.0, 1, 2, 3, 0], [4, 0, 1, 0, 7], [0, 0, 0, 2, 1], [3, 1, 1, 1, 1]])[:n]
    return Part(views, torch.arange(n), torch.randn(n, 5), counts, counts.sum(1))


def test_the_count_likelihood_is_that_of_a_zero_inflated_negative_binomial():
    counts = torch.tensor([0.0, 0.0, 1.0, 7.0, 40.0], dtype=torch.float64)
    mean = torch.tensor([0.5, 9.0, 2.0, 3.0, 55.0], dtype=torch.float64)
    dispersion = torch.tensor([0.3, 2.0, 1.0, 8.0, 4.0], dtype=torch.float64)
    excess = torch.tensor([0.1, 0.6, 0.2, 0.01, 0.5], dtype=torch.float64)
    found = zinb_nll(counts, mean, dispersion, torch.logit(excess))
    nb = stats.nbinom.pmf(counts, dispersion, dispersion / (dispersion + mean))
    expected = excess.numpy() * (counts.numpy() == 0) + (1 - excess.numpy()) * nb
    assert np.allclose(found, -np.log(expected))


def test_views_are_blended_by_the_softmax_of_their_weights():
    guesses = torch.tensor([[[1.0, 2.0]], [[5.0, 6.0]]])
    weights = torch.log(torch.tensor([[[1.0]], [[3.0]]]))
    assert torch.allclose(blend(guesses, weights), torch.tensor([[4.0, 5.0]]))


def test_a_convmixer_keeps_the_size_of_its_maps():
    assert ConvMixer(8, 5)(torch.randn(2, 8, 4, 4)).shape == (2, 8, 4, 4)


def test_every_parameter_receives_gradient_in_pixels_mode(pixel_model):
    model, network = pixel_model
    model.loss(network.train(), [pixel_part()]).backward()
    assert [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_the_published_sizes_take_1024_numbers_from_a_tile():
    p = expression("hist2st", preset="published").params()
    sizes = {name: p[name] for name in ("cell_px", "channels", "kernel", "mixers", "dropout")}
    tile = PixelTokens(p["tile_px"], **sizes)
    assert tile.cells(torch.zeros(1, 3, 112, 112)).shape == (1, 32, 16, 16)
    assert tile(torch.zeros(2, 3, 112, 112)).shape == (2, 1024)


def test_an_observation_without_neighbours_is_predicted(pixel_model):
    model, network = pixel_model
    part = pixel_part()
    with torch.no_grad():
        found = model.forward(network.eval(), part)
    assert torch.isfinite(found).all()


def test_the_released_graph_leaves_out_the_observation_itself(pixel_model):
    model, _ = pixel_model
    released = model.clone()
    released.own, released.memory_ = False, model.memory_
    network = released.build({"pixels": (3, 14, 14), "places": (2,)}, 5)
    assert network.graph[0].linear.in_features == network.tile.width


def test_the_distillation_leaves_the_plain_prediction_alone_where_asked(pixel_model):
    model, network = pixel_model
    network.eval()  # no dropout: the two losses then differ in their gradient alone
    part = pixel_part()
    gradients = []
    for detach in (False, True):
        model.detach = detach
        network.zero_grad()
        torch.manual_seed(3)
        loss = model.loss(network, [part])
        loss.backward()
        gradients.append((loss.item(), network.head.weight.grad.clone()))
    assert gradients[0][0] == pytest.approx(gradients[1][0])
    assert not torch.allclose(gradients[0][1], gradients[1][1])


def test_noise_stands_in_for_augmentation_where_features_are_seen():
    model = expression("hist2st", noise=0.5)
    views = {"features": torch.zeros(4000, 2), "places": PLACES}
    torch.manual_seed(0)
    found = model._augmented(views)
    assert float(found["features"].std()) == pytest.approx(0.5, rel=0.05)
    assert found["places"] is views["places"]


def test_a_neighbour_s_signal_is_learned_that_the_tile_itself_does_not_show():
    sections = make_feature_sections(3, 64, seed=4, n_genes=4, n_null=2)
    gene = [str(sections[0].table.var_names[0])]

    def planted(section, seed):
        rng = np.random.default_rng(seed)
        table = section.table.copy()
        held = Features.of(table)
        matrix = rng.normal(size=held.matrix.shape).astype(np.float32)
        Features(matrix, held.spec).attach(table)
        padded = np.pad(matrix[:, 0].reshape(8, 8), 1)
        around = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 2
        counts = np.full(table.shape, 200)
        counts[:, 0] = np.exp(3 + 0.7 * around.ravel()).astype(int)
        table.layers["counts"] = type(section.table.layers["counts"])(counts)
        table.obs["total_counts"] = counts.sum(1)
        return section.replace(table=table)

    found = [planted(s, i) for i, s in enumerate(sections)]
    quick = {"lr": 1e-2, "epochs": 40, "patience": 0}
    model = expression("hist2st", preset="tiny", zinb=0.0, distil=0.0, training=quick)
    model.fit(found[:2], gene)
    guess, y = np.asarray(model.predict(found[2]).X)[:, 0], model.target_(found[2], gene)[:, 0]
    assert np.corrcoef(guess, y)[0, 1] > 0.4
