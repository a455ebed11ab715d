"""Fetch: bring the planned files into a data set's folder, several at a time, and record them."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError, StorageError
from histoscribe.core.files import digest, read_json, write_json
from histoscribe.core.progress import progress
from histoscribe.io.data._checksum import checksum_of
from histoscribe.io.data._download import Transfer, download
from histoscribe.io.data._http import plain_url
from histoscribe.io.data._manifest import WORK, FirstSeen, Manifest, now
from histoscribe.io.data._unpack import recover, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from histoscribe.io.data._plan import Item, Plan

try:
    import fcntl
except ImportError:  # Windows has no flock; two downloads at once are then not told apart.
    fcntl = None  # type: ignore[assignment]

__all__ = ["Fetched", "fetch", "locked"]


@dataclass
class Fetched:
    """What a run did: paths that came new, that were there, that were replaced, and what could not be checked."""

    new: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    replaced: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time write into `folder`; the lock goes with the process, however it ends.

    Raises
    ------
    StorageError
        If another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as err:
        msg = f"cannot use the folder {folder}: {err.strerror}. Choose another one with --dir."
        raise StorageError(msg) from err
    try:
        if fcntl is not None:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as err:
                msg = f"another process is fetching into {folder}. Wait for it, or choose another --dir."
                raise StorageError(msg) from err
        yield
    finally:
        os.close(handle)


def fetch(
    plan: Plan,
    folder: Path,
    *,
    transfer: Transfer | None = None,
    jobs: int = 4,
    check: bool = False,
    again: bool = False,
    accept_changed: bool = False,
    show: bool | None = None,
) -> Fetched:
    """Bring the planned files into `folder`, and record them in its manifest.

    What is there and recorded is left alone; what an interrupted run began goes on. A file appears under its own name
    only when its size and checksum are right, an archive's files when all of them are unpacked.

    Parameters
    ----------
    plan
        What is wanted.
    folder
        The data set's folder.
    transfer
        Patience of downloads.
    jobs
        Files at a time.
    check
        Read again what is there, and bring anew what is not what was fetched; else its size decides.
    again
        Bring everything anew, and replace what stands in its place.
    accept_changed
        Accept a file that is another one than at its first download on this machine.
    show
        Force the progress bar on or off.

    Raises
    ------
    DataError
        If a file cannot be had; others that are under way are finished first, and what came is kept.
    StorageError
        If the disk is full, or another process is at it.
    """
    with locked(folder):
        manifest = Manifest(folder, plan.data_set)
        manifest.begin(plan.revision)
        run = _Run(plan, folder, manifest, transfer or Transfer())
        run.check, run.again, run.accept_changed = check, again, accept_changed
        run.finish_interrupted()
        todo = [item for item in plan.items if not run.present(item)]
        big = sum(item.size or 0 for item in todo) >= 10e6
        unit, scale = ("MB", 1e6) if big else ("kB", 1e3)
        total = int(sum(item.size or 0 for item in todo) / scale)
        try:
            with progress(f"fetching {plan.data_set.id}", total, unit=unit, show=show) as advance:
                steps = _Steps(advance, scale)
                _each(todo, lambda item: run.bring(item, steps), jobs)
        finally:
            manifest.write()
        _tidy(folder / WORK)
        for paths in (run.fetched.new, run.fetched.present, run.fetched.replaced):
            paths.sort()  # files come in any order
        return run.fetched


def _each(items: list[Item], bring: Callable[[Item], None], jobs: int) -> None:
    """Bring items, `jobs` at a time; after a failure no new one is begun."""
    pool = ThreadPoolExecutor(max_workers=max(1, jobs))
    try:
        futures = [pool.submit(bring, item) for item in items]
        for future in futures:
            future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _tidy(work: Path) -> None:
    """Remove the empty folders of what is done; the beginnings of other downloads stay."""
    for path in sorted(work.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    if work.is_dir() and not any(work.iterdir()):
        work.rmdir()


class _Steps:
    """Turns bytes into whole steps of the progress bar."""

    def __init__(self, advance: Callable[[int], None], scale: float) -> None:
        self._advance, self._scale, self._bytes, self._shown = advance, scale, 0, 0

    def __call__(self, n: int) -> None:
        self._bytes += n
        steps = int(self._bytes / self._scale)
        if steps != self._shown:
            self._advance(steps - self._shown)
            self._shown = steps


class _Run:
    def __init__(self, plan: Plan, folder: Path, manifest: Manifest, transfer: Transfer) -> None:
        self.folder, self.manifest, self.transfer, self.plan = folder, manifest, transfer, plan
        self.check = self.again = self.accept_changed = False
        self.fetched, self.first = Fetched(), FirstSeen()

    def _work(self, kind: str, item: Item) -> Path:
        # By address: two archives may have one name.
        return self.folder / WORK / kind / digest(item.remote.url)

    def finish_interrupted(self) -> None:
        """Record what a killed run had unpacked but not recorded."""
        for item in self.plan.items:
            archive = self._work("checked", item)
            about = _about_path(archive)
            if not (item.archive and about.is_file()):
                continue
            found = recover(self._work("unpack", item), self._into(item))
            if found is not None:
                self._record(item, read_json(about), found)
                archive.unlink(missing_ok=True)
                about.unlink()

    def _into(self, item: Item) -> Path:
        return self.folder / item.into if item.into else self.folder

    def present(self, item: Item) -> bool:
        """Say whether an item is there and recorded; adopt a file whose published checksum it has."""
        if self.again:
            return False
        if item.archive:
            about = self.manifest.archives.get(item.remote.url)
            same = about is not None and _agrees(item, about) and all(map(self._holds, about["files"]))
            if same and about is not None:
                self.fetched.present += about["files"]
            return same
        known = self.manifest.files.get(item.path)
        if known is not None and self._holds(item.path) and _agrees(item, known):
            self.fetched.present.append(item.path)
            return True
        return known is None and self._adopt(item)

    def _holds(self, path: str) -> bool:
        if not self.manifest.holds(path):
            return False
        return not self.check or checksum_of(self.folder / path).sha256 == self.manifest.files[path]["sha256"]

    def _adopt(self, item: Item) -> bool:
        target = self.folder / item.path
        if not target.exists():
            return False
        about_path = _about_path(self._work("checked", item))
        if about_path.is_file() and target.is_file():
            # A run was killed between putting it in place and recording it.
            about = read_json(about_path)
            if checksum_of(target).sha256 == about["sha256"] and _agrees(item, about):
                self.manifest.add(item.path, about)
                self.fetched.present.append(item.path)
                about_path.unlink()
                return True
        sums = checksum_of(target, item.remote.checksum) if item.remote.checksum and target.is_file() else None
        if sums is None or not sums.ok:
            why = "no checksum is published" if sums is None else f"its checksum is {sums.found}"
            msg = (
                f"{target} is there already, HistoScribe did not bring it, and it cannot be told to be the right file "
                f"({why}). Move it away, or give --again to replace it."
            )
            raise StorageError(msg)
        self.manifest.add(item.path, _about(item, target.stat().st_size, sums.sha256, "registry"), at_once=False)
        self.fetched.present.append(item.path)
        return True

    def bring(self, item: Item, advance: Callable[[int], None]) -> None:
        """Download an item, check it, put it in place and record it."""
        staged = self._work("checked", item)
        about = self._checked(item, staged) or self._download(item, staged, advance)
        if item.archive:
            self._unpack(item, staged, about)
            return
        target = self.folder / item.path
        target.parent.mkdir(parents=True, exist_ok=True)
        (self.fetched.replaced if target.exists() else self.fetched.new).append(item.path)
        staged.replace(target)
        # What only the first download tells must not be lost with the process.
        self.manifest.add(item.path, about, at_once=item.remote.checksum is None)
        _about_path(staged).unlink(missing_ok=True)

    def _checked(self, item: Item, staged: Path) -> dict[str, Any] | None:
        """Return what is known of a file that a killed run had downloaded and checked, or None."""
        path = _about_path(staged)
        if self.again or not (path.is_file() and staged.is_file()):
            return None
        about = read_json(path)
        return about if about["size"] == staged.stat().st_size and _agrees(item, about) else None

    def _download(self, item: Item, staged: Path, advance: Callable[[int], None]) -> dict[str, Any]:
        part = self._work("parts", item)
        got = download(item.remote, staged, part=part, transfer=self.transfer, advance=advance)
        how = "hub" if self.plan.data_set.hub else "registry"
        if item.remote.checksum is None:
            self._compare(item, got.sha256, staged)
            how = "first download"
        if got.note:
            self.fetched.notes.append(f"{item.path}: {got.note}")
        about = _about(item, got.size, got.sha256, how)
        write_json(_about_path(staged), about)
        return about

    def _compare(self, item: Item, sha256: str, staged: Path) -> None:
        if self.accept_changed:
            self.first.forget(item.remote.url)
        if date := self.first.check(item.remote.url, sha256):
            staged.unlink(missing_ok=True)
            msg = (
                f"{plain_url(item.remote.url)} is another file than at its first download here ({date}), and its "
                "authors published no checksum that could say which is right. Nothing was put in place. Look at the "
                "data set's home page; give --accept-changed to take the new one."
            )
            raise DataError(msg)

    def _unpack(self, item: Item, archive: Path, about: dict[str, Any]) -> None:
        staging, prefix = self._work("unpack", item), f"{item.into}/" if item.into else ""
        try:
            found = unpack(
                archive,
                self._into(item),
                staging=staging,
                places=item.places,
                password=item.password,
                ours=lambda path: self.again or f"{prefix}{path}" in self.manifest.files,
            )
        except DataError:
            # Whatever is wrong with it, the next run shall not stumble over the same bytes, nor hold them for right.
            for path in (archive, _about_path(archive)):
                path.unlink(missing_ok=True)
            self.first.forget(item.remote.url)
            raise
        self._record(item, about, found)
        archive.unlink(missing_ok=True)
        _about_path(archive).unlink(missing_ok=True)

    def _record(self, item: Item, about: dict[str, Any], found: dict[str, dict[str, Any]]) -> None:
        prefix = f"{item.into}/" if item.into else ""
        common = {"source": plain_url(item.remote.url), "part": item.part, "date": now(), "checked": "archive"}
        files = {f"{prefix}{path}": one | common for path, one in found.items()}
        self.fetched.new += sorted(files)
        self.manifest.add_archive(item.remote.url, about, files)


def _about_path(staged: Path) -> Path:
    return staged.with_suffix(".json")


def _about(item: Item, size: int, sha256: str, how: str) -> dict[str, Any]:
    about = {"size": size, "sha256": sha256, "source": plain_url(item.remote.url), "part": item.part}
    about |= {"sample": item.sample} if item.sample else {}
    about |= {"checksum": item.remote.checksum} if item.remote.checksum else {}
    return about | {"date": now(), "checked": how}


def _agrees(item: Item, about: dict[str, Any]) -> bool:
    """Say whether what was fetched is what the source has now, as far as the source says."""
    if item.remote.checksum is None:
        return item.remote.size in (None, about["size"])
    return item.remote.checksum in (about.get("checksum"), f"sha256:{about['sha256']}")
