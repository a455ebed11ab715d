"""Jobs: a line of long work, one process at a time, which can be watched, cancelled and killed without harm."""

from __future__ import annotations

import multiprocessing
import os
import queue
import secrets
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import HistoScribeError
from histoscribe.studio._error import ErrorParts, StudioError, parts_of
from histoscribe.studio.jobs._job import FINAL, Job, JobKind
from histoscribe.studio.jobs._work import begin

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

__all__ = ["Jobs"]

#: Time between a polite end and a hard one, s.
_PATIENCE = 3.0
#: Finished jobs that are remembered.
_KEPT = 200


@dataclass(eq=False)
class _Running:
    """A job, what it needs, and what is done with its result."""

    job: Job
    given: dict[str, str]
    finish: Callable[[dict[str, Any]], dict[str, Any]]
    process: BaseProcess | None = None
    cancelled: bool = False
    started: float = 0.0
    bar: tuple[str, float, int] = field(default=("", 0.0, 0))


class Jobs:
    """A line of jobs; safe in several threads.

    Parameters
    ----------
    waiting
        Most jobs in line.
    """

    def __init__(self, *, waiting: int) -> None:
        self._most = waiting
        self._all: dict[str, _Running] = {}
        self._line: queue.Queue[_Running | None] = queue.Queue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def all(self) -> list[Job]:
        """Return all jobs, newest first."""
        return [one.job for one in reversed(list(self._all.values()))]

    def get(self, key: str) -> Job:
        """Return a job, or raise status 404."""
        return self._get(key).job

    def add(
        self,
        kind: JobKind,
        given: dict[str, str],
        *,
        title: str,
        finish: Callable[[dict[str, Any]], dict[str, Any]],
        **about: Any,
    ) -> Job:
        """Put a job in line.

        Parameters
        ----------
        kind, given
            What `begin` gets.
        title
            For people.
        finish
            From the result of the process to changes of the job (``result_item``, ``scores``, ``message``).
        about
            More of the job's fields.

        Raises
        ------
        StudioError
            Status 503 where too many wait.
        """
        with self._lock:
            line = sum(one.job.state == "waiting" for one in self._all.values())
            if line >= self._most:
                raise StudioError(503, f"{line} jobs wait already.", where="jobs", todo="Cancel some, or wait.")
            created = datetime.now(UTC).isoformat(timespec="seconds")
            job = Job(id=secrets.token_hex(8), kind=kind, title=title, created=created, **about)
            one = self._all[job.id] = _Running(job, given, finish)
            self._forget()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="jobs", daemon=True)
                self._thread.start()
        self._line.put(one)
        return job

    def cancel(self, key: str) -> Job:
        """End a job; one that has ended stays as it is."""
        one = self._get(key)
        one.cancelled = True
        if one.job.state == "waiting":
            self._change(one, state="cancelled", message="cancelled before it began")
        elif one.job.state == "running" and one.process is not None:
            _end(one.process)
        return one.job

    def close(self) -> None:
        """End everything."""
        for one in list(self._all.values()):
            if one.job.state not in FINAL:
                self.cancel(one.job.id)
        self._line.put(None)

    def _get(self, key: str) -> _Running:
        if key not in self._all:
            raise StudioError(404, "there is no such job.", where="jobs", todo="Ask for one that /api/jobs lists.")
        return self._all[key]

    def _forget(self) -> None:
        over = [key for key, one in self._all.items() if one.job.state in FINAL][: max(0, len(self._all) - _KEPT)]
        for key in over:
            del self._all[key]

    def _change(self, one: _Running, **changes: Any) -> None:
        # A new object each time: whoever watches compares it with the last one sent.
        one.job = one.job.model_copy(update=changes)

    def _work(self) -> None:
        while (one := self._line.get()) is not None:
            if one.job.state == "waiting":
                try:
                    self._run(one)
                except Exception as err:  # noqa: BLE001  the line must go on
                    self._fail(one, HistoScribeError(f"the job could not be run ({err}). Try again."))

    def _run(self, one: _Running) -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=begin, args=(one.job.kind, one.given, theirs), name=f"job-{one.job.id}")
        one.process, one.started = process, time.monotonic()
        self._change(one, state="running", message="starting")
        process.start()
        theirs.close()  # or the end of the process would not end the pipe
        if one.cancelled:
            _end(process)
        last: tuple[str, Any] | None = None
        try:
            while last is None or last[0] == "progress":
                last = ours.recv()
                if last[0] == "progress":
                    self._progress(one, **last[1])
        except (EOFError, OSError):
            last = None
        process.join(_PATIENCE)
        ours.close()
        self._end(one, process, last)

    def _end(self, one: _Running, process: BaseProcess, last: tuple[str, Any] | None) -> None:
        if last is not None and last[0] == "done":
            try:
                changes = one.finish(last[1])
            except HistoScribeError as err:
                self._fail(one, err)
                return
            self._change(one, state="done", done=one.job.total or one.job.done, eta_s=None, **changes)
        elif one.cancelled:
            self._change(one, state="cancelled", message="cancelled", eta_s=None)
        elif last is not None:
            self._fail(one, HistoScribeError(last[1]))
        else:
            code = process.exitcode
            how = f"by signal {-code} ({signal.Signals(-code).name})" if code is not None and code < 0 else f"({code})"
            what = f"the job's process was ended from outside {how}; nothing of its result was kept."
            todo = "Start it again; a lack of memory is the usual cause."
            self._change(
                one,
                state="failed",
                eta_s=None,
                message=what,
                error=ErrorParts(what=what, where=one.job.title, todo=todo),
            )

    def _fail(self, one: _Running, err: HistoScribeError) -> None:
        parts = parts_of(err, where=one.job.title)
        self._change(one, state="failed", eta_s=None, message=parts.what, error=parts)

    def _progress(self, one: _Running, *, message: str, unit: str, done: int, total: int) -> None:
        now = time.monotonic()
        label, since, first = one.bar
        if label != message.partition(",")[0]:
            label, since, first = one.bar = (message.partition(",")[0], now, done)
        passed = now - since
        rate = (done - first) / passed if passed > 0.2 and done > first else None
        eta = (total - done) / rate if rate else None
        self._change(one, message=message, unit=unit, done=done, total=total, rate=rate, eta_s=eta)


def _end(process: BaseProcess) -> None:
    """End a process and its children, politely first."""

    def send(*, hard: bool) -> None:
        number = getattr(signal, "SIGKILL", signal.SIGTERM) if hard else signal.SIGTERM
        try:
            own_group = hasattr(os, "getpgid") and process.pid and os.getpgid(process.pid) == process.pid
            if own_group:
                os.killpg(process.pid, number)  # type: ignore[arg-type]
            elif process.is_alive():
                process.kill() if hard else process.terminate()
        except ProcessLookupError:
            return  # it has ended by itself

    def later() -> None:
        process.join(_PATIENCE)
        if process.is_alive():
            send(hard=True)

    send(hard=False)
    threading.Thread(target=later, daemon=True).start()
