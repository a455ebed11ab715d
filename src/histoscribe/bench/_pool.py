"""Run jobs in processes of their own, several at a time; what was stopped leaves nothing half done."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from histoscribe.bench._job import DONE, ERROR, Job
from histoscribe.core.files import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Pool", "outcome"]

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Pool:
    """At most `workers` processes at a time; leaving the block ends those still running.

    Parameters
    ----------
    workers
        Processes at a time.
    """

    def __init__(self, workers: int) -> None:
        self._threads = ThreadPoolExecutor(workers)
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            process.terminate()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def submit(self, task: Callable[[], Any]) -> Any:
        """Queue a callable that runs jobs; returns its future."""
        return self._threads.submit(task)

    def run(self, jobs: Iterable[Job | None]) -> dict[str, Any]:
        """Run jobs one after another, those done before left out; return the last one's outcome, or the first failure.

        See `outcome`.
        """
        found: dict[str, Any] = {}
        for job in jobs:
            if job is None:
                continue
            if not job.done:
                self._process(job)
            found = outcome(job)
            if "error" in found:
                break
        return found

    def _process(self, job: Job) -> None:
        path = job.save()
        environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(job.threads))
        command = [sys.executable, "-m", "histoscribe.bench._job", str(path)]
        log = path.with_name("log.txt")
        with log.open("w", encoding="utf-8") as file:
            with self._lock:
                if self._stopped:
                    return
                process = subprocess.Popen(command, env=environment, stdout=file, stderr=file, text=True)
                self._running.add(process)
            code = process.wait()
        with self._lock:
            self._running.discard(process)
        (path.with_name("exit.txt")).write_text(str(code), encoding="ascii")


def outcome(job: Job) -> dict[str, Any]:
    """Return what ``done.json`` says, or a dictionary with ``error``, ``message`` and ``log``."""
    folder = Path(job.out)
    if job.done:
        return dict(read_json(folder / DONE))
    if (folder / ERROR).is_file():
        return dict(read_json(folder / ERROR))
    exit_file, log = folder / "exit.txt", folder / "log.txt"
    code = exit_file.read_text(encoding="ascii") if exit_file.is_file() else "unknown"
    killed = " (killed: most often for memory)" if code == "-9" else ""
    tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:] if log.is_file() else []
    return {"error": "ProcessError", "message": f"the fold's process ended with status {code}{killed}", "log": tail}
