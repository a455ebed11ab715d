"""Read: choose a reader, run it, and check what every section must satisfy."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import pandas as pd

from histoscribe.core.errors import CoordinateError, DataError, HistoScribeError
from histoscribe.core.files import file_digest
from histoscribe.core.registry import Registry
from histoscribe.core.section import Origin
from histoscribe.io._options import checked_options

if TYPE_CHECKING:
    import numpy as np

    from histoscribe.core.section import Section

__all__ = ["READERS", "Outside", "detect_reader", "read"]

READERS = Registry(
    "reader",
    {
        "cosmx": "histoscribe.io.cosmx:read_cosmx",
        "geojson": "histoscribe.io.geojson:read_geojson",
        "h5ad": "histoscribe.io.h5ad:read_h5ad",
        "hest": "histoscribe.io.hest:read_hest",
        "hest-bench": "histoscribe.io.hest_bench:read_hest_bench",
        "merscope": "histoscribe.io.merscope:read_merscope",
        "slide": "histoscribe.io.slide:read_slide",
        "spatialdata": "histoscribe.io.spatialdata_store:read_spatialdata",
        "st-array": "histoscribe.io.st_array:read_st_array",
        "stimage1k4m": "histoscribe.io.stimage1k4m:read_stimage1k4m",
        "trident": "histoscribe.io.trident:read_trident",
        "visium": "histoscribe.io.visium:read_visium",
        "visium-hd": "histoscribe.io.visium_hd:read_visium_hd",
        "xenium": "histoscribe.io.xenium:read_xenium",
    },
)

Outside = Literal["refuse", "drop", "keep"]


def read(
    reader: str | None,
    path: Path | str,
    *,
    where: str | None = None,
    outside: Outside = "refuse",
    **options: Any,
) -> Section:
    """Read one section.

    Parameters
    ----------
    reader
        Registry name (``"st-array"``, ``"visium"``, ``"h5ad"``, ``"slide"``), or None to find out from `path`.
    path
        File or folder; relative to the current folder.
    where
        Keep the observations for which this pandas expression over `obs` holds, e.g. ``"array_col >= 56"``.
    outside
        What to do with observations that lie outside the image: refuse the section, drop them, or keep them (for
        `check`, which finds out why).
    options
        Options of the reader; `name`, `donor`, `species` and `mpp` (um per level-0 px) exist everywhere, `image` where
        there are observations.

    Returns
    -------
    Section with ``obsm["spatial"]`` in level-0 px of its slide, ``layers["counts"]`` (integer csr),
    ``obs["total_counts"]``, and what was dropped or inferred in ``uns["histoscribe"]["notes"]``.

    Raises
    ------
    HistoScribeError
        One line that says what is wrong with which file or value, and what to do.
    """
    path = Path(path)
    reader = reader or detect_reader(path)
    function = READERS.get(reader)
    options = checked_options(function, f"reader {reader!r}", options, common=("where", "outside"))
    if outside not in get_args(Outside):
        msg = f"outside={outside!r} is not known. Choose refuse, drop or keep."
        raise DataError(msg)
    try:
        section = function(path, **options)
    except HistoScribeError as err:
        err.add_note(f"while reading {path} as {reader}")
        raise
    section = _inside(section, outside)
    if where is not None:
        section = section.subset(_query(section, where))
    digest = section.origin.digest if section.origin is not None else file_digest(path)
    kept = options | ({"where": where} if where else {}) | ({"outside": outside} if outside != "refuse" else {})
    return replace(section, origin=Origin(reader, str(path), kept, digest))


def detect_reader(path: Path) -> str:
    """Name the reader for `path` by asking each reader's module: its `LOOKS_FOR` and `looks_like(path)`.

    Raises
    ------
    DataError
        If nothing fits, with everything that was looked for; or if several readers fit, with their names.
    """
    if not path.exists():
        msg = f"{path} does not exist. Check the path (it is relative to {Path.cwd()})."
        raise DataError(msg)
    modules = {name: import_module(READERS.get(name).__module__) for name in READERS}
    # A plug-in need not detect its files: it can always be named.
    asked = {name: module for name, module in modules.items() if hasattr(module, "looks_like")}
    found = [name for name, module in asked.items() if module.looks_like(path)]
    if len(found) == 1:
        return found[0]
    if found:
        msg = f"{path} could be read by {' or '.join(found)}. Name the reader: {found[0]}:{path}."
        raise DataError(msg)
    looked = "; ".join(f"{module.LOOKS_FOR} ({name})" for name, module in asked.items())
    msg = f"cannot tell what {path} is. Looked for: {looked}. Name the reader: {', '.join(READERS)} (READER:PATH)."
    raise DataError(msg)


def _inside(section: Section, outside: Outside) -> Section:
    if section.slide is None or not section.n_obs or outside == "keep":
        return section
    xy, (width, height) = section.xy, section.slide.size
    inside = _within(xy, width, height)
    if inside.all():
        return section
    n_out = int((~inside).sum())
    if outside == "drop" and inside.any():
        kept = section.subset(inside)
        ours = dict(kept.table.uns["histoscribe"])
        kept.table.uns["histoscribe"] = ours | {
            "notes": [*ours.get("notes", []), f"{n_out} observations outside the image are left out"]
        }
        return kept
    swapped = _within(xy[:, ::-1], width, height).mean()
    hint = "They fit when x and y are swapped. " if swapped == 1 else ""
    msg = (
        f"section {section.name!r}: {n_out} of {len(xy)} observations lie outside the {width} x {height} px image (x "
        f"{xy[:, 0].min():.0f} to {xy[:, 0].max():.0f}, y {xy[:, 1].min():.0f} to {xy[:, 1].max():.0f}). {hint}Run "
        "`histoscribe check` on it to see what would fit, or give outside=drop if they should lie there."
    )
    raise CoordinateError(msg)


def _within(xy: np.ndarray, width: int, height: int) -> np.ndarray:
    return ((xy >= 0) & (xy <= (width, height))).all(1)


def _query(section: Section, expression: str) -> np.ndarray:
    obs = section.table.obs
    try:
        keep = obs.eval(expression, engine="python")
    except Exception as err:
        have = ", ".join(map(str, obs.columns[:10]))
        msg = f"where={expression!r} cannot be applied to obs ({err}); its columns are {have}. Give e.g. array_col>=56."
        raise DataError(msg) from err
    if not isinstance(keep, pd.Series) or keep.dtype != bool:
        msg = f"where={expression!r} is not true or false for each observation. Give a comparison, e.g. array_col>=56."
        raise DataError(msg)
    if not keep.any():
        msg = f"where={expression!r} keeps none of the {len(obs)} observations of section {section.name!r}. Widen it."
        raise DataError(msg)
    return keep.to_numpy()
