"""Which slides a folder or a list holds, and the job that each becomes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from histoscribe.core.errors import DataError
from histoscribe.core.units import check_mpp
from histoscribe.encoders.batch._job import SlideJob
from histoscribe.io import detect_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.encoders.batch._job import Settings

__all__ = ["FoundSlide", "find_slides", "jobs_of", "listed_slides"]

_COLUMNS = ("path", "mpp", "name", "donor")


@dataclass(frozen=True)
class FoundSlide:
    """One slide to be encoded; what is None is taken from the file or its name."""

    path: Path
    mpp: float | None = None
    name: str | None = None
    donor: str | None = None


def find_slides(folder: Path | str, *, nested: bool = False, match: str = "*") -> list[FoundSlide]:
    """List the slides of a folder, by name.

    Parameters
    ----------
    folder
        Where to look.
    nested
        Look in the folders below, too.
    match
        Pattern that a file's name must match, e.g. ``"*.svs"``.

    Raises
    ------
    DataError
        If there is no slide.
    """
    folder = Path(folder)
    paths = folder.rglob(match) if nested else folder.glob(match)
    # What begins with a dot is a system's or an unfinished file.
    found = [p for p in sorted(paths) if not p.name.startswith(".") and _is_slide(p)]
    # The .dcm files of a DICOM folder are one slide, the folder.
    wholes = {p for p in found if p.is_dir()}
    found = [p for p in found if p.parent not in wholes]
    if not found:
        below = "" if nested else " Give --nested to look in the folders below."
        msg = f"{folder} holds no slide whose name matches {match!r}.{below}"
        raise DataError(msg)
    return [FoundSlide(p) for p in found]


def _is_slide(path: Path) -> bool:
    try:
        return detect_reader(path) == "slide"
    except DataError:
        return False


def listed_slides(path: Path | str) -> list[FoundSlide]:
    """Read a table (CSV) of slides: column `path`, and if you like `mpp`, `name` and `donor`.

    Paths are relative to the table's folder. Slides that do not exist stay in the list: the run reports them.

    Raises
    ------
    DataError
        If the table cannot be read, lacks `path`, has other columns, or an um/px that is no positive number.
    """
    path = Path(path)
    try:
        table = pd.read_csv(path, dtype=str, encoding="utf-8-sig", skipinitialspace=True)
    except FileNotFoundError as err:
        msg = f"list of slides {path} does not exist. Check the path."
        raise DataError(msg) from err
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as err:
        msg = f"list of slides {path} is not a CSV table ({str(err).strip()}). Give one with a column path."
        raise DataError(msg) from err
    odd = [c for c in table if c not in _COLUMNS]
    if "path" not in table or odd or table["path"].isna().any() or table.empty:
        what = f"has the column {odd[0]!r}" if odd else "has no path in some row" if "path" in table else "lacks path"
        msg = f"list of slides {path} {what}. Give the columns path and, if you like, mpp, name and donor."
        raise DataError(msg)
    rows = table.astype(object).where(table.notna(), None).to_dict("records")
    return [
        FoundSlide(
            path.parent / row["path"],
            _number(row.get("mpp"), where=f"{path}, slide {row['path']}"),
            row.get("name"),
            row.get("donor"),
        )
        for row in rows
    ]


def _number(text: str | None, *, where: str) -> float | None:
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError as err:
        msg = f"{where}: mpp {text!r} is not a number. Give um per pixel, or leave it empty."
        raise DataError(msg) from err
    return check_mpp(value, where=where)


def jobs_of(
    slides: Sequence[FoundSlide], settings: Settings, out: Path | str, *, mpp: float | None = None
) -> list[SlideJob]:
    """Give every slide its own output file ``OUT/<name>.h5ad``.

    The name is the file's, with the ending where two would be the same.

    Raises
    ------
    DataError
        If two slides of a list were given one name.
    """
    out = Path(out)
    stems = [s.name or s.path.name.split(".")[0] for s in slides]
    wholes = [s.name or s.path.name.replace(".", "_") for s in slides]
    # One name for slides of several folders: the folder's name tells them apart.
    deep = [s.name or f"{s.path.parent.name}_{w}" for s, w in zip(slides, wholes, strict=True)]
    jobs = []
    for slide, *names in zip(slides, stems, wholes, deep, strict=True):
        name = next((n for n, all_of in zip(names, (stems, wholes, deep), strict=True) if all_of.count(n) == 1), None)
        if name is None:
            msg = f"several slides would be called {names[-1]!r} (one is {slide.path}). Give a --list with names."
            raise DataError(msg)
        safe = name.replace("/", "_")
        jobs.append(
            SlideJob(
                path=str(slide.path.absolute()),
                name=name,
                out=str((out / f"{safe}.h5ad").absolute()),
                mpp=slide.mpp or mpp,
                donor=slide.donor,
                settings=settings,
            )
        )
    return jobs
