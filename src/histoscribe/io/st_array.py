"""Legacy Spatial Transcriptomics (1k and 2k arrays): the her2st tree, STUtility folders, or single files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import DataError, ScaleError, SlideError
from histoscribe.io._assemble import assemble, finite_xy, open_image, species_of
from histoscribe.io._counts import Counts, check_unique, merge_genes, read_count_table
from histoscribe.io._files import existing, first_existing, open_text, read_table
from histoscribe.io._lattice import LAYOUTS, Layout, agree, fit_scale, is_staggered

if TYPE_CHECKING:
    import numpy as np

    from histoscribe.core.section import Section

__all__ = ["read_st_array"]

LOOKS_FOR = "ST-cnts/, data/ST-cnts/, alignment_table_*.tsv, or a table .tsv or .csv"

_COLUMNS = ("x", "y", "new_x", "new_y", "pixel_x", "pixel_y")


@dataclass(frozen=True)
class _Files:
    section: str
    counts: Path
    spots: Path
    image: Path | None
    genes: Path | None = None
    donor: str | None = None


def looks_like(path: Path) -> bool:
    """Say whether `path` is the root of a her2st tree, an STUtility folder or a table."""
    if path.is_dir():
        return any((path / part / "ST-cnts").is_dir() for part in (".", "data")) or any(
            path.glob("alignment_table_*.tsv*")
        )
    return path.name.lower().endswith((".tsv", ".tsv.gz", ".csv", ".csv.gz"))


def read_st_array(
    path: Path,
    *,
    section: str | None = None,
    spots: str | None = None,
    image: str | None = None,
    genes: str | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
    scale: float = 1.0,
) -> Section:
    """Read one section of a legacy Spatial Transcriptomics array.

    Counts and spot file are joined by ``f"{x}x{y}"``. Only spots that the file marks as `selected` are kept; selected
    spots without counts are dropped and counted in the notes. um/px comes from the regression of the pixel positions
    on the lattice positions `new_x`, `new_y`: 200 um a step on a 1k array; on a 2k array (told by its staggered
    lattice: x + y has one parity) 6.2 mm over 66 columns and 6.6 mm over 63 rows.

    Parameters
    ----------
    path
        Root of a her2st tree (with or without its ``data``), an STUtility folder, or a table of counts.
    section
        Which section of the folder, e.g. ``"C2"`` or ``"MOB1"``.
    spots
        Spot file, where `path` is a table of counts.
    image
        Image instead of the folder's own; ``"none"`` for expression alone.
    genes
        Table of `gene_id`, `gene_name` that turns Ensembl ids into symbols; by default ``mouse_genes.tsv.gz`` beside
        the counts. Ids that share a symbol are summed, ids without one keep their name.
    name, donor, species
        Names; defaults come from the folder where it states them.
    mpp
        um per px of the image, where the array's geometry cannot give it.
    scale
        px of the image per px of the spot file, for an image that was resized.

    Returns
    -------
    Section whose coordinates are level-0 px of the image (of the spot file, where there is no image).
    """
    files = _find(path, section=section, spots=spots)
    where = f"section {files.section!r}"
    counts = read_count_table(files.counts)
    table, notes = _selected_spots(files.spots)
    counts, table = _join(counts, table, files, notes)
    gene_table = Path(genes) if genes else files.genes
    matrix, var = _symbols(counts, gene_table, notes)
    xy = finite_xy(table["pixel_x"], table["pixel_y"], where=where) * scale
    layout = _layout(table, where=where, mpp=mpp)
    if layout is not None:
        lattice = finite_xy(table["new_x"], table["new_y"], where=where)
        fit = fit_scale(lattice, xy, layout, where=where) if mpp is None else None
        mpp = _scale(fit.mpp if fit else None, lattice, xy, layout, mpp, where=where)
        notes.append(f"um/px from the geometry of the {layout.name}")
    slide = None if image == "none" else open_image(_image(files, image, where), where=where)
    obs = pd.DataFrame(
        {keys.ARRAY_ROW: table["y"].astype(int), keys.ARRAY_COL: table["x"].astype(int)}, index=table.index
    )
    return assemble(
        matrix,
        obs,
        var,
        xy,
        files=[files.counts, files.spots],
        donor=donor or files.donor,
        name=name or files.section,
        notes=notes,
        slide=slide,
        mpp=mpp,
        species=species or species_of(counts.genes),
        platform="st-array",
        spot_um=layout.spot_um if layout else None,
        pitch_um=layout.pitch_um if layout else None,
    )


def _scale(
    derived: float | None, lattice: np.ndarray, xy: np.ndarray, layout: Layout, mpp: float | None, *, where: str
) -> float:
    if derived is None:
        try:
            derived = fit_scale(lattice, xy, layout, where=where).mpp
        except ScaleError:
            # The user's own number is the way out that the error offers.
            return agree(float(mpp or 0), mpp, where=where, how="the user")
    return agree(derived, mpp, where=where, how=f"the {layout.name}")


def _layout(table: pd.DataFrame, *, where: str, mpp: float | None) -> Layout | None:
    staggered = is_staggered(table["x"].to_numpy(), table["y"].to_numpy())
    if staggered is None:
        if mpp is not None:
            return None
        msg = (
            f"{where}: {len(table)} spots do not tell a 1k array (200 um) from a staggered 2k array, so um/px cannot "
            "be derived. Give the um per level-0 px yourself: mpp=<um per pixel>."
        )
        raise ScaleError(msg)
    return LAYOUTS["st-2k" if staggered else "st-1k"]


def _find(path: Path, *, section: str | None, spots: str | None) -> _Files:
    path = existing(path, what="st-array data", remedy="Check the path.")
    if path.is_file():
        if spots is None:
            msg = f"{path} is a table of counts without spot positions. Give spots=<spot file>."
            raise DataError(msg)
        stem = path.name.split(".")[0]
        return _Files(section or stem, path, existing(spots, what="spot file", remedy="Check spots=."), None)
    for root in (path, path / "data"):
        if (root / "ST-cnts").is_dir():
            return _her2st(root, section)
    if first_existing(path, ["alignment_table_*.tsv*"]):
        return _stutility(path, section)
    msg = (
        f"{path} is not a Spatial Transcriptomics folder: it has neither ST-cnts/ (or data/ST-cnts/) nor "
        "alignment_table_<section>.tsv. Give such a folder, or a table of counts with spots=<spot file>."
    )
    raise DataError(msg)


def _choose(section: str | None, have: list[str], path: Path) -> str:
    if section in have:
        return section
    problem = "holds several sections" if section is None else f"has no section {section!r}"
    if section is None and len(have) == 1:
        return have[0]
    msg = f"{path} {problem}: {', '.join(have) or 'none'}. Give section=<one of them>."
    raise DataError(msg)


def _her2st(root: Path, section: str | None) -> _Files:
    have = sorted(p.name.split(".")[0] for p in (root / "ST-cnts").glob("*.tsv*"))
    section = _choose(section, have, root)
    counts = first_existing(root / "ST-cnts", [f"{section}.tsv", f"{section}.tsv.gz"])
    assert counts is not None
    spots = existing(
        root / "ST-spotfiles" / f"{section}_selection.tsv", what="spot file", remedy="Copy or download it again."
    )
    # The study names sections by donor letter and number, and its image folders by the letter alone.
    donor = section.rstrip("0123456789") or None
    image = first_existing(root / "ST-imgs", [f"{donor}/{section}/*.jpg", f"{donor}/{section}/*.tif*"])
    return _Files(section, counts, spots, image, donor=donor)


def _stutility(root: Path, section: str | None) -> _Files:
    tables = sorted(root.glob("alignment_table_*.tsv*"))
    have = [p.name.removeprefix("alignment_table_").split(".")[0] for p in tables]
    section = _choose(section, have, root)
    counts = first_existing(root, [f"{section}.tsv", f"{section}.tsv.gz"])
    if counts is None:
        msg = f"{root} has no {section}.tsv or {section}.tsv.gz (counts of section {section!r}). Copy it again."
        raise DataError(msg)
    image = first_existing(root, [f"{section}.jpg", f"{section}.png", f"{section}.tif*"])
    genes = first_existing(root, ["mouse_genes.tsv.gz", "mouse_genes.tsv"])
    return _Files(section, counts, tables[have.index(section)], image, genes, _donor(root, section))


def _donor(root: Path, section: str) -> str | None:
    path = root / "metaData.csv"
    if not path.is_file():
        return None
    with open_text(path, what="metadata") as handle:
        meta = pd.read_csv(handle, sep=None, engine="python", dtype=str)
    if not {"samples", "individual"} <= set(meta):
        return None
    stems = meta["samples"].str.replace("\\", "/").str.rsplit("/").str[-1].str.split(".").str[0]
    donors = meta.loc[stems == section, "individual"].unique()
    return str(donors[0]) if len(donors) == 1 else None


def _image(files: _Files, image: str | None, where: str) -> Path:
    if image is not None:
        return Path(image)
    if files.image is None:
        msg = f"{where}: no image lies beside {files.counts}. Give image=<path>, or image=none for expression alone."
        raise SlideError(msg)
    return files.image


def _selected_spots(path: Path) -> tuple[pd.DataFrame, list[str]]:
    table = read_table(path, what="spot file", columns=_COLUMNS)
    for column in ("x", "y"):
        values = pd.to_numeric(table[column], errors="coerce")
        if not (values == values.round()).all():
            msg = f"spot file {path}: column {column!r} holds values that are not whole numbers. Copy it again."
            raise DataError(msg)
        table[column] = values.astype(int)
    table.index = pd.Index(table["x"].astype(str) + "x" + table["y"].astype(str), dtype=object)
    check_unique(table.index, what="spot", where=f"spot file {path}")
    notes = []
    if "selected" in table:
        off = int((table["selected"] != 1).sum())
        table = table[table["selected"] == 1]
        if off:
            notes.append(f"{off} spots that the spot file does not select (off the tissue) are left out")
    return table, notes


def _join(counts: Counts, table: pd.DataFrame, files: _Files, notes: list[str]) -> tuple[Counts, pd.DataFrame]:
    shared = table.index[table.index.isin(counts.spots)]
    if not len(shared):
        msg = (
            f"section {files.section!r}: no spot of {files.spots} (e.g. {next(iter(table.index), 'none')}) has a row "
            f"in {files.counts} (e.g. {counts.spots[0]}). Give the spot file of this very section."
        )
        raise DataError(msg)
    if len(shared) < len(table):
        notes.append(f"{len(table) - len(shared)} selected spots have no counts and are left out")
    unplaced = len(counts.spots) - int(counts.spots.isin(table.index).sum())
    if unplaced:
        notes.append(f"{unplaced} rows of counts belong to no selected spot and are left out")
    rows = counts.spots.get_indexer(shared)
    return Counts(counts.matrix[rows], shared, counts.genes), table.loc[shared]


def _symbols(counts: Counts, path: Path | None, notes: list[str]) -> tuple[object, pd.DataFrame]:
    if path is None:
        return counts.matrix, pd.DataFrame(index=counts.genes)
    table = read_table(
        existing(path, what="gene table", remedy="Check genes=."), what="gene table", columns=("gene_id", "gene_name")
    )
    symbols = dict(zip(table["gene_id"], table["gene_name"], strict=True))
    named = [symbols.get(gene, gene) for gene in counts.genes]
    lacking = sum(gene not in symbols for gene in counts.genes)
    matrix, merged, dropped = merge_genes(counts.matrix, named)
    notes.append(f"{len(named) - lacking} ids were turned into symbols, {lacking} without a symbol keep their id")
    if dropped:
        notes.append(f"{dropped} ids share a symbol with another; their counts are summed")
    first = pd.Series(counts.genes, index=named).groupby(level=0, sort=False).first()
    return matrix, pd.DataFrame({"gene_id": first.reindex(merged).to_numpy()}, index=merged)
