"""Locks that tell who works on a slide, on this machine or another, and that a dead worker does not keep."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
import uuid
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from histoscribe.core.errors import HistoScribeError, StorageError
from histoscribe.core.files import write_json

try:
    import fcntl
except ImportError:  # Windows: two takers of one stale lock could then both go on; whole files make that harmless
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HeldError", "WorkLock"]

#: Seconds between signs of life.
_BEAT_S = 15.0


class HeldError(HistoScribeError):
    """Somebody else, alive, works on it."""


class WorkLock:
    """A file that says who works, since when, and, by its time of change, that he is alive.

    A lock of a process of this host that is gone is taken over at once; one of another host when it gave no sign of
    life for `max_age_s`.

    Parameters
    ----------
    path
        The lock file; its folder is made.
    max_age_s
        See above; at least a few times 15 s, at which signs of life are given.
    run
        Name of the run that the holder works for. Within a run a slide is given to somebody else only when its worker
        was lost, so that a lock of the same run is taken over at once, whatever its host.

    Attributes
    ----------
    taken_from
        Whose stale lock was taken over, or empty.
    """

    def __init__(self, path: Path, *, max_age_s: float = 600.0, run: str = "") -> None:
        self.path = Path(path)
        self.run = run
        self.max_age_s = max_age_s
        self.taken_from = ""
        self._id = uuid.uuid4().hex
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _one_at_a_time(self.path.parent):
                self._take()
        except OSError as err:
            msg = f"cannot lock {self.path}: {err.strerror or err}. Give an output folder that can be written."
            raise StorageError(msg) from err
        self._beat = threading.Thread(target=self._live, daemon=True)
        self._beat.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        if self._beat is not None:
            self._beat.join()
        with suppress(OSError), _one_at_a_time(self.path.parent):
            # Somebody may have taken it over while this machine slept: then it is his.
            if _read(self.path).get("id") == self._id:
                self.path.unlink()

    def _take(self) -> None:
        if self.path.exists():
            holder = _read(self.path)
            same_run = self.run and holder.get("run") == self.run
            if not same_run and _alive(holder, self.path, self.max_age_s):
                msg = (
                    f"{holder.get('host')}, process {holder.get('pid')}, works on {self.path.stem} since "
                    f"{holder.get('since')}. Let it finish, or stop it and run again."
                )
                raise HeldError(msg)
            self.taken_from = f"{holder.get('host', 'unknown')}:{holder.get('pid', '?')}, which is gone"
        about = {
            "id": self._id,
            "run": self.run,
            "host": platform.node(),
            "pids": _pid_space(),
            "pid": os.getpid(),
            "process_started": _started(os.getpid()),
            "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        }
        # In one step: a kill must not leave a lock that says nothing.
        write_json(self.path, about)

    def check(self) -> None:
        """Make sure that the lock is still this one's, before something is written under it.

        Raises
        ------
        HeldError
            If it was taken over, as it gave no sign of life for too long.
        """
        holder = _read(self.path)
        if holder.get("id") != self._id:
            who = f"{holder['host']}, process {holder['pid']}," if holder else "another process"
            msg = (
                f"{who} took over {self.path.stem} while this machine gave no sign of life for {self.max_age_s:g} s. "
                "Let it finish; a longer --lock-age avoids it."
            )
            raise HeldError(msg)

    def _live(self) -> None:
        while not self._stop.wait(_BEAT_S):
            with suppress(OSError):
                os.utime(self.path)


def _read(path: Path) -> dict[str, Any]:
    """Return what a lock says; one that is gone or damaged says nothing."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _alive(holder: dict[str, Any], path: Path, max_age_s: float) -> bool:
    here = (holder.get("host"), holder.get("pids", "")) == (platform.node(), _pid_space())
    if here and isinstance(holder.get("pid"), int):
        return _exists(holder["pid"]) and holder.get("process_started") == _started(holder["pid"])
    try:
        age = time.time() - path.stat().st_mtime
    except OSError:
        return False
    # Locks are written whole: one that says nothing is no lock of ours.
    return bool(holder) and age < max_age_s


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _pid_space() -> str:
    """Tell apart containers of one host name, in which a number means another process each."""
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Tell apart processes that got one number after another; empty where the system does not say."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    # State Z: it was killed, and its parent has not looked yet.
    return "gone" if fields[0] == "Z" else fields[19]


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Let one process at a time look at and change the folder's locks."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
