import numpy as np
import pytest

from histoscribe.core import keys
from histoscribe.core.errors import DataError, GeneError
from histoscribe.core.target import Target
from histoscribe.methods import volume
from histoscribe.methods._plane_kernel import kernel_weights
from histoscribe.methods._volume_target import AsMeasured, LogShares
from histoscribe.testing import make_stack

GENES = ["G0", "G1", "G2"]


@pytest.fixture(scope="module")
def stack():
    return make_stack(n_sections=3, side=4, n_genes=3).stack


def values(section):
    return Target()(section, GENES).astype(float)


def test_the_section_mean_is_that_of_the_labelled_observations(stack):
    (found, _) = volume("section-mean").fit((), GENES).impute(stack, labelled=stack.names[:1])
    assert pytest.approx(np.tile(values(stack.sections[0]).mean(0), (16, 1)), abs=1e-5) == found.X


def test_the_training_mean_is_that_of_other_donors(stack):
    other = make_stack("another", n_sections=2, side=4, n_genes=3).stack
    found = volume("training-mean").fit([other], GENES).impute(stack, labelled=stack.names[:1])[0]
    assert found.X[0] == pytest.approx(np.concatenate([values(s) for s in other.sections]).mean(0), abs=1e-5)


def test_a_kernel_of_no_width_copies_the_nearest_observation(stack):
    found = volume("kernel-transfer", sigma_pitch=0.0).fit((), GENES).impute(stack, labelled=stack.names[:1])[0]
    nearest = np.linalg.norm(stack.xy_um[1][:, None] - stack.xy_um[0], axis=-1).argmin(1)
    assert pytest.approx(values(stack.sections[0])[nearest], abs=1e-5) == found.X


def test_depth_mixes_the_sections_above_and_below(stack):
    model = volume("z-interpolation", sigma_pitch=0.0).fit((), GENES)
    both = model.impute(stack, labelled=[stack.names[0], stack.names[2]])[0]
    above = model.impute(stack, labelled=[stack.names[0]])[0]
    below = model.impute(stack, labelled=[stack.names[2]])[1]
    assert pytest.approx((above.X + below.X) / 2, abs=1e-5) == both.X


def test_with_one_labelled_section_interpolation_is_transfer(stack):
    found = [
        volume(name).fit((), GENES).impute(stack, labelled=stack.names[:1])
        for name in ("kernel-transfer", "z-interpolation")
    ]
    assert all(np.array_equal(a.X, b.X) for a, b in zip(*found, strict=True))


def test_a_kernel_can_leave_out_the_place_itself():
    xy = np.array([[0.0, 0.0], [1.0, 0.0], [9.0, 0.0]])
    weights = kernel_weights(xy, xy, 1.0, alone=True)
    assert np.diag(weights).tolist() == [0, 0, 0]
    assert weights.sum(1) == pytest.approx(1)
    # A place far from all takes the nearest.
    assert weights[2] == pytest.approx([0, 1, 0], abs=1e-3)


def test_the_panel_comes_from_the_labelled_section_where_no_donor_gives_one(stack):
    found = volume("section-mean").fit((), 2).impute(stack, labelled=stack.names[:1])[0]
    counts = stack.sections[0].table.to_df().sum()
    assert list(found.var_names) == list(counts.sort_values(ascending=False).index[:2])


def test_an_imputer_that_was_not_fitted_says_so(stack):
    with pytest.raises(DataError, match="not fitted"):
        volume("section-mean").impute(stack, labelled=stack.names[:1])


def test_log_shares_are_asigns(stack):
    counts = stack.sections[0].table[:, GENES].layers[keys.COUNTS].toarray() + 1.0
    found = LogShares()(stack.sections[0], GENES)
    assert found == pytest.approx(np.log(counts / counts.sum(1, keepdims=True)))


def test_values_as_measured_are_left_alone(stack):
    assert np.array_equal(AsMeasured()(stack.sections[0], GENES), stack.sections[0].table[:, GENES].X.toarray())
    with pytest.raises(GeneError, match="lacks 1 of 1"):
        AsMeasured()(stack.sections[0], ["unheard-of"])
