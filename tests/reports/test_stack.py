import numpy as np
import pytest

from histoscribe.core.errors import GeneError
from histoscribe.core.target import Target
from histoscribe.methods import volume
from histoscribe.metrics import pcc_gene
from histoscribe.reports.stack import stack_figure
from histoscribe.testing import make_stack

GENES = ["G0", "G1", "G2"]


@pytest.fixture(scope="module")
def imputed():
    stack = make_stack(n_sections=3, side=5, n_genes=3).stack
    return stack, volume("kernel-transfer").fit((), GENES).impute(stack, labelled=stack.names[:1])


def test_measured_and_imputed_share_one_range_and_state_their_correlation(imputed):
    stack, tables = imputed
    figure = stack_figure(stack, tables, "G1", target=Target())
    axes = figure.axes[:6]
    drawn = [ax.collections for ax in axes]
    assert [len(c) for c in drawn] == [1, 1, 1, 0, 1, 1]
    assert len({c[0].get_clim() for c in drawn if c}) == 1
    y = Target()(stack.sections[1], GENES)[:, [1]]
    assert axes[4].get_title() == f"r = {pcc_gene(y, tables[0].X[:, [1]])[0]:.2f}"
    assert axes[0].get_title().endswith("(labelled)")
    figure.canvas.draw()  # would warn, and so fail, where something cannot be drawn


def test_sections_without_expression_have_nothing_above(imputed):
    stack, tables = imputed
    sections = (stack.sections[0], *(s.blind() for s in stack.sections[1:]))
    bare = type(stack)(sections, stack.xy_um, stack.z_um)
    figure = stack_figure(bare, tables, "G1", target=Target())
    assert [len(ax.collections) for ax in figure.axes[:6]] == [1, 0, 0, 0, 1, 1]
    assert np.all([not ax.get_title() for ax in figure.axes[3:6]])


def test_a_gene_that_was_not_imputed_is_named(imputed):
    stack, tables = imputed
    with pytest.raises(GeneError, match="'ERBB2' is not among the 3"):
        stack_figure(stack, tables, "ERBB2", target=Target())
