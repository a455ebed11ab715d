import numpy as np
import pytest

from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.testing import CLASSES, Truth, make_donors, make_section


@pytest.fixture(scope="module")
def section():
    return make_section(size_um=1500.0)


def test_same_seed_gives_the_same_section_and_another_donor_another():
    first, again, other = make_section(1), make_section(1), make_section(2)
    assert first.slide.digest() == again.slide.digest() != other.slide.digest()
    assert (first.table.layers[keys.COUNTS] != again.table.layers[keys.COUNTS]).nnz == 0
    assert list(first.table.var_names) == list(other.table.var_names)
    assert first.donor != other.donor


def test_two_sections_of_a_donor_share_the_donor_and_differ_in_tissue():
    a, b = make_donors(1, 2, size_um=600.0, mpp=2.0)
    assert a.donor == b.donor
    assert a.name != b.name
    assert a.slide.digest() != b.slide.digest()


def test_section_is_labelled_synthetic_everywhere(section):
    assert section.table.uns[keys.UNS]["synthetic"] is True
    assert section.name.startswith("synthetic-")
    assert section.donor.startswith("synthetic-")
    assert section.species == "synthetic"
    assert all(g.rstrip("0123456789") in CLASSES.values() for g in section.table.var_names)


def test_counts_are_whole_and_sum_to_the_depth(section):
    counts = section.table.layers[keys.COUNTS]
    assert counts.dtype.kind == "i"
    assert counts.data.min() > 0
    assert np.array_equal(np.asarray(counts.sum(1)).ravel(), section.depth)


def test_blinding_removes_every_trace_of_the_truth(section):
    blind = section.blind()
    assert list(blind.table.layers) == []
    assert list(blind.table.var.columns) == []
    assert set(blind.table.obs.columns) == {keys.ARRAY_ROW, keys.ARRAY_COL}
    assert keys.UNS not in blind.table.uns
    with pytest.raises(DataError, match="holds no truth"):
        Truth.of(blind)


def test_expected_shares_of_a_library_sum_to_one(section):
    share = section.table.layers["expected_share"]
    assert share.min() > 0
    assert share.sum(1) == pytest.approx(1.0)


def test_ceiling_is_the_score_of_the_noise_free_target_and_zero_without_signal(section):
    truth = Truth.of(section)
    gene = int(np.flatnonzero(truth.where("gland"))[0])
    assert truth.ceiling()[gene] == pytest.approx(np.corrcoef(truth.expected[:, gene], truth.measured[:, gene])[0, 1])
    assert (truth.ceiling()[truth.where("null")] == 0).all()
    for planted in ("nuclear-density", "gland", "stroma", "lymphocyte", "depth"):
        assert truth.ceiling()[truth.where(planted)].mean() > 0.4, planted


def test_expected_target_of_a_planted_gene_is_linear_in_what_the_pixels_show(section):
    """Stroma is pink, glands and lymphocytes are dark: mean darkness must order the genes' expected targets."""
    truth = Truth.of(section)
    side = 112.0 / section.mpp
    tiles = [
        section.slide.region(x - side / 2, y - side / 2, width=side, height=side, out=(56, 56)).pixels
        for x, y in section.xy
    ]
    dark = np.array([(tile.max(-1) < 150).mean() for tile in tiles])  # share of pixels that only nuclei can have
    density = truth.expected[:, truth.where("nuclear-density")]
    slope = section.table.var["slope"].to_numpy()[truth.where("nuclear-density")]
    found = np.corrcoef(dark, density.T)[0, 1:]
    assert (np.sign(found) == np.sign(slope)).all()
    assert np.abs(found).mean() > 0.85


def test_depth_rises_with_cellularity_but_is_not_given_by_it(section):
    truth = Truth.of(section)
    density = truth.expected[:, truth.where("nuclear-density")][:, 0]
    found = np.corrcoef(np.log(section.depth), density)[0, 1]
    assert 0.3 < abs(found) < 0.95


def test_null_genes_differ_between_donors_but_not_within_a_section():
    a, b = (Truth.of(make_section(d)) for d in (0, 1))
    null = a.where("null")
    assert np.ptp(a.expected[:, null], axis=0).max() < 1e-9
    assert np.abs(a.expected[0, null] - b.expected[0, null]).max() > 0.05


def test_stain_changes_the_pixels_and_nothing_else():
    plain, stained = make_section(1, stain_variation=0.0), make_section(1, stain_variation=2.0)
    assert (plain.table.layers[keys.COUNTS] != stained.table.layers[keys.COUNTS]).nnz == 0
    assert np.array_equal(plain.xy, stained.xy)
    assert np.abs(plain.slide.pixels.mean((0, 1)) - stained.slide.pixels.mean((0, 1))).max() > 2.0


def test_donors_differ_in_stain_unless_told_otherwise():
    def glass(**options):
        return np.array([np.median(make_section(d, **options).slide.pixels[:12], axis=(0, 1)) for d in range(3)])

    assert np.ptp(glass(stain_variation=0.0), axis=0).max() <= 1.0
    assert np.ptp(glass(), axis=0).max() > 1.0


def test_spots_lie_on_visium_lattice_and_on_tissue(section):
    xy = section.xy_um
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert np.median(distance.min(1)) == pytest.approx(100.0, rel=0.01)
    assert len(section.table.obs_names) == len(set(section.table.obs_names)) > 50
    white = [section.slide.region(x - 5, y - 5, width=10, height=10, out=(1, 1)).pixels.min() for x, y in section.xy]
    assert np.mean(np.array(white) > 225) < 0.25  # the others are fat and lumen, not glass


def test_size_can_be_a_rectangle():
    section = make_section(size_um=(900.0, 500.0))
    assert section.slide.size == (450, 250)
