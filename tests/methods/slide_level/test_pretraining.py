"""Pre-training does what it says; each fault of the released code is re-enacted beside it."""

import math

import numpy as np
import pytest
import torch

from histoscribe.core.bag import Bag
from histoscribe.core.errors import DataError
from histoscribe.methods import pretraining
from histoscribe.methods._pretrain_network import SlideBatch, _Batches, draw_tiles
from histoscribe.methods._slide_encoder import SlideEncoder, found_first, info_nce, smooth_rank
from histoscribe.methods._slide_training import TrainingSlides
from histoscribe.testing import make_bulk
from histoscribe.train import Training


def small(name, **params):
    return pretraining(name, preset="tiny", **params)


@pytest.fixture(scope="module")
def planted():
    return make_bulk("diffuse", n_slides=24, n_sites=2, n_tiles=(20, 30), n_genes=7, dim=12, seed=2)


def started(name, planted, **params):
    """A model with its first weights, and the training slides as it sees them."""
    model = small(name, **params)
    data, model.scale_ = TrainingSlides.of(planted.bags, np.asarray(planted.expression.X))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model._make(data.dim, data.y.shape[1])
    return model, data


# --- losses


def test_info_nce_is_the_mean_of_both_cross_entropies_by_hand():
    a, b = torch.tensor([[2.0, 0.0], [0.0, 3.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    s = 1 / math.sqrt(2)  # cosines: [[1, s], [0, s]]
    rows = [-math.log(math.exp(1) / (math.exp(1) + math.exp(s))), -math.log(math.exp(s) / (1 + math.exp(s)))]
    columns = [-math.log(math.exp(1) / (math.exp(1) + 1)), -math.log(0.5)]
    assert float(info_nce(a, b, 1.0)) == pytest.approx(sum(rows + columns) / 4, rel=1e-5)
    assert float(info_nce(a, b, 1.0)) == pytest.approx(float(info_nce(b, a, 1.0)))


def test_found_first_is_1_for_pairs_and_a_half_for_strangers():
    z = torch.tensor(np.random.default_rng(0).normal(size=(400, 8)))
    assert found_first(z, 3 * z) == 1.0
    assert found_first(z, z[torch.randperm(400, generator=torch.Generator().manual_seed(0))]) == pytest.approx(
        0.5, abs=0.05
    )


@pytest.mark.parametrize(
    ("z", "rank"), [(torch.eye(5), 5.0), (torch.ones(6, 3), 1.0), (torch.diag(torch.tensor([1.0, 1.0, 0.0])), 2.0)]
)
def test_smooth_rank_is_the_number_of_equal_singular_values(z, rank):
    assert smooth_rank(z) == pytest.approx(rank, rel=1e-4)


# --- faults of the released code


def test_hidden_tiles_do_not_reach_the_encoder_and_a_scalar_would_let_them(planted):
    model, _ = started("intra", planted)
    model.network_.eval()
    tiles = np.random.default_rng(0).normal(size=(20, 12)).astype(np.float32)
    seen, hidden = model.split(tiles, 0.5)
    assert len(seen) == len(hidden) == 10
    other = tiles.copy()
    other[np.flatnonzero((tiles[:, None] == hidden).all(2).any(1))] += 5.0  # change what is hidden, and that alone
    with torch.no_grad():
        torch.testing.assert_close(model.encode([seen]), model.encode([model.split(other, 0.5)[0]]))
        # Released: all tiles, multiplied by the number of hidden ones.
        released = [model.encode([x * 10.0]) for x in (tiles, other)]
    assert (released[0] - released[1]).abs().max() > 1e-3


def test_what_is_predicted_is_the_hidden_tiles_and_not_the_seen_ones(planted):
    model, _ = started("intra", planted)
    model.network_.eval()
    tiles = np.random.default_rng(0).normal(size=(20, 12)).astype(np.float32)
    seen, hidden = model.split(tiles, 0.5)
    with torch.no_grad():
        found = model.loss(model.network_, SlideBatch([tiles], torch.zeros(1, 0)))
    guess = model.network_["decoder"](model.encode([seen]))[0].detach().numpy()
    assert float(found) == pytest.approx(float(((guess - hidden.mean(0)) ** 2).mean()), rel=1e-4)


def test_views_are_disjoint_and_change_in_training_only(planted):
    model, _ = started("intra", planted, objective="views")
    tiles = np.arange(24, dtype=np.float32).reshape(12, 2)
    model.network_.eval()
    a, b = model.split(tiles, 0.5)
    assert not set(a[:, 0]) & set(b[:, 0])
    np.testing.assert_array_equal(model.split(tiles, 0.5)[0], a)
    model.network_.train()
    drawn = {tuple(model.split(tiles, 0.5)[0][:, 0]) for _ in range(8)}
    assert len(drawn) > 1


def test_vectors_have_no_dropout_noise_and_those_of_a_network_in_training_mode_do(planted):
    model, data = started("tangle", planted)
    x = data.tiles(0)
    np.testing.assert_array_equal(model._embed(x), model._embed(x))
    model.network_.train()  # as released code leaves it
    with torch.no_grad():
        assert (model.encode([x]) - model.encode([x])).abs().max() > 1e-3
    np.testing.assert_array_equal(model._embed(x), model._embed(x))  # ours asks for evaluation itself


def test_weight_decay_is_what_was_asked_for():
    weights = [torch.nn.Parameter(torch.ones(3))]
    asked = small("tangle", training={"weight_decay": 0.3}).options.make_optimiser(weights)
    assert asked.param_groups[0]["weight_decay"] == 0.3
    # Released: the argument is parsed and not handed on.
    assert torch.optim.AdamW(weights, lr=1e-4).param_groups[0]["weight_decay"] == 0.01


@pytest.mark.parametrize("n_tiles", [5, 13])
def test_as_many_tiles_are_drawn_as_asked_for_whatever_the_number_of_genes(planted, n_tiles):
    data, _ = TrainingSlides.of(planted.bags, np.asarray(planted.expression.X))
    batches = _Batches(data, np.ones(24, dtype=bool), n_tiles, 8, 0)(0)
    assert {len(at) for _, drawn in batches for at in drawn} == {n_tiles}  # and not 7, the number of genes


def test_tiles_are_drawn_without_replacement(rng):
    for _ in range(20):
        drawn = draw_tiles(30, 20, rng)
        assert len(set(drawn)) == 20
        assert len(set(rng.integers(0, 30, 20))) < 20  # released: with replacement
    np.testing.assert_array_equal(draw_tiles(6, 20, rng), np.arange(6))


def test_warm_up_is_exactly_as_many_epochs_as_asked_for():
    options = pretraining("tangle").options
    optimiser = options.make_optimiser([torch.nn.Parameter(torch.ones(1))])
    schedule, rates = options.make_schedule(optimiser), []
    for _ in range(options.epochs):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    assert options.warmup == 5
    assert int(np.argmax(rates)) == 5
    assert rates[0] == pytest.approx(1e-5 * options.lr)
    assert rates[5] == options.lr
    assert rates[-1] < 1e-3 * options.lr
    assert (np.diff(rates[5:]) < 0).all()
    # Released: "<=" where "<" is meant.
    assert sum(step <= 5 for step in range(options.epochs)) == 6


def test_a_head_reads_a_stretch_of_its_own():
    encoder = SlideEncoder(dim=6, hidden=4, heads=2).eval()
    encoder.before = torch.nn.Identity()
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
    changed = x.clone()
    changed[..., 4:] += 1.0
    encoder.after = torch.nn.Identity()
    with torch.no_grad():
        a, b = encoder(x), encoder(changed)
    torch.testing.assert_close(a[:, :4], b[:, :4])
    assert (a[:, 4:] - b[:, 4:]).abs().min() > 1e-3
    # With the head index fastest and heads cut as stretches, both heads would have changed.
    mixed = [v.unflatten(-1, (4, 2)).transpose(-1, -2) for v in (x, changed)]
    assert (mixed[0][..., 0, :] != mixed[1][..., 0, :]).any()


# --- batches and selection


def test_a_batch_never_has_two_slides_of_a_donor_nor_one_slide_alone():
    bags = [Bag(f"s{i}", np.ones((3, 2)) * i, donor=f"d{i // 2}") for i in range(34)]  # 17 donors
    data, _ = TrainingSlides.of(bags, np.zeros((34, 0), dtype=np.float32))
    seen = set()
    for epoch in range(6):
        batches = _Batches(data, np.ones(34, dtype=bool), 2, 8, 0)(epoch)
        slides = np.concatenate([part for part, _ in batches])
        assert len(set(slides // 2)) == len(slides) == 17
        assert min(len(part) for part, _ in batches) >= 5
        seen |= set(slides)
    assert len(seen) == 34


def test_validating_donors_are_not_trained_on_and_too_few_are_refused(planted):
    model = small("tangle")
    groups = TrainingSlides.of(planted.bags, np.asarray(planted.expression.X))[0].groups
    held = model._held_out(groups, np.random.default_rng(0))
    assert 0 < held.sum() < len(held)
    assert not set(groups[held]) & set(groups[~held])
    with pytest.raises(DataError, match="5 donors are too few.*selection='last'"):
        small("tangle").fit(planted.bags[:5], planted.expression)
    assert (
        small("tangle", selection="last", training={"epochs": 2}).fit(planted.bags[:5], planted.expression).epochs_ == 2
    )


def test_the_kept_epoch_is_the_best_of_those_run(planted):
    for selection in ("validation", "smooth-rank"):
        model = small("tangle", selection=selection).fit(planted.bags, planted.expression)
        scores = [score for _, score in model.history_]
        assert len(scores) == 12
        assert model.epochs_ == int(np.argmax(scores)) + 1


@pytest.mark.parametrize(
    ("name", "params"),
    [("intra", {"objective": "mean"}), ("intra", {"mask_share": 1.0}), ("tangle", {"selection": "best"})],
)
def test_unknown_choices_are_refused(planted, name, params):
    with pytest.raises(DataError, match="Give"):
        small(name, **params).fit(planted.bags, planted.expression)


@pytest.mark.parametrize("objective", ["masked", "views", "mean-contrast", "mean-reconstruct"])
def test_every_objective_learns(planted, objective):
    model = small("intra", objective=objective).fit(planted.bags)
    losses = [loss for loss, _ in model.history_]
    assert min(losses[-3:]) < losses[0]


@pytest.mark.parametrize("params", [{}, {"heads": 2}])
def test_slides_and_profiles_that_were_never_seen_find_each_other(params):
    # Chance is 0.5 with a standard deviation of 0.04.
    planted = make_bulk("diffuse", n_slides=120, n_sites=2, n_tiles=(10, 20), n_genes=20, dim=16, seed=5)
    training = {"epochs": 15, "lr": 1e-2, "batch": 32, "warmup": 1}
    model = small("tangle", temperature=0.1, training=training, **params).fit(planted.bags[:90], planted.expression)
    new = [b for b in planted.bags[90:] if b.donor not in {b.donor for b in planted.bags[:90]}]
    y = (np.asarray(planted.expression[[b.name for b in new]].X) - model.scale_["mean"]) / model.scale_["sd"]
    with torch.no_grad():
        found = found_first(torch.tensor(model.embed(new)), model.network_["profile"](torch.tensor(y)))
    assert found > 0.65


def test_options_of_training_reach_the_loop():
    assert small("tangle", training={"lr": 0.5}).options.lr == 0.5
    assert pretraining("tangle", preset="published").options.weight_decay == 0.01
    assert Training(schedule="cosine").make_schedule(Training().make_optimiser([torch.nn.Parameter(torch.ones(1))]))
