import numpy as np
import torch

from histoscribe.nn.sage import SageMean, nearest_places, neighbour_mean

CROSS = torch.tensor([[0, 0], [0, 1], [1, 0], [0, 2], [5, 5]])


def test_the_nearest_places_come_first_and_equals_from_the_top_left():
    found = nearest_places(CROSS, k=4, reach=2.0)
    # From (0, 0): (0, 1) and (1, 0) at 1, then (0, 2) at 2; (5, 5) is out of reach.
    assert found[0].tolist() == [1, 2, 3, -1]
    assert found[4].tolist() == [-1, -1, -1, -1]
    assert nearest_places(CROSS, k=1, reach=2.0)[2].tolist() == [0]


def test_nearest_places_agree_with_all_distances_on_a_full_grid(rng):
    grid = torch.cartesian_prod(torch.arange(6), torch.arange(6))[torch.from_numpy(rng.permutation(36))]
    found = nearest_places(grid, k=4, reach=2.0)
    away = torch.cdist(grid.float(), grid.float())
    picked = away.gather(1, found).sort(1).values
    assert torch.allclose(picked, away.fill_diagonal_(99).sort(1).values[:, :4])


def test_permuting_observations_permutes_their_neighbours(rng):
    grid = torch.cartesian_prod(torch.arange(4), torch.arange(5))
    order = torch.from_numpy(rng.permutation(20))
    straight, permuted = (nearest_places(g, k=4, reach=2.0) for g in (grid, grid[order]))
    assert torch.equal(order[permuted], straight[order])


def test_the_mean_skips_those_who_are_not_there():
    x = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 4.0]])
    found = neighbour_mean(x, torch.tensor([[1, 2], [0, -1], [-1, -1]]))
    assert found.tolist() == [[4.0, 3.0], [1.0, 0.0], [0.0, 0.0]]


def test_a_layer_is_relu_of_own_and_mean_scaled_to_length_one():
    layer = SageMean(1, 2)
    with torch.no_grad():
        layer.linear.weight.copy_(torch.tensor([[1.0, 1.0], [-1.0, 2.0]]))
    found = layer(torch.tensor([[1.0], [2.0]]), torch.tensor([[1], [-1]]))
    first = np.array([1 + 2, -1 + 4])
    assert np.allclose(found[0].detach(), first / np.linalg.norm(first))
    assert found[1].tolist() == [1.0, 0.0]  # alone: relu(2), relu(-2)


def test_without_own_features_a_layer_sees_the_neighbours_only():
    layer = SageMean(1, 2, own=False)
    neighbours = torch.tensor([[1], [0]])
    before, after = (layer(torch.tensor(x), neighbours) for x in ([[1.0], [2.0]], [[9.0], [2.0]]))
    assert torch.equal(before[0], after[0])
