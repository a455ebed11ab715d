"""One sample of a HEST-Benchmark task: counts, and the tiles that the task stores in place of a slide."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import DataError, GeneError, ScaleError
from histoscribe.core.registry import did_you_mean
from histoscribe.core.units import check_mpp
from histoscribe.io._anndata import find_coordinates, find_counts, open_anndata
from histoscribe.io._assemble import assemble, species_of
from histoscribe.io._counts import check_unique
from histoscribe.io._files import existing, reading
from histoscribe.io._lattice import LAYOUTS, MPP_TOLERANCE, detect_layout, fit_scale

if TYPE_CHECKING:
    import h5py
    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["TILE_MPP", "read_hest_bench"]

LOOKS_FOR = "a folder with adata/<sample>.h5ad and patches/<sample>.h5"

#: um per px of the stored tiles: 224 px are 112 um.
TILE_MPP = 0.5
#: Distance of neighbours in every sample of the benchmark, um: Visium spots, and squares that Xenium is pooled to.
PITCH_UM = 100.0
#: Nearest neighbours of a grid are this equally far apart: interquartile range over median.
_EVEN = 0.02


def looks_like(path: Path) -> bool:
    """Say whether `path` is a task folder."""
    return path.is_dir() and any((path / "adata").glob("*.h5ad")) and any((path / "patches").glob("*.h5"))


def read_hest_bench(
    path: Path | str,
    *,
    sample: str | None = None,
    genes: str | None = None,
    pixel_um: float | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Read one sample of a task folder of the HEST-Benchmark.

    The benchmark has no slides: each observation has one stored tile of 224 px at 0.5 um/px. So the section's slide is
    the scan at 0.5 um/px of which only these squares are known, and a tile of 112 um around an observation is the
    stored one to the bit. Counts and tiles are joined by barcode; observations without a tile are left out, and the
    order is that of the tiles. Positions in px of the original scan stay in ``obsm["spatial_scan"]``.

    Parameters
    ----------
    path
        Folder of one task, with ``adata`` and ``patches``.
    sample
        Id; needed where the task has several.
    genes
        JSON file in the task's folder with a list ``genes``, e.g. ``var_50genes.json``: only these are kept in memory;
        library sizes stay those of all measured genes.
    pixel_um
        um per px of the scan in whose px the positions are; by default what the tiles' file says, else what the
        geometry of the observations says: neighbours are 100 um apart in all of the benchmark's samples.
    name, donor, species
        Names; the name defaults to the sample's id. The benchmark's files name no donor.
    mpp
        um per px of the stored tiles, default 0.5.
    """
    folder = existing(path, what="HEST-Benchmark task", remedy="Check the path.")
    sample = _sample(folder, sample)
    name = name or sample
    where = f"section {name!r}"
    paths = [folder / "adata" / f"{sample}.h5ad", folder / "patches" / f"{sample}.h5"]
    for file in paths:
        existing(file, what=f"{where}: file", remedy="A sample needs its adata and its patches; download both.")
    table = open_anndata(paths[0])
    check_unique(table.obs_names, what="observation", where=str(paths[0]))
    check_unique(table.var_names, what="gene", where=str(paths[0]), error=GeneError)
    tiles = _tiles(paths[1])
    notes: list[str] = []
    rows, tile_rows = _join(table, tiles.barcodes, where, notes)
    counts = find_counts(table, None, where)[0][rows]
    scan = find_coordinates(table, None, where, notes)
    obs, array = table.obs.iloc[rows].copy(), _array(table)
    layout = None if array is None else detect_layout(array, scan)
    visium = layout is LAYOUTS["visium"]
    scan_um = _scan_um(tiles, array if visium else None, scan, given=pixel_um, where=where, notes=notes)
    mpp = check_mpp(TILE_MPP if mpp is None else mpp, where=where)
    depth, var = np.asarray(counts.sum(1)).ravel().astype(np.float64), table.var
    if genes is not None:
        columns = _columns(folder / genes, table.var_names, where)
        counts, var = counts[:, columns], var.iloc[columns]
    xy = scan[rows] * (scan_um / mpp)
    section = assemble(
        counts,
        obs,
        var,
        xy,
        files=paths[:1],
        donor=donor,
        name=name,
        notes=notes,
        depth=depth,
        # By name: `io` and `slide` stand on one row.
        slide=import_module("histoscribe.slide.stored_tiles").StoredTiles(paths[1], xy, tile_rows, mpp=mpp),
        mpp=mpp,
        species=species or species_of(table.var.get("gene_ids", table.var_names)),
        platform="visium" if visium else "hest-bench",
        spot_um=LAYOUTS["visium"].spot_um if visium else None,
        pitch_um=LAYOUTS["visium"].pitch_um if visium else None,
    )
    section.table.obsm["spatial_scan"] = scan[rows]
    return section


def _sample(folder: Path, sample: str | None) -> str:
    found = sorted(p.stem for p in (folder / "adata").glob("*.h5ad"))
    if not found:
        tasks = sorted(p.name for p in folder.glob("*") if looks_like(p)) if folder.is_dir() else []
        hint = f" It holds the tasks {', '.join(tasks)}: give one of these folders." if tasks else ""
        msg = (
            f"{folder} has no adata/<sample>.h5ad, so it is no task of the HEST-Benchmark.{hint or ' Check the path.'}"
        )
        raise DataError(msg)
    if sample is None and len(found) > 1:
        shown = ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
        msg = f"task {folder} has {len(found)} samples ({shown}). Name one: sample={found[0]}."
        raise DataError(msg)
    if sample is not None and sample not in found:
        msg = f"task {folder} has no sample {sample!r}. {did_you_mean(sample, found)}"
        raise DataError(msg)
    return sample or found[0]


@dataclass(frozen=True)
class _Tiles:
    """What a file of tiles says: barcodes in order, and um per px of the scan that they were cut from, if it does."""

    path: Path
    barcodes: pd.Index
    scan_um: float | None


def _tiles(path: Path) -> _Tiles:
    import h5py

    with reading(path, what="file of tiles"), h5py.File(path, "r") as file:
        lacking = [key for key in ("img", "barcode") if key not in file]
        shape = file["img"].shape if "img" in file else ()
        if lacking or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or file["img"].dtype != np.uint8:
            what = (
                f"lacks {', '.join(lacking)}" if lacking else f"holds images of shape {shape}, not (n, side, side, 3)"
            )
            msg = f"file of tiles {path} {what}. Give the file of the HEST-Benchmark, or download it again."
            raise DataError(msg)
        raw = np.asarray(file["barcode"]).ravel()
        names = [b.decode() if isinstance(b, bytes) else str(b) for b in raw]
        scan_um = _stated_scan_um(file)
    if len(names) != shape[0]:
        msg = f"file of tiles {path} holds {shape[0]} images and {len(names)} barcodes. Download it again."
        raise DataError(msg)
    barcodes = pd.Index(names)
    check_unique(barcodes, what="tile", where=str(path))
    return _Tiles(path, barcodes, scan_um)


def _stated_scan_um(file: h5py.File) -> float | None:
    """Read um per px of the scan where the attributes tell it; older files have a `factor` of unknown direction."""
    for key in ("coords", "img"):
        value = file[key].attrs.get("pixel_size") if key in file else None
        if value is not None and np.size(value) == 1 and float(np.ravel(value)[0]) > 0:
            return float(np.ravel(value)[0])
    return None


def _join(table: AnnData, barcodes: pd.Index, where: str, notes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of the table, and of the tiles, that share a barcode, in the tiles' order."""
    rows = table.obs_names.get_indexer(barcodes)
    both = rows >= 0
    if not both.any():
        msg = (
            f"{where}: none of the {len(barcodes)} tiles has the barcode of an observation ({barcodes[0]!r} against "
            f"{table.obs_names[0]!r}). adata and patches are of different samples; download both again."
        )
        raise DataError(msg)
    without, orphans = table.n_obs - int(both.sum()), int((~both).sum())
    if without:
        notes.append(f"{without} of {table.n_obs} observations have no tile and are left out")
    if orphans:
        notes.append(f"{orphans} tiles have no observation and are left out")
    return rows[both], np.flatnonzero(both)


def _array(table: AnnData) -> np.ndarray | None:
    if not {keys.ARRAY_ROW, keys.ARRAY_COL} <= set(table.obs):
        return None
    columns = table.obs[[keys.ARRAY_COL, keys.ARRAY_ROW]].apply(pd.to_numeric, errors="coerce")
    array = columns.to_numpy(dtype=np.float64)
    return array if np.isfinite(array).all() and len(array) >= 3 else None


def _scan_um(
    tiles: _Tiles, array: np.ndarray | None, scan: np.ndarray, *, given: float | None, where: str, notes: list[str]
) -> float:
    """Return um per px of the scan: what was given, what the tiles' file states, or what the observations show."""
    derived, how = None, "a Visium array"
    if array is not None:
        derived = fit_scale(array, scan, LAYOUTS["visium"], where=where).mpp
    elif (step := _even_step(scan)) is not None:
        derived, how = PITCH_UM / step, f"squares of {PITCH_UM:g} um"
    stated = tiles.scan_um if given is None else check_mpp(given, where=f"{where}: pixel_um")
    if stated is not None and derived is not None and abs(stated / derived - 1) > MPP_TOLERANCE:
        notes.append(f"the scan is said to have {stated:.4g} um/px, but the geometry of {how} shows {derived:.4g}")
    if stated is None and derived is not None:
        notes.append(f"um/px of the scan from the geometry of {how}")
    found = stated or derived
    if found is None:
        msg = (
            f"{where}: {tiles.path.name} does not say how many um a px of the scan is, and the observations lie "
            "neither on a Visium array nor on a grid. Give pixel_um=<um per px>: HEST's pixel_size_um_estimated."
        )
        raise ScaleError(msg)
    return found


def _even_step(scan: np.ndarray) -> float | None:
    """Return the distance of nearest neighbours, px, where it is the same for nearly all."""
    from scipy.spatial import cKDTree

    if len(scan) < 4:
        return None
    near = cKDTree(scan).query(scan, k=2)[0][:, 1]
    low, middle, high = np.percentile(near, [25, 50, 75])
    return float(middle) if middle > 0 and high - low <= _EVEN * middle else None


def _columns(path: Path, names: pd.Index, where: str) -> np.ndarray:
    try:
        wanted = [str(g) for g in json.loads(path.read_text(encoding="utf-8"))["genes"]]
    except (OSError, ValueError, KeyError, TypeError) as err:
        msg = f"{path} is not a JSON file with a list 'genes' ({err!r}). Name another of the task's files in genes=."
        raise DataError(msg) from err
    columns = names.get_indexer(wanted)
    if (columns < 0).any():
        lacking = [g for g, c in zip(wanted, columns, strict=True) if c < 0]
        msg = (
            f"{where} lacks {len(lacking)} of the {len(wanted)} genes of {path.name} ({', '.join(lacking[:3])}). Panel "
            "and counts are of different versions; download both again."
        )
        raise GeneError(msg)
    return columns
