"""Expression tables come back samples x genes with their unit, and slides find their samples."""

import gzip

import anndata
import numpy as np
import pandas as pd
import pytest

from histoscribe.core.errors import DataError, GeneError
from histoscribe.io import match_slides, read_expression_table
from histoscribe.io.xena import UNITS, rows_of_slides

SAMPLES = ["TCGA-A1-A0SB-01", "TCGA-A1-A0SB-11", "TCGA-E2-A14P-01"]
GENES = ["TP53", "ERBB2", "NA", "ESR1"]  # a gene may be called what pandas takes for a missing value
VALUES = np.array([[1.5, 0.0, 9.25], [12.0, 3.0, 4.0], [0.5, 0.25, 0.125], [7.0, 8.0, 2.0]])  # genes x samples


def xena(folder, name="HiSeqV2.gz", *, values=VALUES, genes=GENES, samples=SAMPLES):
    lines = ["\t".join(["sample", *samples])]
    lines += ["\t".join([gene, *map(str, row)]) for gene, row in zip(genes, values, strict=True)]
    path = folder / name
    text = ("\n".join(lines) + "\n").encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    return path


def test_a_xena_table_comes_samples_by_genes_with_unit_donor_and_site(tmp_path):
    table = read_expression_table(xena(tmp_path))
    assert list(table.obs_names) == SAMPLES
    assert list(table.var_names) == GENES
    np.testing.assert_allclose(table.X, VALUES.T)
    assert table.X.dtype == np.float32
    assert table.uns["histoscribe"]["unit"] == "log2(RSEM+1)"
    assert list(table.obs["donor"]) == ["TCGA-A1-A0SB", "TCGA-A1-A0SB", "TCGA-E2-A14P"]
    assert list(table.obs["site"]) == ["A1", "A1", "E2"]
    assert list(table.obs["tissue"]) == ["tumour", "normal", "tumour"]


def test_pan_cancer_tables_are_told_by_name_and_by_values(tmp_path):
    table = read_expression_table(xena(tmp_path, "HiSeqV2_PANCAN", values=VALUES - 3))
    assert table.uns["histoscribe"]["unit"] == UNITS["HiSeqV2_PANCAN"]
    with pytest.raises(DataError, match="no value is below 0.*rename it"):
        read_expression_table(xena(tmp_path, "HiSeqV2_PANCAN.gz"))
    with pytest.raises(DataError, match="values from -3 to 9"):
        read_expression_table(xena(tmp_path, "HiSeqV2", values=VALUES - 3))


def test_a_unit_is_never_guessed_and_never_overruled(tmp_path):
    with pytest.raises(DataError, match="does not say the unit"):
        read_expression_table(xena(tmp_path, "brca.tsv"))
    assert read_expression_table(xena(tmp_path, "brca.tsv"), unit="log2(TPM+1)").uns["histoscribe"]["unit"] == (
        "log2(TPM+1)"
    )
    with pytest.raises(DataError, match=r"says that its values are 'log2\(RSEM\+1\)'"):
        read_expression_table(xena(tmp_path), unit="TPM")


@pytest.mark.parametrize("kind", ["csv", "r", "gct", "h5ad"])
def test_other_tables_hold_the_same(tmp_path, kind):
    frame = pd.DataFrame(VALUES.T, index=["s1", "s2", "s3"], columns=GENES)
    path = tmp_path / f"bulk.{kind}"
    if kind == "csv":
        frame.to_csv(path)
    elif kind == "r":
        path.write_text("\t".join(GENES) + "\n" + frame.to_csv(sep="\t", header=False))
    elif kind == "gct":
        wide = frame.T.rename_axis("Name")
        wide.insert(0, "Description", "a gene")
        path.write_text("#1.2\n4\t3\n" + wide.to_csv(sep="\t"))
    else:
        anndata.AnnData(frame, uns={"histoscribe": {"unit": "log2(RSEM+1)"}}).write_h5ad(path)
    table = read_expression_table(path, unit="log2(RSEM+1)")
    np.testing.assert_allclose(table.X, VALUES.T)
    assert list(table.obs_names) == ["s1", "s2", "s3"] == list(table.obs["donor"])
    assert list(table.var_names) == GENES
    assert (table.obs["site"] == "").all()


def test_repeated_genes_are_refused_or_averaged_and_noted(tmp_path):
    path = xena(tmp_path, genes=["TP53", "ERBB2", "TP53", "ESR1"])
    with pytest.raises(GeneError, match=r"1 genes more than once \(TP53\)"):
        read_expression_table(path)
    table = read_expression_table(path, duplicates="mean")
    assert list(table.var_names) == ["TP53", "ERBB2", "ESR1"]
    np.testing.assert_allclose(table[:, "TP53"].X.ravel(), [1.0, 0.125, 4.6875])
    assert "named more than once" in table.uns["histoscribe"]["notes"][0]


def test_missing_values_are_refused_or_their_genes_left_out_and_noted(tmp_path):
    values = VALUES.astype(object)
    values[1, 2] = "NA"
    path = xena(tmp_path, values=values)
    with pytest.raises(DataError, match=r"1 of 4 genes lack values, the first ERBB2 in sample TCGA-E2-A14P-01"):
        read_expression_table(path)
    table = read_expression_table(path, missing="drop")
    assert list(table.var_names) == ["TP53", "NA", "ESR1"]
    assert "left out" in table.uns["histoscribe"]["notes"][0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("12.0", "high"), "holds text among its values"),
        (lambda text: text.replace("TCGA-A1-A0SB-11", "TCGA-A1-A0SB-01"), "has 1 samples more than once"),
        (lambda text: text + "MYC\t1\t2\t3\t4\t5\n", "is not a table"),
        (lambda _: "sample\tTCGA-A1-A0SB-01\n", "is not a table"),
        (lambda _: "", "is not a table"),
    ],
)
def test_a_damaged_table_is_one_clear_error(tmp_path, change, message):
    path = xena(tmp_path, "HiSeqV2")
    path.write_text(change(path.read_text()))
    with pytest.raises(DataError, match=message):
        read_expression_table(path)


def test_slides_match_the_sample_of_their_donor_and_kind():
    slides = [
        "TCGA-A1-A0SB-01Z-00-DX1.B34C267B",
        "TCGA-A1-A0SB-11A-01-TS1",
        "TCGA-E2-A14P",
        "TCGA-XX-0000-01Z-00-DX1",
        "own",
    ]
    assert match_slides(slides, [*SAMPLES, "own"]) == {
        slides[0]: "TCGA-A1-A0SB-01",
        slides[1]: "TCGA-A1-A0SB-11",
        slides[2]: "TCGA-E2-A14P-01",
        "own": "own",
    }


def test_no_match_and_two_matches_are_refused():
    with pytest.raises(DataError, match="none of 1 slides has a profile: slides are called slide-1"):
        match_slides(["slide-1"], SAMPLES)
    with pytest.raises(DataError, match="may be of TCGA-A1-A0SB-01A or TCGA-A1-A0SB-01B"):
        match_slides(["TCGA-A1-A0SB-01Z-00-DX1"], ["TCGA-A1-A0SB-01A", "TCGA-A1-A0SB-01B"])


def test_rows_of_slides_are_named_like_slides(tmp_path):
    table = read_expression_table(xena(tmp_path))
    rows = rows_of_slides(table, ["TCGA-E2-A14P-01Z-00-DX1", "TCGA-ZZ-ZZZZ-01Z", "TCGA-E2-A14P-01Z-00-DX2"])
    assert list(rows.obs_names) == ["TCGA-E2-A14P-01Z-00-DX1", "TCGA-E2-A14P-01Z-00-DX2"]
    assert list(rows.obs["sample"]) == ["TCGA-E2-A14P-01"] * 2
    np.testing.assert_allclose(rows.X[1], VALUES[:, 2])
