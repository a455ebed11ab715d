"""Panel rules as published: worked by hand on sections small enough to count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from histoscribe.bench.panels import PANELS, panel_genes
from histoscribe.bench.suite import Panel
from histoscribe.core import keys
from histoscribe.core.errors import GeneError
from histoscribe.core.section import Section


def section(name, genes, counts):
    counts = np.asarray(counts, dtype=np.float32)
    obs = pd.DataFrame({keys.DEPTH: counts.sum(1)}, index=[f"{name}-{i}" for i in range(len(counts))])
    table = AnnData(obs=obs, var=pd.DataFrame(index=list(genes)))
    table.layers[keys.COUNTS] = sp.csr_matrix(counts)
    table.obsm[keys.SPATIAL] = np.arange(2.0 * len(counts)).reshape(-1, 2)
    return Section(table, None, 1.0, name, name)


TRAIN = section("train", "abc", [[9, 1, 0], [9, 0, 2]])
TEST = section("test", "cba", [[0, 40, 0], [5, 0, 1]])


def genes_of(rule, **options):
    return panel_genes(Panel(rule=rule, **options), [TRAIN], [TRAIN, TEST], folder=Path())


def test_the_triplex_rule_counts_the_test_section_and_the_clean_one_does_not():
    # Sums over all four spots: a 19, b 41, c 7; over the training spots: a 18, c 2, b 1.
    assert genes_of("highest-mean-test-included", n_genes=2) == ["b", "a"]
    assert genes_of("highest-mean", n_genes=2) == ["a", "c"]


def test_the_histospace_rule_keeps_genes_that_more_than_half_of_all_spots_count():
    # Shares of zeros: a 1/4, b 2/4, c 2/4.
    assert genes_of("zero-fraction-test-included") == ["a"]
    assert genes_of("zero-fraction-test-included", options={"below": 0.51}) == ["a", "b", "c"]


def test_votes_pick_the_genes_that_vary_in_most_sections(rng):
    genes = [f"g{i:03d}" for i in range(400)]
    level = np.exp(rng.uniform(np.log(10), np.log(40), 400))
    sections = []
    for k in range(4):
        mean = np.tile(level, (80, 1))
        mean[:, :5] *= np.where(rng.random((80, 5)) < 0.5, 0.2, 1.8)
        mean[:, 5 + k] *= np.where(rng.random(80) < 0.5, 0.2, 1.8)  # in this section alone
        sections.append(section(f"s{k}", genes, rng.poisson(mean)))
    rule = Panel(rule="hvg-votes-test-included", n_genes=5, options={"per_section": 20, "min_observations": 100})
    assert set(panel_genes(rule, sections[:1], sections, folder=Path())) == set(genes[:5])


def test_votes_are_refused_where_too_few_genes_are_counted():
    with pytest.raises(GeneError, match="0 are counted in enough observations"):
        genes_of("hvg-votes-test-included", n_genes=2)


@pytest.mark.parametrize("rule", ["highest-mean-test-included", "hvg-votes-test-included"])
def test_a_rule_without_its_number_is_refused(rule):
    with pytest.raises(GeneError, match="n_genes"):
        genes_of(rule)


def test_rules_that_look_at_the_test_say_so_in_their_names():
    theirs = [name for name in PANELS if "published_panels" in PANELS.get(name).__module__]
    assert len(theirs) == 4
    assert all(name.endswith("-test-included") for name in theirs)
