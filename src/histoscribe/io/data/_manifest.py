"""``histoscribe.json``: what a data set's folder holds, whence, under which licence, and with which checksums."""

from __future__ import annotations

import datetime as dt
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError
from histoscribe.core.files import cache_dir, read_json, write_json

if TYPE_CHECKING:
    from histoscribe.io.data._registry import DataSet

__all__ = ["MANIFEST", "WORK", "FirstSeen", "Manifest"]

MANIFEST = "histoscribe.json"
#: Folder inside a data set's own for what is under way; never part of the data.
WORK = ".histoscribe"
_SCHEMA = 1
#: Files whose checksum the registry knows can be told again from their bytes, so they need not be written at once.
_PAUSE_S = 2.0


class Manifest:
    """The manifest of one folder; several threads may add to it.

    Parameters
    ----------
    folder
        The data set's folder.
    data_set
        The entry of the registry, which a new manifest names; None to read one that exists.
    """

    def __init__(self, folder: Path, data_set: DataSet | None = None) -> None:
        self.folder, self.path = folder, folder / MANIFEST
        self._lock, self._written = threading.Lock(), 0.0
        if self.path.is_file():
            self.body: dict[str, Any] = read_json(self.path)
            if not isinstance(self.body, dict) or self.body.get("schema") != _SCHEMA or "files" not in self.body:
                msg = f"{self.path} is no manifest that this version can read. Move it away, or update HistoScribe."
                raise DataError(msg)
            if data_set is not None and self.body["data_set"] != data_set.id:
                msg = f"{folder} holds {self.body['data_set']!r}, not {data_set.id!r}. Choose another --dir."
                raise DataError(msg)
        elif data_set is None:
            msg = f"{folder} holds no {MANIFEST}: nothing was fetched there. Run `histoscribe data fetch` first."
            raise DataError(msg)
        else:
            self.body = {"schema": _SCHEMA, "data_set": data_set.id, "files": {}, "archives": {}}
        if data_set is not None:
            self.body |= {
                "title": data_set.title,
                "licence": data_set.licence,
                "licence_source": data_set.licence_source,
                "homepage": data_set.homepage,
                "paper": data_set.paper,
            }

    @property
    def files(self) -> dict[str, dict[str, Any]]:
        """Path to size, sha256, source, date and how it was checked."""
        return self.body["files"]

    @property
    def archives(self) -> dict[str, dict[str, Any]]:
        """Address of an archive that was unpacked, to its sha256 and the paths that came from it."""
        return self.body["archives"]

    def begin(self, revision: str) -> None:
        """Record that the licence was shown, by which version, and the revision that is fetched."""
        self.body |= {"licence_shown": now(), "tool": tool(), "revision": revision}
        self.write()

    def add(self, path: str, about: dict[str, Any], *, at_once: bool = True) -> None:
        """Record a file."""
        with self._lock:
            self.files[path] = about
        if at_once or time.monotonic() - self._written > _PAUSE_S:
            self.write()

    def add_archive(self, url: str, about: dict[str, Any], files: dict[str, dict[str, Any]]) -> None:
        """Record an archive and what came from it."""
        with self._lock:
            self.archives[url] = about | {"files": sorted(files)}
            for path, found in files.items():
                self.files[path] = found
        self.write()

    def write(self) -> None:
        """Write the file, atomically."""
        with self._lock:
            write_json(self.path, self.body)
            self._written = time.monotonic()

    def holds(self, path: str) -> bool:
        """Say whether a file is recorded and stands there with the size that it had."""
        about = self.files.get(path)
        target = self.folder / path
        return about is not None and target.is_file() and target.stat().st_size == about["size"]


class FirstSeen:
    """SHA-256 of files whose checksum nobody published, as they were at their first download on this machine."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path or cache_dir() / "data" / "first_seen.json"
        self._lock = threading.Lock()

    def check(self, url: str, sha256: str) -> str | None:
        """Record a file, or return the date of a first download that had other bytes."""
        with self._lock:
            known = read_json(self.path) if self.path.is_file() else {}
            if url in known:
                return None if known[url]["sha256"] == sha256 else known[url]["date"]
            known[url] = {"sha256": sha256, "date": now()}
            write_json(self.path, known)
            return None

    def forget(self, url: str) -> None:
        """Accept whatever comes next."""
        with self._lock:
            known = read_json(self.path) if self.path.is_file() else {}
            if known.pop(url, None) is not None:
                write_json(self.path, known)


def now() -> str:
    """Return the time, UTC, to the second."""
    return dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def tool() -> str:
    """Name this version."""
    from importlib.metadata import version

    return f"histoscribe {version('histoscribe')}"
