"""10x feature-barcode matrices: HDF5 or Matrix Market, gzip or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pandas as pd
import scipy.io
import scipy.sparse as sp

from histoscribe.core.errors import DataError, GeneError
from histoscribe.io._assemble import species_of
from histoscribe.io._counts import as_counts, check_unique, merge_genes
from histoscribe.io._files import first_existing, open_text, reading

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["FeatureGenes", "TenxMatrix", "feature_genes", "matrix_group", "matrix_text", "read_features", "read_tenx"]

_WHAT = "feature-barcode matrix"


@dataclass(frozen=True)
class TenxMatrix:
    """Checked counts of a 10x matrix.

    Attributes
    ----------
    matrix
        ``(n, g)`` integer csr, barcodes x genes.
    barcodes
        Unique names of the rows.
    var
        Table indexed by unique symbol, with `gene_ids`.
    species
        From the genome or the Ensembl prefix, or None.
    files
        What was read.
    notes
        What was left out or merged.
    """

    matrix: sp.csr_matrix
    barcodes: pd.Index
    var: pd.DataFrame
    species: str | None
    files: list[Path]
    notes: list[str]


def read_tenx(path: Path) -> TenxMatrix:
    """Read a matrix ``.h5`` or a folder with ``matrix.mtx``, ``barcodes.tsv`` and ``features.tsv``.

    Rows are genes of type "Gene Expression"; features of other types are left out and counted in the notes. Symbols
    that several Ensembl ids share are summed.

    Raises
    ------
    DataError
        If a file is missing, damaged or inconsistent, or holds values that are not counts.
    GeneError
        If a feature id is repeated.
    """
    raw, barcodes, features, files = _read_h5(path) if path.is_file() else _read_mtx(path)
    where = f"{_WHAT} {path}"
    if raw.shape != (len(features), len(barcodes)):
        msg = (
            f"{where} is {raw.shape[0]} x {raw.shape[1]}, but there are {len(features)} features and {len(barcodes)} "
            "barcodes. A file is truncated or of another run; copy all of them again."
        )
        raise DataError(msg)
    check_unique(barcodes, what="barcode", where=where)
    genes = feature_genes(features, where=where)
    if len(genes.rows) < len(features):
        raw = raw.tocsr()[genes.rows]
    symbols = features["name"].to_numpy()[genes.rows]
    counts = as_counts(raw.T, spots=barcodes, genes=symbols, where=where)
    counts, _, _ = merge_genes(counts, symbols)
    return TenxMatrix(counts, barcodes, genes.var, genes.species, files, genes.notes)


@dataclass(frozen=True)
class FeatureGenes:
    """What the features of a 10x matrix mean as genes.

    Attributes
    ----------
    rows
        Features that are genes, by position.
    columns
        ``(len(rows),)`` column of `var` that each of them is counted in; ids that share a symbol share one.
    var
        Table indexed by unique symbol, with `gene_ids`.
    species
        From the genome or the Ensembl prefix, or None.
    notes
        What was left out or merged.
    """

    rows: np.ndarray
    columns: np.ndarray
    var: pd.DataFrame
    species: str | None
    notes: list[str]


def feature_genes(features: pd.DataFrame, *, where: str) -> FeatureGenes:
    """Choose the features of type "Gene Expression" and give each symbol one column.

    Raises
    ------
    GeneError
        If a feature id is repeated.
    """
    check_unique(pd.Index(features["id"]), what="gene", where=where, error=GeneError)
    notes = []
    # Toolkits that write their own files give no types; then everything is a gene.
    expression = ((features["type"] == "Gene Expression") | (features["type"] == "")).to_numpy()
    if not expression.all():
        notes.append(f"{int((~expression).sum())} features that are not gene expression are left out")
        features = features[expression]
    columns, symbols = pd.factorize(pd.Index(features["name"], dtype=object))
    if len(symbols) < len(features):
        notes.append(f"{len(features) - len(symbols)} ids share a symbol with another; their counts are summed")
    ids = features.groupby("name", sort=False)["id"].agg(";".join).reindex(symbols)
    species = species_of(features["genome"]) or species_of(features["id"])
    var = pd.DataFrame({"gene_ids": ids.to_numpy()}, index=pd.Index(symbols, dtype=object))
    return FeatureGenes(np.flatnonzero(expression), columns, var, species, notes)


def _read_h5(path: Path) -> tuple[sp.spmatrix, pd.Index, pd.DataFrame, list[Path]]:
    with reading(path, what=_WHAT), h5py.File(path) as file:
        group = matrix_group(file, path)
        try:
            data, indices, indptr, shape = (group[k][:] for k in ("data", "indices", "indptr", "shape"))
            barcodes, table = matrix_text(group["barcodes"]), read_features(group)
        except KeyError as err:
            msg = f"{_WHAT} {path} lacks a data set ({err.args[0]}). Copy or download it again."
            raise DataError(msg) from err
    try:
        matrix = sp.csc_matrix((data, indices.astype(np.int64), indptr.astype(np.int64)), shape=tuple(shape))
        matrix.check_format(full_check=True)
    except ValueError as err:
        msg = f"{_WHAT} {path} is inconsistent ({err}). Copy or download it again."
        raise DataError(msg) from err
    return matrix, pd.Index(barcodes, dtype=object), table, [path]


def matrix_group(file: h5py.File, path: Path) -> h5py.Group:
    """Return the group of the matrix, or say that there is none."""
    if "matrix" not in file:
        msg = (
            f"{_WHAT} {path} has no group 'matrix' (it has {', '.join(file) or 'nothing'}). Give the "
            "filtered_feature_bc_matrix.h5 of Space Ranger."
        )
        raise DataError(msg)
    return file["matrix"]


def read_features(group: h5py.Group) -> pd.DataFrame:
    """Read id, name, type and genome of the features."""
    features = group["features"]
    table = pd.DataFrame({"id": matrix_text(features["id"]), "name": matrix_text(features["name"])})
    for column, slot in (("type", "feature_type"), ("genome", "genome")):
        table[column] = matrix_text(features[slot]) if slot in features else ""
    return table


def matrix_text(dataset: h5py.Dataset) -> list[str]:
    """Read a data set of text, whichever way it is stored."""
    return [v.decode() if isinstance(v, bytes) else str(v) for v in dataset[:]]


def _read_mtx(folder: Path) -> tuple[sp.spmatrix, pd.Index, pd.DataFrame, list[Path]]:
    files = []
    for stem, names in (("matrix.mtx", None), ("barcodes.tsv", None), ("features.tsv", ["genes.tsv"])):
        patterns = [f"{s}{end}" for s in (stem, *(names or [])) for end in (".gz", "")]
        found = first_existing(folder, patterns)
        if found is None:
            msg = f"{_WHAT} {folder} lacks {stem}(.gz). Copy the whole folder again."
            raise DataError(msg)
        files.append(found)
    with open_text(files[0], what=_WHAT) as handle:
        text = handle.read()
    matrix = _parse_mtx(text, files[0])
    barcodes = [row[0] for row in _rows(files[1])]
    rows = _rows(files[2])
    table = pd.DataFrame(
        {
            "id": [r[0] for r in rows],
            "name": [r[1] if len(r) > 1 else r[0] for r in rows],
            "type": [r[2] if len(r) > 2 else "" for r in rows],
            "genome": "",
        }
    )
    return matrix, pd.Index(barcodes, dtype=object), table, files


def _parse_mtx(text: str, path: Path) -> sp.spmatrix:
    from io import BytesIO

    try:
        return sp.coo_matrix(scipy.io.mmread(BytesIO(text.encode())))
    except (ValueError, StopIteration, OverflowError) as err:
        msg = f"{_WHAT} {path} is truncated or not Matrix Market ({err}). Copy or download it again."
        raise DataError(msg) from err


def _rows(path: Path) -> list[list[str]]:
    with open_text(path, what=_WHAT) as handle:
        # R writes quotes around text.
        return [[v.strip('"') for v in line.rstrip("\r\n").split("\t")] for line in handle if line.strip()]
