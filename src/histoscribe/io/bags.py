"""Bags from files of features, one slide each: `.h5` of TRIDENT and CLAM, CLAM's `.pt`, `.h5ad` of our own `encode`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.bag import Bag
from histoscribe.core.errors import DataError, ScaleError
from histoscribe.core.progress import progress
from histoscribe.io._barcode import Barcode
from histoscribe.io._described import described
from histoscribe.io._files import existing, reading
from histoscribe.io._tile_files import TileFile, nominal_um, read_tile_file, side_px

if TYPE_CHECKING:
    from collections.abc import Container

__all__ = ["read_bag", "read_bags", "slide_name"]

_ENDINGS = (".h5", ".hdf5", ".pt", ".h5ad")


def slide_name(path: Path | str) -> str:
    """Return the slide's name that a file of features has: its own, without its last ending."""
    path = Path(path)
    return path.name.removesuffix(path.suffix)


def read_bag(
    path: Path | str,
    *,
    name: str | None = None,
    donor: str | None = None,
    site: str | None = None,
    encoder: str | None = None,
    mpp: float | None = None,
    max_tiles: int | None = None,
    seed: int = 0,
) -> Bag:
    """Read the features of one slide.

    Parameters
    ----------
    path
        ``.h5`` of TRIDENT, CLAM or HistoScribe, a ``.pt`` with an ``(n, d)`` tensor, or the ``.h5ad`` that
        ``histoscribe encode`` writes.
    name
        Of the slide; default the file's name.
    donor, site
        Default what the file says, or the name's TCGA barcode.
    encoder
        Default what the file or its folder ``features_<encoder>`` says.
    mpp
        um per level-0 px; default what the file says, else what its magnification suggests. Without any, the bag has
        no positions.
    max_tiles
        Keep at most this many tiles, drawn by `seed` and the slide's name.

    Raises
    ------
    DataError
        If the file is missing, damaged, or has no features.
    """
    path = existing(path, what="file of features", remedy="Check the path.")
    file = {".pt": _read_pt, ".h5ad": _read_h5ad}.get(path.suffix, read_tile_file)(path)
    name = name or slide_name(path)
    if file.features is None or not len(file.features):
        msg = f"{path} holds no features of tiles. Give the file of features, of a slide on which tissue was found."
        raise DataError(msg)
    xy, rows = _xy_um(file, mpp), np.arange(len(file.features))
    if max_tiles is not None and len(rows) > max_tiles:
        rng = np.random.default_rng([seed, *name.encode()])
        rows = np.sort(rng.permutation(len(rows))[:max_tiles])
    barcode = Barcode.of(name)
    donor = donor or file.about.get("donor") or (barcode.donor if barcode else "")
    site = site or (barcode.site if barcode else "")
    kept = None if xy is None else xy[rows]
    return Bag(name, file.features[rows], kept, donor, site, encoder or file.encoder or "")


def read_bags(
    folder: Path | str,
    *,
    only: Container[str] | None = None,
    about: Path | str | None = None,
    encoder: str | None = None,
    mpp: float | None = None,
    max_tiles: int | None = None,
    seed: int = 0,
    show: bool | None = None,
) -> list[Bag]:
    """Read every file of features in a folder, in order of name.

    Parameters
    ----------
    folder
        E.g. TRIDENT's ``features_<encoder>`` or CLAM's ``h5_files``.
    only
        Names of the slides to read; default all.
    about
        Table of text whose first column names slides, with a column `donor`, `site` or both, which stand above what
        files and names say. Slides that it does not name keep theirs.
    encoder, mpp, max_tiles, seed
        As `read_bag`. A thousand slides of 10,000 tiles and 1,024 features are 41 GB; with ``max_tiles=2000``, 8 GB.

    Raises
    ------
    DataError
        If there is no such file, two are of one slide, or `about` is no such table.
    """
    told = {} if about is None else _read_about(about)
    folder = existing(folder, what="folder of features", remedy="Check the path.")
    paths = sorted(p for p in folder.iterdir() if p.suffix in _ENDINGS) if folder.is_dir() else [folder]
    if not paths:
        msg = f"{folder} holds no file of features ({', '.join(_ENDINGS)}). Give the folder that holds one per slide."
        raise DataError(msg)
    names = [slide_name(p) for p in paths]
    if len(set(names)) < len(names):
        again = next(n for n in names if names.count(n) > 1)
        msg = f"{folder} holds several files of slide {again}. Keep one file for each slide."
        raise DataError(msg)
    chosen = [p for p, n in zip(paths, names, strict=True) if only is None or n in only]
    bags = []
    with progress("read features", len(chosen), unit="slides", show=show) as advance:
        for path in chosen:
            known = told.get(slide_name(path), {})
            bags.append(read_bag(path, **known, encoder=encoder, mpp=mpp, max_tiles=max_tiles, seed=seed))
            advance(1)
    return bags


def _read_about(path: Path | str) -> dict[str, dict[str, str]]:
    path = existing(path, what="table of slides", remedy="Check the path.")
    with reading(path, what="table of slides"):
        table = pd.read_csv(path, sep=None, engine="python", index_col=0, dtype=str, keep_default_na=False)
    columns = [c for c in ("donor", "site") if c in table]
    if not columns or table.index.has_duplicates:
        what = "names a slide twice" if columns else f"has columns {', '.join(table.columns) or 'none'}"
        msg = f"table of slides {path} {what}. Name each slide once in the first column; give donor, site or both."
        raise DataError(msg)
    return {str(name): dict(row) for name, row in table[columns].to_dict(orient="index").items()}


def _read_pt(path: Path) -> TileFile:
    import torch

    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as err:  # pickle raises whatever it likes
        msg = f"file of features {path} cannot be read ({type(err).__name__}). It must hold one tensor; write it again."
        raise DataError(msg) from err
    features = np.asarray(value.float().numpy()) if isinstance(value, torch.Tensor) else np.zeros(0)
    if features.ndim == 3 and len(features) == 1:
        features = features[0]
    if features.ndim != 2:
        msg = f"file of features {path} holds no (tiles, features) tensor. Write one row of features for each tile."
        raise DataError(msg)
    return TileFile(path, None, None, None, features, {}, {})


def _read_h5ad(path: Path) -> TileFile:
    from anndata import read_h5ad

    with reading(path, what="file of features"):
        table = read_h5ad(path)
    told, slots = described(table), [k for k in table.obsm if k.startswith(keys.features(""))]
    if told is None or len(slots) != 1 or keys.SPATIAL not in table.obsm:
        found = ", ".join(slots) or "none"
        msg = (
            f"file of features {path} is not what `histoscribe encode` writes: scale, centres of tiles and one set "
            f"of features; of these it has {found}. Encode the slide again."
        )
        raise DataError(msg)
    name, donor = slide_name(path), str(told["donor"])
    # `encode` knows no donors: it calls a slide's donor like the slide.
    about = {"mpp": float(told["mpp"])} | ({} if donor == name else {"donor": donor})
    centres = np.asarray(table.obsm[keys.SPATIAL], dtype=np.float64)
    attributes = {"encoder": slots[0].removeprefix(keys.features(""))}
    return TileFile(path, None, centres, None, np.asarray(table.obsm[slots[0]]), attributes, about)


def _xy_um(file: TileFile, mpp: float | None) -> np.ndarray | None:
    """Return the centres of the tiles, um, or None where nothing says how large a px is."""
    if file.coords is None:
        scale = mpp or file.about.get("mpp")
        return None if file.centres is None or scale is None else np.asarray(file.centres * scale, dtype=np.float64)
    try:
        side = side_px(file, None)
    except ScaleError:  # a level whose downsample the file does not say
        return None
    mpp = mpp or file.about.get("mpp")
    if mpp is None and side and (nominal := nominal_um(file.attributes)) is not None:
        mpp = nominal / side
    if mpp is None:
        return None
    centres = file.centres if file.centres is not None else file.coords + (side or 0.0) / 2
    return np.asarray(centres * mpp, dtype=np.float64)
