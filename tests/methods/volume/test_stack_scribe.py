import json

import numpy as np
import pytest

from histoscribe.core.target import Target
from histoscribe.methods import volume
from histoscribe.metrics import interval_coverage, pcc_gene
from histoscribe.testing import make_stack

GENES = [f"G{g}" for g in range(12)]


@pytest.fixture(scope="module")
def study():
    stacks = [make_stack(f"planted-{i}", side=9, depth=150.0).stack for i in range(4)]
    return stacks[0], stacks[1:]


def scores(tables, stack):
    truth = {s.name: Target()(s, GENES) for s in stack.sections}
    return np.mean([pcc_gene(truth[t.uns["histoscribe"]["section"]], t.X).mean() for t in tables])


def test_genes_that_go_together_help_each_other_where_counts_are_few(study):
    stack, others = study
    found = {
        name: scores(volume(name, **more).fit(others, GENES).impute(stack, labelled=stack.names[:1]), stack)
        for name, more in (("kernel-transfer", {}), ("stack-scribe", {}))
    }
    assert found["stack-scribe"] > found["kernel-transfer"]


def test_it_learns_from_the_labelled_section_alone_too(study):
    stack, _ = study
    model = volume("stack-scribe", others=False).fit((), GENES)
    assert not model.uses_training_donors
    assert scores(model.impute(stack, labelled=stack.names[:1]), stack) > 0.5


def test_its_intervals_hold_about_nine_in_ten(study):
    stack, others = study
    tables = volume("stack-scribe").fit(others, GENES).impute(stack, labelled=stack.names[:1])
    truth = {s.name: Target()(s, GENES) for s in stack.sections}
    held = [
        interval_coverage(truth[t.uns["histoscribe"]["section"]], t.layers["lower"], t.layers["upper"]).mean()
        for t in tables
    ]
    assert 0.8 < np.mean(held) < 0.97


def test_the_strength_of_the_ridge_is_stated(study):
    stack, others = study
    table = volume("stack-scribe").fit(others, GENES).impute(stack, labelled=stack.names[:2])[0]
    facts = json.loads(table.uns["histoscribe"]["facts"])
    assert facts["ridge_strength"] in (1, 3, 10, 30, 100, 300, 1000)
    assert facts["n_labelled"] == 2 * 81
