"""STimage-1K4M: ``{ST,Visium,VisiumHD}/{image,gene_exp,coord}``, one slide of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import DataError, SlideError
from histoscribe.core.registry import did_you_mean
from histoscribe.io._assemble import assemble, finite_xy, open_image, species_of
from histoscribe.io._counts import check_unique, read_count_table
from histoscribe.io._files import first_existing, open_text, read_table
from histoscribe.io._stimage_scale import TECHNOLOGIES, array_of, slide_scale

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from histoscribe.core.section import Section

__all__ = ["read_stimage1k4m"]

LOOKS_FOR = "gene_exp/ beside coord/, or ST/, Visium/, VisiumHD/ with both"

#: The corrected table first; older copies of the data set have the other.
_META = ("meta/meta_all_gene02122025.csv", "meta/meta_all_gene.csv", "meta_all_gene02122025.csv", "meta_all_gene.csv")
#: What is read of it. Not `abstract`: that text belongs to publishers.
_WANTED = ("slide", "species", "tissue", "tech", "involve_cancer", "pmid")
#: The corrected table renamed one slide, whose files may still have the old name.
_RENAMED = {"Human_Brain+Kidney_10X_02212023_Visium": "Mouse_Brain+Kidney_10X_02212023_Visium"}
#: Labels that its authors drop.
_NO_LABEL = ("undetermined", "exclude")
_LABEL = ("annotation", "label", "labels", "region")


@dataclass(frozen=True)
class _Slide:
    """One slide's place: its technology's folder, and the data set's root above it."""

    name: str
    folder: Path
    root: Path

    @property
    def technology(self) -> str:
        return self.folder.name


def looks_like(path: Path) -> bool:
    """Say whether `path` is the data set's root or one technology's folder."""
    return path.is_dir() and bool(_folders(path))


def read_stimage1k4m(
    path: Path,
    *,
    slide: str | None = None,
    image: str | None = None,
    scale: float = 1.0,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Read one slide of STimage-1K4M.

    The data set states no um/px: it follows from the spots' radius `r` (27.5 um on Visium, 50 um on legacy arrays; on
    Visium HD from the bins' distance and the size in their names), and is compared with the distance between spots.

    Parameters
    ----------
    path
        The data set's folder, or one technology's folder in it.
    slide
        Name of the slide, as its files have it without ``_count.csv``; needed where there are several.
    image
        Path of another image; ``"none"`` for expression alone. By default ``image/<slide>.png``, which holds PNG, JPEG
        or TIFF and is opened by its content.
    scale
        px of the image per px of the coordinates, for an image that was resized.
    name, donor, species
        Names; donors are not stated anywhere in the data set.
    mpp
        um per px of the image; must agree with the derived one, or say it where none can be derived.

    Returns
    -------
    Section with ``obs["annotation"]`` (a pathologist's label, missing where there is none) where the data set has
    labels, and the metadata in ``uns["histoscribe"]["stimage1k4m"]``.
    """
    found = _find(path, slide)
    name = name or found.name
    where = f"section {name!r}"
    counts_path, coords_path = _file(found, "gene_exp", "_count.csv"), _file(found, "coord", "_coord.csv")
    counts = read_count_table(counts_path)
    spots = _without_slide(counts.spots, found.name)
    table = _coordinates(coords_path, found.name)
    kept = spots.isin(table.index)
    if not kept.any():
        msg = (
            f"{where}: no spot of {counts_path} (e.g. {counts.spots[0]}) is in {coords_path} (e.g. "
            f"{next(iter(table.index), 'none')}). Give the two files of one slide."
        )
        raise DataError(msg)
    notes = [f"{n} {what} and are left out" for n, what in _lost(spots, table.index) if n]
    table = table.loc[spots[kept]]
    xy = finite_xy(table["xaxis"], table["yaxis"], where=where)
    obs, array = array_of(table.index)
    fit = slide_scale(
        found.technology, xy, table["r"], array, mpp=None if mpp is None else mpp * scale, where=where, notes=notes
    )
    meta = _metadata(found, notes)
    _annotate(found, obs, notes)
    source = None if image == "none" else _image(found, where) if image is None else image
    section = assemble(
        counts.matrix[kept],
        obs,
        pd.DataFrame(index=counts.genes),
        xy * scale,
        files=[counts_path, coords_path],
        donor=donor,
        name=name,
        notes=notes,
        slide=None if source is None else open_image(source, where=where),
        mpp=fit.mpp / scale,
        species=species or _species(meta, notes) or species_of(list(counts.genes)),
        platform=TECHNOLOGIES[found.technology],
        spot_um=fit.spot_um,
        pitch_um=fit.pitch_um,
    )
    section.table.uns[keys.UNS]["stimage1k4m"] = meta
    return section


def _folders(path: Path) -> list[Path]:
    candidates = [path, *(path / name for name in TECHNOLOGIES)]
    return [f for f in candidates if f.name in TECHNOLOGIES and all((f / p).is_dir() for p in ("gene_exp", "coord"))]


def _find(path: Path, slide: str | None) -> _Slide:
    if not path.exists():
        msg = f"STimage-1K4M folder {path} does not exist. Check the path."
        raise DataError(msg)
    # The name of a technology says how large a spot is, so a relative path such as "." must become one.
    folders = _folders(path.resolve()) if path.is_dir() else []
    names = {p.name.removesuffix("_count.csv"): f for f in folders for p in sorted(f.glob("gene_exp/*_count.csv"))}
    if not names:
        msg = (
            f"{path} holds no slide of STimage-1K4M: no <slide>_count.csv in {', '.join(TECHNOLOGIES)}/gene_exp/. Give "
            "the folder that holds these, or one of them, under their own names."
        )
        raise DataError(msg)
    if slide is None and len(names) > 1:
        shown = ", ".join(list(names)[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        msg = f"{path} holds {len(names)} slides ({shown}). Choose one: slide={next(iter(names))}."
        raise DataError(msg)
    slide = next(iter(names)) if slide is None else slide
    # "+" belongs to some names, and form encoding turns it into a blank.
    slide = slide if slide in names else slide.replace(" ", "+")
    if slide not in names:
        msg = f"{path} holds no slide {slide!r}. {did_you_mean(slide, list(names))}"
        raise DataError(msg)
    return _Slide(slide, names[slide], names[slide].parent)


def _file(found: _Slide, part: str, ending: str) -> Path:
    path = found.folder / part / f"{found.name}{ending}"
    if not path.is_file():
        msg = f"slide {found.name!r} has no {path}. Download the files of all three folders (image, gene_exp, coord)."
        raise DataError(msg)
    return path


def _image(found: _Slide, where: str) -> Path:
    folder = found.folder / "image"
    path = first_existing(folder, [f"{found.name}.png", f"{found.name}.*"])
    if path is None:
        msg = (
            f"{where}: {folder} has no image {found.name}.png. Download it, or give image=<path>, or image=none for "
            "expression alone."
        )
        raise SlideError(msg)
    return path


def _without_slide(names: pd.Index, slide: str) -> pd.Index:
    """Drop the slide's name from the spots' names; files differ in whether they have it."""
    return pd.Index([str(n).removeprefix(f"{slide}_") for n in names], dtype=object)


def _coordinates(path: Path, slide: str) -> pd.DataFrame:
    table = read_table(path, what="coordinates", columns=("yaxis", "xaxis", "r"))
    spots = table.columns.difference(["yaxis", "xaxis", "r"], sort=False)
    if len(spots) != 1:
        msg = (
            f"coordinates {path} have {len(spots)} columns beside yaxis, xaxis and r, where only the spots' names "
            "should be. Download the file again."
        )
        raise DataError(msg)
    table.index = _without_slide(table[spots[0]], slide)
    check_unique(table.index, what="spot", where=f"coordinates {path}")
    return table[["xaxis", "yaxis", "r"]]


def _lost(spots: pd.Index, placed: pd.Index) -> list[tuple[int, str]]:
    return [
        (int((~spots.isin(placed)).sum()), "rows of counts have no coordinates"),
        (int((~placed.isin(spots)).sum()), "spots with coordinates have no counts"),
    ]


def _metadata(found: _Slide, notes: list[str]) -> dict[str, str]:
    path = first_existing(found.root, _META)
    if path is None:
        return {}
    with open_text(path, what="STimage-1K4M metadata") as handle:
        first = handle.readline()
        handle.seek(0)
        separator = "\t" if first.count("\t") > first.count(",") else ","
        table = pd.read_csv(handle, sep=separator, usecols=lambda c: c in _WANTED, dtype=str, keep_default_na=False)
    names = {found.name, _RENAMED.get(found.name, found.name)}
    rows = table[table["slide"].isin(names)] if "slide" in table else table[:0]
    if rows.empty:
        notes.append(f"{path.name} has no row for this slide")
        return {}
    row = {k: v for k, v in rows.iloc[0].items() if v}
    if found.name in _RENAMED and row["slide"] != found.name:
        notes.append(f"the slide was renamed {row['slide']}; its old name states the wrong species")
    return {str(k): str(v) for k, v in row.items()}


def _species(meta: dict[str, str], notes: list[str]) -> str | None:
    stated = meta.get("species", "").strip().lower()
    if "&" in stated:
        notes.append(f"the slide holds tissue of {stated}; give species= for one of them")
        return None
    return stated or None


def _annotate(found: _Slide, obs: pd.DataFrame, notes: list[str]) -> None:
    path = found.root / "annotation" / f"{found.name}_anno.csv"
    if not path.is_file():
        return
    table = read_table(path, what="annotation", columns=())
    spots = _without_slide(table.iloc[:, 0], found.name)
    columns = list(table.columns[1:])
    chosen = columns if len(columns) == 1 else [c for c in columns if str(c).lower() in _LABEL]
    if len(chosen) != 1:
        notes.append(f"{path.name} is not used: none of its columns {', '.join(map(str, columns))} is surely the label")
        return
    check_unique(spots, what="spot", where=f"annotation {path}")
    labels = pd.Series(table[chosen[0]].to_numpy(), index=spots).astype("string").str.strip()
    labels = labels.mask(labels.str.lower().isin(_NO_LABEL) | (labels == ""))
    aligned: np.ndarray = labels.reindex(obs.index).astype(object).to_numpy()
    obs["annotation"] = pd.Categorical(aligned)
    notes.append(f"{int(obs['annotation'].notna().sum())} of {len(obs)} spots have a pathologist's label")
