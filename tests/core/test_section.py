"""A section refuses wrong data, and blinding leaves nothing that was measured."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, GeneError, ScaleError
from histoscribe.core.features import Features, FeatureSpec
from histoscribe.core.section import Section
from histoscribe.core.target import Target, choose_panel


def table(counts, genes="ABC", obs=None):
    counts = np.asarray(counts)
    names = obs or [f"s{i}" for i in range(len(counts))]
    data = AnnData(sp.csr_matrix(counts), obs=pd.DataFrame(index=names), var=pd.DataFrame(index=list(genes)))
    data.layers[keys.COUNTS] = data.X.copy()
    data.obs[keys.DEPTH] = counts.sum(1)
    data.obsm[keys.SPATIAL] = np.arange(2.0 * len(counts)).reshape(-1, 2)
    return data


def section(counts=((1, 2, 3), (4, 0, 0)), **changes):
    options = {"slide": None, "mpp": 0.5, "name": "S", "donor": "D"} | changes
    return Section(options.pop("table", None) or table(counts), **options)


@pytest.mark.parametrize("mpp", [None, 0, -1, float("nan"), 1e3])
def test_a_section_without_a_plausible_scale_is_refused(mpp):
    with pytest.raises(ScaleError, match=r"section 'S'.*mpp="):
        section(mpp=mpp)


def test_duplicates_are_named():
    with pytest.warns(UserWarning, match="not unique"):
        twice_a_gene, twice_a_spot = table([[1, 2]], genes=["A", "A"]), table([[1], [2]], genes="A", obs=["x", "x"])
    with pytest.raises(GeneError, match=r"1 genes more than once \(A\)"):
        section(table=twice_a_gene)
    with pytest.raises(DataError, match=r"1 observations more than once \(x\)"):
        section(table=twice_a_spot)


def test_missing_or_infinite_coordinates_are_refused():
    data = table([[1, 2, 3]])
    data.obsm[keys.SPATIAL] = np.array([[np.nan, 0]])
    with pytest.raises(CoordinateError, match="NaN"):
        section(table=data)
    del data.obsm[keys.SPATIAL]
    with pytest.raises(CoordinateError, match="no obsm"):
        section(table=data)


def test_blinding_drops_counts_depth_and_anything_derived_from_them():
    data = table([[1, 2, 3], [4, 0, 0]])
    data.obs[keys.ARRAY_ROW] = [0, 1]
    data.obs["cluster"] = ["a", "b"]
    data.obsm["X_pca"] = np.ones((2, 2))
    spec = FeatureSpec("colour", "f", {"colour@1um": (0, 2)}, {})
    Features(np.zeros((2, 2), np.float32), spec).attach(data)
    blind = section(table=data).blind().table
    assert blind.n_vars == 0
    assert list(blind.obs) == [keys.ARRAY_ROW]
    assert set(blind.obsm) == {keys.SPATIAL, "X_colour"}
    assert not blind.layers
    assert Features.of(blind).spec == spec


def test_blinding_without_features_keeps_positions_only():
    data = table([[1, 2, 3]])
    data.obsm["X_pca"] = np.ones((1, 2))
    assert set(section(table=data).blind().table.obsm) == {keys.SPATIAL}


def test_target_divides_by_the_library_size_over_all_genes():
    value = Target()(section(), ["C", "A"])
    by_hand = np.log1p([[3 / 6 * 1e4, 1 / 6 * 1e4], [0, 4 / 4 * 1e4]])
    np.testing.assert_allclose(value, by_hand, rtol=1e-6)


def test_an_empty_observation_becomes_zeros_not_nan():
    assert (Target()(section(counts=[[0, 0, 0]]), ["A"]) == 0).all()


def test_a_missing_gene_is_named():
    with pytest.raises(GeneError, match=r"lacks 1 of 2 genes \(Z\)"):
        Target()(section(), ["A", "Z"])


def test_the_panel_is_the_highest_mean_count_of_common_genes_with_ties_by_name():
    first = section(counts=[[5, 1, 1]])
    second = section(table=table([[9, 1, 7]], genes="ABD"))
    assert choose_panel([first, second], 2) == ["A", "B"]
    assert choose_panel([section(counts=[[1, 2, 2]])], 2) == ["B", "C"]
    with pytest.raises(GeneError, match="share 2"):
        choose_panel([first, second], 3)


def test_sections_without_a_common_gene_are_refused():
    with pytest.raises(GeneError, match="no gene in common"):
        choose_panel([section(), section(table=table([[1]], genes="Z"))], 1)
