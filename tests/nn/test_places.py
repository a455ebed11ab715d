import numpy as np
import torch

from histoscribe.nn.places import PlaceEmbedding, seen_places


def test_seen_places_are_the_lowest_and_highest_of_all_sections():
    found = seen_places([np.array([[3, 9], [5, 2]]), np.array([[4, 10]])])
    assert found.tolist() == [[3, 2], [5, 10]]


def test_a_place_is_the_sum_of_its_row_and_its_column():
    embed = PlaceEmbedding(4, np.array([[3, 2], [5, 10]]))
    found = embed(torch.tensor([[4, 10]]))
    assert torch.equal(found[0], embed.row.weight[1] + embed.column.weight[8])


def test_a_place_beyond_those_seen_takes_the_nearest_seen_one():
    embed = PlaceEmbedding(4, np.array([[3, 2], [5, 10]]))
    assert torch.equal(embed(torch.tensor([[99, -7]])), embed(torch.tensor([[5, 2]])))
