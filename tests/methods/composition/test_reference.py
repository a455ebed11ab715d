"""References: genes are matched, small types left out, ambiguity said, wrong input named."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from histoscribe.core.errors import DataError, GeneError
from histoscribe.methods import Reference
from histoscribe.methods._cell_reference import match_genes, tidy_symbols
from histoscribe.methods._cell_tables import read_reference, read_spots
from histoscribe.testing import make_spots

G = [f"g{i}" for i in range(30)]


def cells(counts, types, genes=G):
    obs = pd.DataFrame({"type": types}, index=[f"c{i}" for i in range(len(counts))])
    return AnnData(np.asarray(counts, float), obs=obs, var=pd.DataFrame(index=list(genes)))


def test_profiles_are_shares_of_a_types_own_counts(rng):
    counts = rng.poisson(40, (20, 30))
    reference = Reference.from_cells(cells(counts, ["a"] * 10 + ["b"] * 10), "type")
    np.testing.assert_allclose(reference.profiles[0], counts[:10].sum(0) / counts[:10].sum(), atol=1e-4)
    np.testing.assert_allclose(reference.cell_totals, [counts[:10].sum() / 10, counts[10:].sum() / 10])


def test_poisson_cells_have_a_dispersion_near_1(rng):
    reference = Reference.from_cells(cells(rng.poisson(20, (400, 30)), ["a", "b"] * 200), "type")
    assert np.median(reference.dispersion) == pytest.approx(1.05, abs=0.05)


def test_types_of_few_cells_and_cells_without_a_type_are_left_out_and_named(rng):
    types = ["a"] * 12 + ["rare"] * 3 + [np.nan] * 2 + ["b"] * 11
    reference = Reference.from_cells(cells(rng.poisson(9, (28, 30)), types), "type")
    assert reference.types == ["a", "b"]
    assert any("rare (3)" in note for note in reference.notes)
    assert any("2 of 28 cells left out" in note for note in reference.notes)


def test_versions_of_ensembl_ids_are_stripped_and_repeated_symbols_summed(rng):
    assert list(tidy_symbols(["ENSG00000141510.18", "TP53", "RP11-34.2"])) == ["ENSG00000141510", "TP53", "RP11-34.2"]
    counts = rng.poisson(5, (20, 30))
    twice = Reference.from_cells(cells(counts, ["a"] * 20, genes=["ENSG01.1", *G[1:29], "ENSG01.2"]), "type")
    assert twice.genes == ["ENSG01", *G[1:29]]
    assert twice.profiles[0, 0] == pytest.approx(counts[:, [0, 29]].sum() / counts.sum(), abs=1e-3)
    assert any("1 genes that share a symbol" in note for note in twice.notes)


def test_case_is_folded_only_where_spelling_matches_little():
    ours, theirs, text = match_genes([g.upper() for g in G], G)
    assert list(ours) == list(theirs) == list(range(30))
    assert "upper and lower case" in text
    assert "as spelt" in match_genes(G, G[::-1])[2]


def test_too_few_shared_genes_are_refused_with_examples():
    with pytest.raises(GeneError, match="share 5 genes.*at least 20 are needed"):
        match_genes(G[:5], G)


def test_two_types_alike_are_called_ambiguous(rng):
    rate = rng.gamma(0.5, 20, (2, 30)) + 0.1
    rate = np.stack([rate[0], rate[0], rate[1]]).repeat(30, axis=0)
    table = Reference.from_cells(cells(rng.poisson(rate), ["a"] * 30 + ["b"] * 30 + ["c"] * 30), "type").separation()
    assert table.ambiguous.tolist() == [True, True, False]
    assert table.nearest["a"] == "b"


def test_normalised_values_and_logarithms_are_refused(rng):
    with pytest.raises(DataError, match="no counts"):
        Reference.from_cells(cells(rng.random((20, 30)), ["a"] * 20), "type")
    with pytest.raises(DataError, match="not logarithms"):
        Reference.from_profiles(pd.DataFrame(rng.normal(size=(30, 2)), index=G))


def test_tables_of_either_orientation_and_h5ad_make_the_same_reference(tmp_path):
    planted = make_spots(n_spots=8, n_types=3, n_genes=40, cells_per_type=(20, 30))
    frame = pd.DataFrame(planted.cells.X, index=planted.cells.obs_names, columns=planted.cells.var_names)
    frame.to_csv(tmp_path / "cells.csv")
    frame.T.to_csv(tmp_path / "genes.tsv.gz", sep="\t")
    planted.cells.obs.to_csv(tmp_path / "types.csv")
    planted.cells.write_h5ad(tmp_path / "cells.h5ad")
    labels = str(tmp_path / "types.csv")
    read = [read_reference(tmp_path / n, labels) for n in ("cells.csv", "genes.tsv.gz")]
    read.append(read_reference(tmp_path / "cells.h5ad", "cell_type"))
    for other in read[1:]:
        np.testing.assert_array_equal(read[0].profiles, other.profiles)
    spots = pd.DataFrame(planted.spots.X, index=planted.spots.obs_names, columns=planted.spots.var_names)
    spots.T.to_csv(tmp_path / "spots.csv")
    np.testing.assert_array_equal(read_spots(tmp_path / "spots.csv", read[0]).X, planted.spots.X)


def test_a_wrong_labels_file_is_said(tmp_path):
    pd.DataFrame(np.ones((30, 3)), index=G, columns=["c0", "c1", "c2"]).to_csv(tmp_path / "c.csv")
    pd.DataFrame({"cell": ["x"], "type": ["a"]}).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match="no name of the cells"):
        read_reference(tmp_path / "c.csv", str(tmp_path / "t.csv"))
    with pytest.raises(DataError, match=r"Give FILE:COLUMN"):
        read_reference(tmp_path / "c.csv", f"{tmp_path / 't.csv'}:kind")
