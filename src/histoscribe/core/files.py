"""Write files so that a reader never sees half of one, and name them by content."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["atomic_path", "cache_dir", "digest", "file_digest", "read_json", "write_json"]

_DISK_ERRORS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside `path` that takes its place when the block ends well.

    The file is flushed to disk before it is renamed; on any error it is removed and `path` stays as it was.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        # mkstemp makes private files; a result should have the permissions that any new file gets.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as err:
        if err.errno in _DISK_ERRORS:
            why = err.strerror or err
            msg = f"cannot write {path}: {why}. Free some space or choose another place; nothing was lost."
            raise StorageError(msg) from err
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_json(path: Path | str, value: Any) -> None:
    """Write `value` as indented JSON, atomically; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, sort_keys=True)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file, or say in one line why it cannot be read."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        msg = f"{path} does not exist. Check the path."
        raise DataError(msg) from err
    except (json.JSONDecodeError, UnicodeDecodeError) as err:
        msg = f"{path} is not valid JSON ({err}). Write or download it again."
        raise DataError(msg) from err


def digest(*parts: str | bytes) -> str:
    """Name any sequence of strings and bytes by 16 hex digits of its SHA-256."""
    hasher = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()[:16]


def file_digest(path: Path | str) -> str:
    """SHA-256 of a file's bytes, or of every file's name and bytes in a folder; 64 hex digits."""
    path = Path(path)
    hasher = hashlib.sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if path.is_dir():
            hasher.update(str(file.relative_to(path)).encode())
        with file.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                hasher.update(chunk)
    return hasher.hexdigest()


def cache_dir() -> Path:
    """Folder of HistoScribe's cache: `HISTOSCRIBE_CACHE`, else the user's cache folder."""
    if named := os.environ.get("HISTOSCRIBE_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "histoscribe"
