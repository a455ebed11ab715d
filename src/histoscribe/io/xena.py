"""Expression tables of samples: UCSC Xena, GCT, text and AnnData; and which sample belongs to which slide."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import DataError, GeneError
from histoscribe.io._barcode import Barcode
from histoscribe.io._files import existing, open_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO

__all__ = ["UNITS", "match_slides", "read_expression_table", "rows_of_slides"]

#: What the names of Xena's files say of their values, the longer name first.
UNITS = {
    "HiSeqV2_PANCAN": "log2(RSEM+1), less the gene's mean over all cancers",
    "HiSeqV2_percentile": "percentile rank in the sample",
    "HiSeqV2_exon": "log2(RPKM+1) of exons",
    "HiSeqV2": "log2(RSEM+1)",
}
#: How tables of text write that there is no value.
_MISSING = ("", "NA", "NaN", "nan", "null")


def read_expression_table(
    path: Path | str,
    *,
    unit: str | None = None,
    genes_in: Literal["rows", "columns"] | None = None,
    duplicates: Literal["refuse", "mean"] = "refuse",
    missing: Literal["refuse", "drop"] = "refuse",
) -> AnnData:
    """Read a table of expression, one profile for each sample.

    Parameters
    ----------
    path
        A table of UCSC Xena (``HiSeqV2``, ``HiSeqV2_PANCAN``; genes x samples), a GCT 1.2, another table of text
        (comma- or tab-separated), each gzip or not, or an ``.h5ad`` of samples x genes.
    unit
        Unit of the values. Needed where neither the name of a Xena file nor the ``.h5ad`` says it.
    genes_in
        Where the genes of a table of text are. Default: on the other side than TCGA barcodes; without any, in the rows
        of Xena and GCT files and the columns of others.
    duplicates
        What to do with genes named twice: refuse the table, or take the mean of the rows (of logarithms, too).
    missing
        What to do with genes that lack a value: refuse the table, or leave them out, and note how many.

    Returns
    -------
    AnnData, samples x genes, ``X`` float32. ``obs["donor"]``, ``["site"]`` (tissue source site), ``["sample_code"]``
    (01: primary tumour) and ``["tissue"]`` (``"tumour"``, ``"normal"``, ``"other"``) from TCGA barcodes; other samples
    are their own donors, with empty strings. ``uns["histoscribe"]``: ``unit``, ``source``, ``notes``.

    Raises
    ------
    DataError
        If the file is damaged, holds no numbers, repeats a sample, lacks values, or its values cannot be in its unit.
    GeneError
        If a gene is named twice.
    """
    path = existing(path, what="expression table", remedy="Check the path.")
    if path.name.lower().endswith(".h5ad"):
        table, said = _read_h5ad(path)
    else:
        table, said = _read_text(path, genes_in), _unit_of(path)
    if unit and said and unit != said:
        msg = f"{path} says that its values are {said!r}, but unit={unit!r} was given. Leave unit out, or rename it."
        raise DataError(msg)
    unit = unit or said
    if not unit:
        msg = f"{path} does not say the unit of its values. Give unit=, e.g. unit='log2(RSEM+1)'."
        raise DataError(msg)
    notes: list[str] = []
    table = _clean(table, duplicates, missing, notes, where=path)
    _check_unit(table, unit, where=path)
    obs = _samples(table.index)
    var = pd.DataFrame(index=pd.Index(table.columns.astype(str), name="gene"))
    result = AnnData(table.to_numpy(np.float32), obs=obs, var=var)
    result.uns[keys.UNS] = {"unit": unit, "source": path.name, "notes": notes}
    return result


def match_slides(slide_names: Sequence[str], samples: Sequence[str]) -> dict[str, str]:
    """Find the sample that each slide is of.

    Names that are equal match. TCGA slides (``TCGA-A1-A0SB-01Z-00-DX1...``) match the sample of their donor and
    sample code; where a slide states no code, the donor's only sample, or its only primary tumour.

    Returns
    -------
    Slide name to sample name, in the order of the slides; slides without a sample are left out.

    Raises
    ------
    DataError
        If no slide has a sample, or a slide has several.
    """
    known = set(samples)
    by_donor: dict[str, list[tuple[str, Barcode]]] = {}
    for name in samples:
        if (barcode := Barcode.of(name)) is not None:
            by_donor.setdefault(barcode.donor, []).append((name, barcode))
    found: dict[str, str] = {}
    for slide in slide_names:
        if slide in known:
            found[slide] = slide
        elif (barcode := Barcode.of(slide)) is not None:
            choices = _choices(barcode, by_donor.get(barcode.donor, []))
            if len(choices) > 1:
                msg = f"slide {slide} may be of {' or '.join(choices)}. Leave all but one of them out of the table."
                raise DataError(msg)
            if choices:
                found[slide] = choices[0]
    if not found and len(slide_names):
        msg = (
            f"none of {len(slide_names)} slides has a profile: slides are called {slide_names[0]}, samples "
            f"{', '.join(list(samples)[:2])}. Rename the rows of the table to the slides' names, or use TCGA barcodes."
        )
        raise DataError(msg)
    return found


def rows_of_slides(table: AnnData, slide_names: Sequence[str]) -> AnnData:
    """Return the profiles of the slides that have one: rows named like slides, ``obs["sample"]`` their samples."""
    matched = match_slides(slide_names, list(table.obs_names))
    at = table.obs_names.get_indexer(list(matched.values()))
    obs = table.obs.iloc[at].assign(sample=list(matched.values())).set_index(pd.Index(list(matched)))
    return AnnData(np.asarray(table.X)[at], obs=obs, var=table.var.copy(), uns=dict(table.uns))


def _choices(slide: Barcode, samples: list[tuple[str, Barcode]]) -> list[str]:
    if slide.code:
        return [name for name, sample in samples if sample.code in ("", slide.code)]
    primary = [name for name, sample in samples if sample.code in ("", "01")]
    return primary or [name for name, _ in samples]


def _unit_of(path: Path) -> str | None:
    return next((unit for name, unit in UNITS.items() if name.lower() in path.name.lower()), None)


def _read_h5ad(path: Path) -> tuple[pd.DataFrame, str | None]:
    import anndata

    try:
        data = anndata.read_h5ad(path)
    except (OSError, KeyError, ValueError) as err:
        msg = f"expression table {path} cannot be read ({err}). It is truncated or no AnnData file; copy it again."
        raise DataError(msg) from err
    if data.X is None:
        msg = f"{path} has no X. Put the expression there, samples x genes."
        raise DataError(msg)
    return data.to_df(), dict(data.uns.get(keys.UNS, {})).get("unit")


def _read_text(path: Path, genes_in: str | None) -> pd.DataFrame:
    """Return samples x genes as in the file, not yet checked."""
    is_gct = False
    with open_text(path, what="expression table") as handle:
        first = handle.readline()
        if first.startswith("#1.2"):
            is_gct = True
            handle.readline()  # numbers of rows and columns
            table = _parse(handle, "\t", path, ignored=("Description",))
        elif first.startswith("#1.3"):
            msg = f"{path} is a GCT 1.3, with annotations among its values. Save it as GCT 1.2 or as plain text."
            raise DataError(msg)
        else:
            handle.seek(0)
            table = _parse(handle, "\t" if "\t" in first else ",", path)
    if genes_in is None:
        barcodes = {axis: _share_barcodes(names) for axis, names in (("rows", table.columns), ("columns", table.index))}
        genes_in = max(barcodes, key=lambda axis: barcodes[axis])
        if max(barcodes.values()) < 0.5:
            genes_in = "rows" if is_gct or _unit_of(path) else "columns"
    return table.T if genes_in == "rows" else table


def _share_barcodes(names: pd.Index) -> float:
    return float(np.mean([Barcode.of(str(name)) is not None for name in names[:50]])) if len(names) else 0.0


def _parse(handle: IO[str], separator: str, path: Path, *, ignored: tuple[str, ...] = ()) -> pd.DataFrame:
    # pandas would rename repeated columns; with the header read apart they keep their names, and are found.
    names = next(csv.reader([handle.readline()], delimiter=separator), [])
    body = handle.read()
    n = len(next(csv.reader([body.partition("\n")[0]], delimiter=separator), []))
    numbers = [i for i in range(1, n) if len(names) != n or names[i] not in ignored]
    try:
        table = pd.read_csv(
            io.StringIO(body),
            sep=separator,
            header=None,
            index_col=0,
            dtype=dict.fromkeys(range(n), str) | dict.fromkeys(numbers, np.float32),
            keep_default_na=False,
            na_values=dict.fromkeys(numbers, _MISSING),
        )
    except (pd.errors.ParserError, pd.errors.ParserWarning, pd.errors.EmptyDataError) as err:
        msg = f"expression table {path} is not a table ({str(err).strip()}). Copy or download it again."
        raise DataError(msg) from err
    except ValueError as err:
        msg = f"expression table {path} holds text among its values ({err}). Keep one row and one column of names."
        raise DataError(msg) from err
    table = table.loc[:, numbers]
    # R leaves out the name above the names of rows.
    names = names if len(names) == n - 1 else [names[i] for i in numbers if i < len(names)]
    if len(names) != len(numbers):
        msg = f"expression table {path} names {len(names)} of {n - 1} columns. Copy or download it again."
        raise DataError(msg)
    table.columns = pd.Index(names)
    return table


def _clean(table: pd.DataFrame, duplicates: str, missing: str, notes: list[str], *, where: Path) -> pd.DataFrame:
    if not table.size:
        msg = f"expression table {where} holds {len(table)} samples x {table.shape[1]} genes. Give one with values."
        raise DataError(msg)
    if len(again := table.index[table.index.duplicated()].unique()):
        msg = f"{where} has {len(again)} samples more than once ({', '.join(map(str, again[:3]))}). Keep one of each."
        raise DataError(msg)
    if len(again := table.columns[table.columns.duplicated()].unique()):
        if duplicates == "refuse":
            shown = ", ".join(map(str, again[:3]))
            msg = f"{where} names {len(again)} genes more than once ({shown}). Merge them, or give duplicates='mean'."
            raise GeneError(msg)
        table = table.T.groupby(level=0, sort=False).mean().T
        notes.append(f"{len(again)} genes were named more than once; the mean of their values was taken")
    lacking = ~np.isfinite(table.to_numpy()).all(0)
    if lacking.any():
        gene = table.columns[lacking][0]
        sample = table.index[~np.isfinite(table[gene].to_numpy())][0]
        if missing == "refuse" or lacking.all():
            msg = (
                f"{where}: {int(lacking.sum())} of {table.shape[1]} genes lack values, the first {gene} in sample "
                f"{sample}. Fill them in, or give missing='drop' to leave these genes out."
            )
            raise DataError(msg)
        table = table.loc[:, ~lacking]
        notes.append(f"{int(lacking.sum())} genes that lack values were left out, the first {gene}")
    return table


def _check_unit(table: pd.DataFrame, unit: str, *, where: Path) -> None:
    values = table.to_numpy()
    low, high = float(values.min()), float(values.max())
    if unit == UNITS["HiSeqV2_PANCAN"] and low >= 0:
        msg = f"{where}: no value is below 0, so no mean over cancers was subtracted. It looks like HiSeqV2; rename it."
        raise DataError(msg)
    if unit == UNITS["HiSeqV2"] and not (low >= 0 and high <= 40):
        msg = f"{where}: values from {low:g} to {high:g} are not {unit}, which lies in 0-40. Give the file's own unit."
        raise DataError(msg)


def _samples(names: pd.Index) -> pd.DataFrame:
    barcodes = [Barcode.of(str(name)) for name in names]
    columns = {
        "donor": [str(n) if b is None else b.donor for n, b in zip(names, barcodes, strict=True)],
        "site": ["" if b is None else b.site for b in barcodes],
        "sample_code": ["" if b is None else b.code for b in barcodes],
        "tissue": ["" if b is None else b.tissue for b in barcodes],
    }
    return pd.DataFrame(columns, index=pd.Index(names.astype(str), name="sample_name"))
