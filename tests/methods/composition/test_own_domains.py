"""Domains that stand for layers are found from counts and positions."""

import numpy as np
import pytest

from histoscribe.core.errors import DataError
from histoscribe.methods import Reference, composition
from histoscribe.methods._own_domains import own_domains
from histoscribe.testing import make_spots


@pytest.fixture(scope="module")
def planted():
    """Two layers side by side on a square array."""
    made = make_spots(n_spots=144, n_genes=60, seed=30)
    order = np.argsort((made.spots.obs["layer"] == "disease").to_numpy(), kind="stable")
    made.spots.obsm["spatial"] = np.empty((144, 2))
    made.spots.obsm["spatial"][order] = np.stack(np.divmod(np.arange(144), 12), axis=1) * 100.0
    return made


def test_a_domain_lies_in_one_layer(planted):
    found, layer = np.array(own_domains(planted.spots)), planted.spots.obs["layer"].to_numpy()
    pure = sum(max(np.sum(layer[found == d] == name) for name in set(layer)) for d in set(found))
    assert pure / len(found) > 0.9
    assert len(set(found)) > 1
    assert found.tolist() == own_domains(planted.spots)


def test_they_serve_where_nobody_drew_layers(planted):
    reference = Reference.from_cells(planted.cells, "cell_type")
    errors = {}
    for layers in (None, "domains", "layer"):
        found = composition("polaris", held_out=0).fit(planted.spots, reference, layers=layers)
        errors[layers] = float(np.sqrt(((found.obsm["composition"] - planted.truth) ** 2).mean()))
        if layers == "domains":
            assert any(
                "domains found from the section's own counts" in note for note in found.uns["histoscribe"]["notes"]
            )
    assert errors["domains"] < 0.95 * errors[None]
    assert errors["layer"] <= 1.05 * errors["domains"]


def test_without_positions_there_are_none(planted):
    table = planted.spots.copy()
    del table.obsm["spatial"]
    with pytest.raises(DataError, match="domains need positions"):
        own_domains(table)
