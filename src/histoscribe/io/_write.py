"""Write: choose a writer, run it, and never replace a file that somebody did not want replaced."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError, HistoScribeError, StorageError
from histoscribe.core.registry import Registry
from histoscribe.io._options import checked_options

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["WRITERS", "refuse_existing", "write"]

#: A writer is ``write_x(section, path, *, overwrite=False, ...) -> Path``. The reader of the same name reads what it
#: wrote, from the path that it returns, without options. Its module may have `ENDINGS`, file endings by which `write`
#: knows the kind, and `KEEPS`, what comes back of ``names, genes, counts, donor, mpp`` (default: all).
WRITERS = Registry(
    "writer",
    {
        "geojson": "histoscribe.io.geojson_write:write_geojson",
        "h5ad": "histoscribe.io.h5ad_write:write_h5ad",
        "hest": "histoscribe.io.hest_write:write_hest",
        "spatialdata": "histoscribe.io.spatialdata_write:write_spatialdata",
        "trident": "histoscribe.io.trident_write:write_trident",
    },
)


def write(
    section: Section, path: Path | str, kind: str | None = None, *, overwrite: bool = False, **options: Any
) -> Path:
    """Write one section.

    Parameters
    ----------
    section
        What to write.
    path
        File or folder.
    kind
        Registry name (``"h5ad"``, ...), or None to tell from the ending of `path`.
    overwrite
        Replace what is there; by default that is refused.
    options
        Options of the writer.

    Returns
    -------
    The path from which ``hs.read(kind, path)`` reads the section again.

    Raises
    ------
    StorageError
        If `path` exists and `overwrite` is False, or the disk is full.
    HistoScribeError
        One line that says why the section cannot be written so, and what to do.
    """
    path = Path(path)
    kind = kind or _kind_of(path)
    function = WRITERS.get(kind)
    options = checked_options(function, f"writer {kind!r}", options)
    try:
        return function(section, path, overwrite=overwrite, **options)
    except HistoScribeError as err:
        err.add_note(f"while writing {path} as {kind}")
        raise


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Say that `path` exists, unless it may be replaced.

    Raises
    ------
    StorageError
        If `path` exists and `overwrite` is False.
    """
    if path.exists() and not overwrite:
        msg = f"{path} exists already and would be replaced. Give another path, or overwrite=True (--overwrite)."
        raise StorageError(msg)


def _kind_of(path: Path) -> str:
    endings = {
        ending: name
        for name in WRITERS
        for ending in getattr(import_module(WRITERS.get(name).__module__), "ENDINGS", ())
    }
    found = [ending for ending in endings if path.name.lower().endswith(ending)]
    if not found:
        known = ", ".join(f"{ending} ({name})" for ending, name in endings.items())
        msg = (
            f"the name {path} does not say what to write. Give kind= one of {', '.join(WRITERS)}, or end it in {known}."
        )
        raise DataError(msg)
    return endings[max(found, key=len)]
