"""Put a whole folder of generated files in place at once, and never on top of somebody's own."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.core.errors import DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MARKER", "replace_folder"]

#: File by which a folder is known as ours; it lists what was written.
MARKER = "histoscribe-site.json"


def replace_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` into a new folder beside `out` and exchange the two.

    A reader sees the old folder or the new one, never a mixture; on any error the old one stays.

    Parameters
    ----------
    out
        Folder to write: absent, empty, or written by this function before.
    files
        Path inside the folder, with ``/``, to its bytes.

    Raises
    ------
    DataError
        If `out` is a file, or holds anything that this function did not write.
    StorageError
        If the disk is full or the place cannot be written.
    """
    out = out.resolve()
    _refuse_foreign(out)
    marker = json.dumps({"written_by": "histoscribe papers site", "files": sorted(files)}, indent=0) + "\n"
    temporary: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}.", suffix=".partial"))
        new = temporary / "new"
        new.mkdir()
        for folder in sorted({str(Path(name).parent) for name in files}):
            (new / folder).mkdir(parents=True, exist_ok=True)
        for name, content in (*files.items(), (MARKER, marker.encode())):
            (new / name).write_bytes(content)
        if out.exists():
            out.replace(temporary / "old")
        try:
            new.replace(out)
        except OSError:
            if (temporary / "old").exists():
                (temporary / "old").replace(out)
            raise
    except OSError as err:
        msg = f"cannot write {out}: {err.strerror or err}. Free some space or choose another place; nothing was lost."
        raise StorageError(msg) from err
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _refuse_foreign(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        msg = f"{out} is a file. Give a folder with --out."
        raise DataError(msg)
    found = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if not p.is_dir() or p.is_symlink())
    if not found:
        return
    if MARKER not in found:
        msg = f"{out} is not empty and was not written by `papers site` (it holds {found[0]}). Choose another --out."
        raise DataError(msg)
    foreign = sorted(set(found) - _listed(out / MARKER) - {MARKER})
    if foreign:
        msg = f"{out} holds {foreign[0]}, which `papers site` did not write. Move it out, or choose another --out."
        raise DataError(msg)


def _listed(marker: Path) -> set[str]:
    try:
        return set(json.loads(marker.read_text(encoding="utf-8"))["files"])
    except (ValueError, KeyError, TypeError, UnicodeDecodeError) as err:
        msg = f"{marker} cannot be read ({err}). Remove the folder {marker.parent}, or choose another --out."
        raise DataError(msg) from err
