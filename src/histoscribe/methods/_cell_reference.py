"""Reference: what each cell type expresses, from single cells or from a table of profiles."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from histoscribe.core.errors import DataError, GeneError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

__all__ = ["MIN_CELLS", "MIN_GENES", "Reference", "match_genes", "tidy_symbols"]

#: A type of fewer cells has no profile worth the name; RCTD asks for 25, stereoscope for none.
MIN_CELLS = 10
#: Fewer shared genes cannot tell types apart.
MIN_GENES = 20
#: Variance over mean where no single cells say it.
_DISPERSION = 2.0
_ENSEMBL = re.compile(r"(ENS[A-Z]*G\d+)\.\d+$")
#: Counts that the mean profile is worth in a type's own: no gene is impossible.
_PSEUDO_COUNTS = 5.0
#: Two types whose profiles lie nearer than this in Hellinger distance are reported as hard to tell apart.
_AMBIGUOUS = 0.15


@dataclass(frozen=True, eq=False)
class Reference:
    """Profiles of cell types.

    Attributes
    ----------
    types
        Names, in order.
    genes
        Unique symbols.
    profiles
        ``(k, g)`` float64 share of each gene in a type's transcripts; rows sum to 1.
    dispersion
        ``(g,)`` variance over mean of a gene's counts within a type.
    cell_totals
        ``(k,)`` mean counts of a cell, or None where there are no cells.
    n_cells
        ``(k,)`` cells that a profile stands on; zeros where there are none.
    notes
        What was left out, merged or assumed.
    """

    types: list[str]
    genes: list[str]
    profiles: np.ndarray
    dispersion: np.ndarray
    cell_totals: np.ndarray | None
    n_cells: np.ndarray
    notes: tuple[str, ...] = field(default=())

    @classmethod
    def from_cells(
        cls, cells: AnnData, labels: str | Sequence[str], *, min_cells: int = MIN_CELLS, drop: Sequence[str] = ()
    ) -> Reference:
        """Estimate profiles from single cells.

        Parameters
        ----------
        cells
            Cells x genes; raw counts in ``layers["counts"]`` or ``X``.
        labels
            Column of `obs` with the type of each cell, or the types themselves. Cells without one are left out.
        min_cells
            Types of fewer cells are left out, and named in the notes.
        drop
            Types to leave out, such as ``"Ambiguous"``.

        Raises
        ------
        DataError
            If the column is not there, values are not counts, or no type has enough cells.
        """
        names = _labels(cells, labels)
        counts, genes, notes = _tidy(cells)
        keep = names.notna().to_numpy() & ~names.isin(list(drop)).to_numpy() & (np.asarray(counts.sum(1)).ravel() > 0)
        if not keep.all():
            notes.append(f"{int((~keep).sum())} of {len(keep)} cells left out: no type, no counts, or dropped by name")
        sizes = names[keep].value_counts()
        small = sizes[sizes < min_cells]
        if len(small):
            listed = ", ".join(f"{t} ({n})" for t, n in small.items())
            notes.append(f"types of fewer than {min_cells} cells left out: {listed}")
        types = sorted(map(str, sizes[sizes >= min_cells].index))
        if not types:
            msg = (
                f"no cell type of the reference has {min_cells} cells (the largest: "
                f"{', '.join(f'{t} {n}' for t, n in sizes.head(3).items())}). Give more cells, or a smaller min_cells."
            )
            raise DataError(msg)
        keep &= names.astype(str).isin(types).to_numpy()
        code = pd.Categorical(names[keep].astype(str), categories=types).codes
        return _from_counts(counts[keep], np.asarray(code), types, genes, notes)

    @classmethod
    def from_profiles(cls, profiles: pd.DataFrame) -> Reference:
        """Take profiles as they are: genes in rows, cell types in columns, values of at least 0 on a linear scale."""
        values = profiles.to_numpy(dtype=np.float64)
        if not np.isfinite(values).all() or (values < 0).any() or not len(values):
            msg = "the profile matrix holds negative, missing or no values. Give mean expression, not logarithms."
            raise DataError(msg)
        empty = [str(c) for c, total in zip(profiles.columns, values.sum(0), strict=True) if total == 0]
        if empty:
            msg = f"cell types {', '.join(empty)} of the profile matrix express no gene. Remove these columns."
            raise DataError(msg)
        table = pd.DataFrame(values, index=tidy_symbols(profiles.index)).groupby(level=0, sort=False).sum()
        shares = (table.to_numpy() / table.to_numpy().sum(0)).T
        notes = ("profiles were given, no cells: variance over mean is taken as 2 for every gene",)
        return cls(
            [str(c) for c in profiles.columns],
            [str(g) for g in table.index],
            _positive(shares),
            np.full(len(table), _DISPERSION),
            None,
            np.zeros(values.shape[1], dtype=int),
            notes,
        )

    def subset(self, columns: np.ndarray) -> Reference:
        """Return the reference on some of its genes, shares taken anew."""
        profiles = self.profiles[:, columns]
        profiles = profiles / profiles.sum(1, keepdims=True)
        totals = None if self.cell_totals is None else self.cell_totals * self.profiles[:, columns].sum(1)
        genes = [self.genes[i] for i in columns]
        return replace(self, genes=genes, profiles=profiles, dispersion=self.dispersion[columns], cell_totals=totals)

    def informative(self, n: int) -> np.ndarray:
        """Return the sorted columns of the `n` genes that tell types apart best: variance of shares over their mean."""
        spread = self.profiles.var(0) / self.profiles.mean(0)
        return np.sort(np.argsort(-spread, kind="stable")[:n])

    def separation(self) -> pd.DataFrame:
        """Return, for each type, its nearest type and what tells the two apart.

        Returns
        -------
        Columns ``nearest``, ``distance`` (Hellinger, 0 alike to 1 disjoint), ``markers`` (genes of at least twice the
        share in any other type and a thousandth of the transcripts), ``ambiguous`` (distance below 0.15 or no marker).
        """
        root = np.sqrt(self.profiles)
        distance = np.sqrt(np.maximum(1 - root @ root.T, 0))
        np.fill_diagonal(distance, np.inf)
        rows = []
        for i, name in enumerate(self.types):
            others = np.delete(self.profiles, i, axis=0).max(0) if len(self.types) > 1 else np.zeros(len(self.genes))
            markers = int(((self.profiles[i] >= 2 * others) & (self.profiles[i] >= 1e-3)).sum())
            nearest = int(distance[i].argmin())
            alone = len(self.types) == 1
            d = 1.0 if alone else float(distance[i, nearest])
            rows.append((name, "" if alone else self.types[nearest], d, markers, d < _AMBIGUOUS or markers == 0))
        return pd.DataFrame(rows, columns=["type", "nearest", "distance", "markers", "ambiguous"]).set_index("type")


def _labels(cells: AnnData, labels: str | Sequence[str]) -> pd.Series:
    if isinstance(labels, str):
        if labels not in cells.obs:
            msg = (
                f"the reference has no obs column {labels!r} (it has {', '.join(map(str, cells.obs.columns[:8]))}). "
                "Name the column with the cell types."
            )
            raise DataError(msg)
        return cells.obs[labels].astype(object)
    if len(labels) != cells.n_obs:
        msg = f"{len(labels)} labels were given for {cells.n_obs} cells. Give one for each cell."
        raise DataError(msg)
    return pd.Series(list(labels), index=cells.obs_names, dtype=object)


def _tidy(table: AnnData) -> tuple[sp.csr_matrix, list[str], list[str]]:
    """Return counts with tidy, unique symbols, and notes."""
    counts = sp.csr_matrix(table.layers.get("counts", table.X), dtype=np.float64)
    if counts.nnz and (not np.isfinite(counts.data).all() or (counts.data < 0).any() or (counts.data % 1 != 0).any()):
        bad = counts.data[~np.isfinite(counts.data) | (counts.data < 0) | (counts.data % 1 != 0)][0]
        msg = f"the table holds values that are no counts ({bad:g}). Give raw counts in layers['counts'] or X."
        raise DataError(msg)
    symbols = tidy_symbols(table.var_names)
    codes, unique = pd.factorize(symbols)
    notes = []
    if len(unique) < len(symbols):
        notes.append(f"{len(symbols) - len(unique)} genes that share a symbol with another were summed")
        collect = sp.csr_matrix((np.ones(len(codes)), (np.arange(len(codes)), codes)))
        counts = sp.csr_matrix(counts @ collect)
    return counts, [str(g) for g in unique], notes


def tidy_symbols(names: Sequence[str] | pd.Index) -> pd.Index:
    """Strip blanks and the version of Ensembl ids (``ENSG00000141510.18``)."""
    return pd.Index([_ENSEMBL.sub(r"\1", str(n).strip()) for n in names], dtype=object)


def _from_counts(
    counts: sp.csr_matrix, code: np.ndarray, types: list[str], genes: list[str], notes: list[str]
) -> Reference:
    members = sp.csr_matrix((np.ones(len(code)), (code, np.arange(len(code)))), shape=(len(types), len(code)))
    sums = np.asarray((members @ counts).todense())
    expressed = sums.sum(0) > 0
    counts, sums, kept = (
        counts[:, expressed],
        sums[:, expressed],
        [g for g, e in zip(genes, expressed, strict=True) if e],
    )
    pooled = sums.sum(0) / sums.sum()
    profiles = (sums + _PSEUDO_COUNTS * pooled) / (sums.sum(1, keepdims=True) + _PSEUDO_COUNTS)
    n_cells = np.bincount(code, minlength=len(types))
    return Reference(
        types,
        kept,
        _positive(profiles),
        _dispersion(counts, code, profiles),
        sums.sum(1) / n_cells,
        n_cells,
        tuple(notes),
    )


def _positive(profiles: np.ndarray) -> np.ndarray:
    profiles = np.maximum(profiles, 1e-9)
    return profiles / profiles.sum(1, keepdims=True)


def _dispersion(counts: sp.csr_matrix, code: np.ndarray, profiles: np.ndarray) -> np.ndarray:
    """Return ``(g,)`` Pearson's variance over mean within types, at least 1.05 (the Poisson limit has no NB form).

    sum (x - m)^2 / m = sum x^2 / m - 2 sum x + sum m, which needs only the counts that are not 0.
    """
    total = np.asarray(counts.sum(1)).ravel()
    coo = counts.tocoo()
    mean = total[coo.row] * profiles[code[coo.row], coo.col]
    squares = np.bincount(coo.col, coo.data**2 / mean, minlength=counts.shape[1])
    expected = np.bincount(code, total, minlength=len(profiles)) @ profiles
    chi2 = squares - 2 * np.asarray(counts.sum(0)).ravel() + expected
    return np.maximum(chi2 / max(len(code) - len(profiles), 1), 1.05)


def match_genes(section: Sequence[str], reference: Sequence[str]) -> tuple[np.ndarray, np.ndarray, str]:
    """Match two lists of unique, tidy symbols.

    Spelling counts first; where that matches less than half of the shorter list, upper and lower case are taken alike
    (mouse symbols beside human ones), which is said.

    Returns
    -------
    Columns of the section, columns of the reference, and a sentence.

    Raises
    ------
    GeneError
        If fewer than `MIN_GENES` genes are shared.
    """
    ours, theirs = pd.Index(section, dtype=object), pd.Index(reference, dtype=object)
    shared, rule = ours.intersection(theirs, sort=False), "as spelt"
    if len(shared) < 0.5 * min(len(ours), len(theirs)):
        upper = [pd.Index(i.str.upper()) for i in (ours, theirs)]
        unique = [u[~u.duplicated(keep=False)] for u in upper]
        folded = unique[0].intersection(unique[1], sort=False)
        if len(folded) > len(shared):
            (ours, theirs), shared, rule = upper, folded, "with upper and lower case taken alike"
    if len(shared) < MIN_GENES:
        msg = (
            f"section and reference share {len(shared)} genes ({len(section)} beside {len(reference)}, e.g. "
            f"{', '.join(map(str, section[:3]))} beside {', '.join(map(str, reference[:3]))}); at least {MIN_GENES} "
            "are needed. Give both the same kind of gene names."
        )
        raise GeneError(msg)
    text = f"{len(shared)} genes shared {rule} (section {len(section)}, reference {len(reference)})"
    # get_indexer needs unique targets; a symbol that case folding made ambiguous is not in `shared`.
    rows = [
        pd.Series(np.arange(len(i)), index=i)[~i.duplicated(keep=False)].reindex(shared).to_numpy()
        for i in (ours, theirs)
    ]
    return rows[0].astype(int), rows[1].astype(int), text


def tidy_counts(table: Any) -> tuple[sp.csr_matrix, list[str], list[str]]:
    """Return ``(n, g)`` counts, unique tidy symbols and notes of a section's AnnData."""
    return _tidy(table)
