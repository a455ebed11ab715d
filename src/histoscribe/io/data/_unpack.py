"""Unpack an archive into a folder: all of it appears, or nothing."""

from __future__ import annotations

import json
import os
import re
import shutil
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError, StorageError
from histoscribe.core.files import write_json
from histoscribe.io.data._archive import Member, members
from histoscribe.io.data._checksum import Checksums, checksum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

__all__ = ["Place", "recover", "unpack"]

_LIST = "complete.json"


@dataclass(frozen=True)
class Place:
    """Where members go: those whose name matches `member` (a regular expression), to `to`.

    `to` may use the groups of the expression, ``{section}``; `gunzip` writes the content without its gzip layer.
    """

    member: str
    to: str
    gunzip: bool = False


def unpack(
    archive: Path,
    folder: Path,
    *,
    staging: Path,
    places: Sequence[Place] = (),
    password: str | None = None,
    ours: Callable[[str], bool] = lambda path: False,
    advance: Callable[[int], Any] = lambda n: None,
) -> dict[str, dict[str, Any]]:
    """Unpack `archive` into `folder`.

    All members are written to `staging` first; a list of them marks it as complete, and only then are they moved. A
    run that is killed before the list stands begins again; one killed after it is finished by `recover`.

    Parameters
    ----------
    archive
        A zip or tar file.
    folder
        Where the files go.
    staging
        A folder on the same disk that nobody else uses; removed at the end.
    places
        Which members go where; members that match none are left out. Empty: all, under their own names.
    password
        Password of a zip file.
    ours
        Says of a path whether what stands there may be replaced.
    advance
        Called with the number of bytes that were written.

    Returns
    -------
    ``{path: {"size": ..., "sha256": ...}}`` of what was written, paths relative to `folder`.

    Raises
    ------
    DataError
        If the archive is damaged or unsafe, or nothing in it matches.
    StorageError
        If the disk is too small, or another file stands where one of these should go.
    """
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    found: dict[str, dict[str, Any]] = {}
    space = shutil.disk_usage(staging).free
    for member in members(archive, password=password):
        placed = _place(member.name, places)
        if placed is None:
            continue
        path, gunzip = placed
        if path in found:
            msg = f"{archive} holds {path} twice. Nothing was unpacked; tell whoever offers it."
            raise DataError(msg)
        space -= member.size
        if space < 0:
            msg = f"the disk has no room for what {archive} holds ({path} and more). Free some space and run it again."
            raise StorageError(msg)
        found[path] = _write(member, staging / path, archive, gunzip=gunzip, advance=advance)
    if not found:
        msg = f"{archive} holds none of the files that were expected: its layout was changed. Update HistoScribe."
        raise DataError(msg)
    _check_free(found, folder, archive, ours)
    write_json(staging / _LIST, found)
    return _move(staging, folder)


def recover(staging: Path, folder: Path) -> dict[str, dict[str, Any]] | None:
    """Finish an unpacking that was interrupted while its files were moved; None where there is none."""
    return _move(staging, folder) if (staging / _LIST).is_file() else None


def _place(name: str, places: Sequence[Place]) -> tuple[str, bool] | None:
    if not places:
        return name, False
    for place in places:
        if match := re.fullmatch(place.member, name):
            return place.to.format(**match.groupdict()), place.gunzip
    return None


def _write(member: Member, path: Path, archive: Path, *, gunzip: bool, advance: Callable[[int], Any]) -> dict[str, Any]:
    path.parent.mkdir(parents=True, exist_ok=True)
    sums, size = Checksums(None, None), 0
    chunks = _counted(member, archive)
    with path.open("wb") as file:
        for chunk in _gunzipped(chunks) if gunzip else chunks:
            file.write(chunk)
            sums.update(chunk)
            size += len(chunk)
            advance(len(chunk))
    return {"size": size, "sha256": sums.sha256}


def _check_free(found: dict[str, dict[str, Any]], folder: Path, archive: Path, ours: Callable[[str], bool]) -> None:
    """Refuse to replace files that somebody else put there, unless they are the very same."""
    taken = [
        path
        for path, about in found.items()
        if (folder / path).exists() and not ours(path) and not _same(folder / path, about)
    ]
    if taken:
        msg = (
            f"{folder} holds {len(taken)} files that HistoScribe did not bring and that differ from those of "
            f"{archive.name} (e.g. {taken[0]}). Nothing was replaced: choose another --dir, move them away, or give "
            "--again to replace them."
        )
        raise StorageError(msg)


def _same(path: Path, about: dict[str, Any]) -> bool:
    return path.is_file() and path.stat().st_size == about["size"] and checksum_of(path).sha256 == about["sha256"]


def _counted(member: Member, archive: Path) -> Iterator[bytes]:
    """Yield a member's bytes, and stop where it holds more than it says: such a file would fill any disk."""
    size = 0
    for chunk in member.chunks():
        size += len(chunk)
        if size > member.size:
            msg = f"{archive}: {member.name} holds more than the {member.size} bytes that it states. It is not safe."
            raise DataError(msg)
        yield chunk
    if size != member.size:
        msg = f"{archive}: {member.name} holds {size} of its {member.size} bytes. Download it again."
        raise DataError(msg)


def _gunzipped(chunks: Iterator[bytes]) -> Iterator[bytes]:
    inflate = zlib.decompressobj(31)
    for chunk in chunks:
        yield inflate.decompress(chunk)
    yield inflate.flush()


def _move(staging: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Move everything that the list names; files that a killed run moved already are in place."""
    found = json.loads((staging / _LIST).read_text(encoding="utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    for top in sorted({path.partition("/")[0] for path in found}):
        source, target = staging / top, folder / top
        if source.is_dir() and not target.exists():
            # One rename: the whole tree appears at once.
            source.rename(target)
    for path, about in found.items():
        source, target = staging / path, folder / path
        if source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, target)  # noqa: PTH105
        elif not target.is_file() or target.stat().st_size != about["size"]:
            msg = f"{target} was unpacked and is gone or changed. Run the same command again with --again."
            raise DataError(msg)
    shutil.rmtree(staging)
    return found
