import numpy as np
import pytest
import torch

from histoscribe.core.errors import CoordinateError, SlideError
from histoscribe.methods import expression, train
from histoscribe.methods._batches import Part
from histoscribe.methods._crops import Crops, reduced
from histoscribe.methods.expression.bg_triplex import BgTriplex, _coarser
from histoscribe.metrics import pcc_gene
from histoscribe.nn.boundary import Guide, SurroundMapEncoder, TileMapEncoder
from histoscribe.nn.triplex import Size
from histoscribe.testing import make_section

FAST = {"epochs": 2, "patience": 0, "batch": 40, "mixed": False}
MAPS = ("edges", "nuclei", "edges_around", "nuclei_around")


@pytest.fixture(scope="module")
def sections():
    genes = {"nuclear-density": 4, "rest": 40}
    made = [make_section(donor, seed=4, size_um=700.0, genes=genes, donor_effect=0.0) for donor in range(4)]
    return train.prepare(made, "colour[grid7]", size_um=154.0, show=False)


@pytest.fixture(scope="module")
def fitted(sections):
    return expression("bg-triplex", preset="tiny", training=FAST).fit(sections[:2], 4)


def part_of(model, section, rows=None):
    seen = model._standardised(model.views(section))
    rows = np.arange(section.n_obs) if rows is None else rows
    cut = {n: v if n not in model.row_views or n == "features" else v[rows] for n, v in seen.items()}
    return Part({n: torch.from_numpy(np.ascontiguousarray(v)) for n, v in cut.items()}, torch.from_numpy(rows))


@pytest.mark.parametrize("name", MAPS)
def test_each_map_changes_the_prediction(name, fitted, sections):
    part = part_of(fitted, sections[3])
    other = {**part.views, name: part.views[name].flip(-1)}
    with torch.no_grad():
        change = fitted.forward(fitted.network_, Part(other, part.rows)) - fitted.forward(fitted.network_, part)
    assert change.abs().max() > 0


def test_an_observation_is_guided_by_its_own_maps_alone(fitted, sections):
    whole = part_of(fitted, sections[3])
    changed = {**whole.views, **{n: whole.views[n].clone() for n in MAPS}}
    for name in MAPS:
        changed[name][5] = 255 - changed[name][5]
    with torch.no_grad():
        before = fitted.forward(fitted.network_, whole)
        after = fitted.forward(fitted.network_, Part(changed, whole.rows))
    different = (before != after).any(1)
    assert different[5]
    assert different.sum() == 1


def test_a_batch_of_one_gives_what_a_batch_of_all_gives(fitted, sections):
    with torch.no_grad():
        whole = fitted.forward(fitted.network_, part_of(fitted, sections[3]))
        alone = fitted.forward(fitted.network_, part_of(fitted, sections[3], np.array([7])))
    assert torch.allclose(whole[7], alone[0], atol=1e-5)


def trained(model, section):
    network = model.network_.train()
    network.zero_grad()
    part = part_of(model, section)
    model.loss(network, [Part(part.views, part.rows, torch.ones(section.n_obs, len(model.genes_)))]).backward()
    network.eval()
    return {n: p.grad is not None and bool(p.grad.abs().sum() > 0) for n, p in network.named_parameters()}


def test_all_five_branches_are_supervised(fitted, sections):
    assert all(trained(fitted, sections[0]).values())


def test_the_released_loss_never_trains_the_section_s_head(fitted, sections):
    released = expression("bg-triplex", preset="tiny", released_loss=True, training=FAST)
    released.network_, released.genes_, released.spec_ = fitted.network_, fitted.genes_, fitted.spec_
    released.shapes_, released.scales_ = fitted.shapes_, fitted.scales_
    found = trained(released, sections[0])
    assert not found["head_section.weight"]
    assert found["head_tile.weight"]
    assert found["head_around.weight"]


def test_the_maps_alone_tell_how_many_nuclei_there_are(sections):
    class MapsOnly(BgTriplex):
        def views(self, section):
            seen = super().views(section)
            return seen | {n: np.zeros_like(seen[n]) for n in ("tokens", "around", "features")}

    training = {"mixed": False, "lr": 1e-2, "epochs": 16, "batch": 12, "patience": 0}
    model = MapsOnly(**{**BgTriplex.presets["tiny"], "training": training})
    genes = [g for g in sections[0].table.var_names if g.startswith("NUCLEAR")]
    model.fit(sections[:3], genes, seed=0)
    new = sections[3]
    assert pcc_gene(model.target_(new, genes), np.asarray(model.predict(new).X)).mean() > 0.5


def test_guidance_is_the_norm_of_both_looks_with_the_same_weights():
    torch.manual_seed(0)
    guide = Guide(8, Size(1, 2, 2, 0.0)).eval()
    tokens, edges, nuclei = torch.randn(2, 4, 8), torch.randn(2, 9, 8), torch.randn(2, 9, 8)
    layer = guide.layers[0]
    assert torch.allclose(guide(tokens, edges, nuclei), guide.norm(layer(tokens, edges) + layer(tokens, nuclei)))
    assert torch.allclose(guide(tokens, edges, nuclei), guide(tokens, nuclei, edges), atol=1e-6)


def test_the_published_maps_give_49_and_25_tokens():
    widths = (2, 2, 2, 4)
    assert TileMapEncoder(widths)(torch.zeros(1, 1, 224, 224)).shape == (1, 49, 4)
    around = SurroundMapEncoder(widths, 1120, 5)
    assert around.n_pools == 4
    assert around(torch.zeros(1, 1, 1120, 1120)).shape == (1, 25, 4)


@pytest.mark.parametrize(("side", "k"), [(70, 5), (80, 5), (58, 3), (24, 5)])
def test_a_coarser_map_gives_one_token_a_tile_as_well(side, k):
    encoder = SurroundMapEncoder((2, 2, 2, 4), side, k)
    assert encoder(torch.zeros(3, 1, side, side)).shape == (3, k * k, 4)


def test_a_token_knows_its_own_corner_of_the_map():
    torch.manual_seed(0)
    encoder = SurroundMapEncoder((4, 4, 4, 8), 1120, 5)
    maps = torch.zeros(1, 1, 1120, 1120)
    other = maps.clone()
    other[..., :100, :100] = 255
    with torch.no_grad():
        change = (encoder(other) - encoder(maps))[0].abs().sum(1).view(5, 5)
    assert change[0, 0] > 0
    assert change[3:].sum() == 0
    assert change[:, 3:].sum() == 0


def test_crops_are_centred_and_padded_with_zeros():
    plane = np.arange(1, 26, dtype=np.uint8).reshape(5, 5)
    crops = Crops(plane, np.array([[2.5, 2.5], [0.5, 0.5], [40.0, 2.0]]), 3)
    cut = np.asarray(crops)
    assert crops.shape == cut.shape == (3, 1, 3, 3)
    assert cut[0, 0].tolist() == [[7, 8, 9], [12, 13, 14], [17, 18, 19]]
    assert cut[1, 0].tolist() == [[0, 0, 0], [0, 1, 2], [0, 6, 7]]
    assert not cut[2].any()
    assert np.array_equal(np.asarray(crops[np.array([1, 0])]), cut[[1, 0]])


def test_a_reduced_map_averages_squares():
    assert reduced(np.array([[0, 4, 9], [8, 8, 9]], dtype=np.uint8), 2).tolist() == [[5]]


def test_two_observations_at_one_place_are_refused(fitted, sections):
    table = sections[3].table.copy()
    table.obs.iloc[1] = table.obs.iloc[0]
    with pytest.raises(CoordinateError, match="places that are taken"):
        fitted.predict(sections[3].replace(table=table))


def test_a_section_without_a_slide_is_refused(fitted, sections):
    with pytest.raises(SlideError, match="no slide"):
        fitted._maps(sections[3].replace(slide=None))


def test_the_card_says_that_the_maps_are_substitutes():
    assert "substitutes for PiDiNet and HoVer-Net" in BgTriplex.card.summary
    assert "substitutes for PiDiNet and HoVer-Net" in BgTriplex.card.deviations[0]


def test_tokens_are_averaged_to_a_coarser_grid():
    tokens = np.arange(16, dtype=np.float32).reshape(1, 16, 1)
    assert _coarser(tokens, 2)[0, :, 0].tolist() == [2.5, 4.5, 10.5, 12.5]
