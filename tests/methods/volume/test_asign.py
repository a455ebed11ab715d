"""The faults of released ASIGN: each test fails for a network with the fault, and holds for ours."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from histoscribe.methods import volume
from histoscribe.methods._asign_graph import disc_overlap, make_cells, make_graph, propagate
from histoscribe.methods._asign_network import AsignNetwork, Faults, Levels, Stage, asign_loss
from histoscribe.methods._volume import Plane, Volume
from histoscribe.methods.volume.asign import _project_each
from histoscribe.testing import make_stack

GENES = [f"G{g}" for g in range(6)]
DIM = 5


def as_volume(n_sections=2, side=5):
    stack = make_stack(n_sections=n_sections, side=side, n_genes=len(GENES)).stack
    planes = [
        Plane(s.name, xy, float(z), None, s.blind())
        for s, xy, z in zip(stack.sections, stack.xy_um, stack.z_um, strict=True)
    ]
    return Volume(stack.donor, tuple(planes), 200.0)


def staged(*, faults=None, alone=False):
    """A stack's stage with random features; `alone` gives every node an edge to itself and no other."""
    faults = faults or Faults()
    graph = make_graph(as_volume(), sides_um=(400.0, 800.0), loops=not faults.no_self_loop)
    sizes = len(graph.plane), len(graph.regions.plane), len(graph.globals_.plane)
    edges = [graph.edges, graph.regions.edges, graph.globals_.edges]
    if alone:
        edges = [np.tile(np.arange(n), (2, 1)) for n in sizes]
    index = [*edges, graph.regions.window, graph.globals_.window, graph.region_global]
    stage = Stage(*(torch.randn(n, DIM) for n in sizes), *(torch.from_numpy(np.asarray(i)) for i in index))
    return stage, graph


def network(faults=None, **more):
    made = AsignNetwork(DIM, len(GENES), width=16, heads=2, faults=faults, **more)
    for head in made.heads:  # heads start near 0; a test must see what reaches them
        torch.nn.init.normal_(head[1].weight)
    return made.eval()


def changed_rows(net, stage, row):
    spots = stage.spots.clone()
    spots[row] += torch.randn(DIM)
    with torch.no_grad():
        before, after = net(stage).spots, net(replace(stage, spots=spots)).spots
    return torch.nonzero((before - after).abs().amax(1) > 1e-5).ravel().tolist()


@pytest.mark.parametrize(("faults", "holds"), [(None, True), (Faults(single_key=True), False)])
def test_another_image_of_the_spots_gives_another_prediction(faults, holds):
    net, (stage, _) = network(faults), staged()
    with torch.no_grad():
        same = torch.equal(net(stage).spots, net(replace(stage, spots=torch.randn_like(stage.spots))).spots)
    assert same is not holds


@pytest.mark.parametrize(("faults", "holds"), [(None, True), (Faults(single_key=True), False)])
def test_the_gradient_reaches_every_parameter(faults, holds):
    net, (stage, _) = network(faults), staged()
    found = net(stage)
    mixed = net.mix(found.spots, torch.randn_like(found.spots))
    (mixed.square().mean() + found.regions.square().mean() + found.globals_.square().mean()).backward()
    dead = [n for n, p in net.named_parameters() if p.grad is None or p.grad.abs().max() < 1e-9]
    assert (dead == []) is holds


@pytest.mark.parametrize(("faults", "holds"), [(None, True), (Faults(scrambled=True), False)])
def test_a_spot_without_neighbours_decides_its_own_prediction_and_no_other(faults, holds):
    net, (stage, _) = network(faults), staged(alone=True)
    assert all(changed_rows(net, stage, row) == [row] for row in (0, 4, 29)) is holds


@pytest.mark.parametrize(("faults", "holds"), [(None, True), (Faults(scrambled=True), False)])
def test_permuting_the_spots_permutes_the_predictions(faults, holds):
    net, (stage, _) = network(faults), staged()
    order = torch.randperm(len(stage.spots))
    where = torch.argsort(order)
    other = replace(
        stage,
        spots=stage.spots[order],
        spot_edges=where[stage.spot_edges],
        region_window=stage.region_window[order],
        global_window=stage.global_window[order],
    )
    with torch.no_grad():
        close = torch.allclose(net(other).spots, net(stage).spots[order], atol=1e-4)
    assert close is holds


@pytest.mark.parametrize(("faults", "holds"), [(None, True), (Faults(flat_attention=True), False)])
def test_attention_weighs_neighbours_apart(faults, holds):
    # Two neighbours of a node change places in its weights when their attention vectors turn.
    layer = network(faults).graphs[0][0]
    x, edges = torch.randn(3, 16), torch.tensor([[0, 0, 1, 2], [1, 2, 1, 2]])
    with torch.no_grad():
        before = layer(x, edges)[0].clone()
        layer.source.mul_(-3.0)
        after = layer(x, edges)[0]
    assert bool((before - after).abs().max() > 1e-3) is holds


@pytest.mark.parametrize(("faults", "holds"), [(Faults(), True), (Faults(no_self_loop=True), False)])
def test_every_node_looks_at_itself(faults, holds):
    _, graph = staged(faults=faults)
    for edges, n in (
        (graph.edges, len(graph.plane)),
        (graph.regions.edges, len(graph.regions.plane)),
        (graph.globals_.edges, len(graph.globals_.plane)),
    ):
        assert set(edges[0][edges[0] == edges[1]]) == (set(range(n)) if holds else set())


@pytest.mark.parametrize(("faults", "holds"), [(Faults(), True), (Faults(region_leak=True), False)])
def test_no_label_of_an_unlabelled_section_reaches_the_loss(faults, holds):
    net, (stage, graph) = network(faults), staged()
    planes = [torch.from_numpy(p) for p in (graph.plane, graph.regions.plane, graph.globals_.plane)]
    wanted = Levels(*(torch.randn(len(p), len(GENES), requires_grad=True) for p in planes))
    scored = Levels(*(p == 0 for p in planes))
    loss = asign_loss(
        net(stage),
        wanted,
        scored,
        region_of_spot=torch.from_numpy(graph.regions.of_spot),
        global_of_spot=torch.from_numpy(graph.globals_.of_spot),
        faults=faults,
    )
    loss.backward()
    leaked = sum(
        float(w.grad[p != 0].abs().sum())
        for w, p in zip((wanted.spots, wanted.regions, wanted.globals_), planes, strict=True)
    )
    assert (leaked == 0) is holds


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_alike_slides_look_alike_unless_each_has_its_own_projection(variant):
    stage, graph = staged()
    spots = stage.spots.clone()
    first, second = (np.flatnonzero(graph.plane == p) for p in (0, 1))
    spots[second] = spots[first]
    stage = replace(stage, spots=spots)
    if variant == "released":
        stage = _project_each(stage, graph, 0)
    assert torch.allclose(stage.spots[first], stage.spots[second]) is (variant == "paper")
    assert volume("asign", variant=variant)._faults().slide_projection is (variant == "released")


@pytest.mark.parametrize(("faults", "holds"), [(Faults(), True), (Faults(noisy_test=True), False)])
def test_two_predictions_are_equal(faults, holds):
    net, (stage, _) = network(faults, dropout=0.1), staged()
    net.train(net.faults.noisy_test)  # as `Asign._impute` does before it predicts
    with torch.no_grad():
        assert torch.equal(net(stage).spots, net(stage).spots) is holds


def test_labels_travel_from_a_mean_and_known_ones_stay():
    graph = make_graph(as_volume(), sides_um=(400.0, 800.0))
    values = np.full((len(graph.plane), 1), np.nan)
    known = graph.plane == 0
    values[known] = np.where(np.arange(known.sum()) % 2, -5.0, -6.0)[:, None]
    found = propagate(graph.travel, values, known)
    assert np.array_equal(found[known], values[known])
    assert ((found[~known] > -6.0) & (found[~known] < -5.0)).all()


def test_discs_overlap_as_circles_do():
    # Equal discs one radius apart: lens 2 pi / 3 - sqrt(3) / 2 of a union of 2 pi less the lens.
    lens = 2 * np.pi / 3 - np.sqrt(3) / 2
    assert disc_overlap(np.array([0.0, 1.0, 2.0, 9.0]), 1.0) == pytest.approx([1, lens / (2 * np.pi - lens), 0, 0])


def test_cells_hold_their_spots_and_look_no_further_than_their_section():
    xy = np.array([[10.0, 10.0], [390.0, 10.0], [410.0, 10.0], [10.0, 10.0]])
    cells = make_cells(xy, np.array([0, 0, 0, 1]), 400.0)
    assert cells.of_spot.tolist() == [0, 0, 1, 2]
    assert sorted(map(tuple, cells.edges.T.tolist())) == [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)]
    assert cells.window[0, 0] == 0
    assert set(cells.window[3]) == {2, -1}
    assert cells.mean(np.array([[1.0], [3.0], [5.0], [7.0]])).ravel().tolist() == [2.0, 5.0, 7.0]


def test_an_unknown_variant_is_refused():
    stack = make_stack(side=4, n_sections=2, n_genes=len(GENES)).stack
    with pytest.raises(Exception, match="no variant 'draft'"):
        volume("asign", variant="draft", others=False).fit((), GENES).impute(stack, labelled=stack.names[:1])


def test_images_are_asked_for_where_they_are_used():
    stack = make_stack(side=4, n_sections=2, n_genes=len(GENES)).stack
    model = volume("asign", images=True, others=False).fit((), GENES)
    assert "images" in model.regime
    with pytest.raises(Exception, match="needs images"):
        model.impute(stack, labelled=stack.names[:1])
