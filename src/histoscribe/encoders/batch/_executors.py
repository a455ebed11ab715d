"""Where jobs run: in this process, in several of this machine, or on a Dask cluster; one function for all."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for_any
from typing import TYPE_CHECKING

from histoscribe.core.errors import HistoScribeError
from histoscribe.encoders.batch._job import Outcome, SlideJob, perform

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Executor", "LostSchedulerError"]

#: Times that workers may die one after another, without a slide being finished between, before it is given up.
_MAX_DEATHS = 3
_DIED = (
    "the process that worked on it died (killed, or out of memory) {n} times. Run again with fewer --workers or a "
    "larger --step-um; finished batches of it are kept."
)


class LostSchedulerError(HistoScribeError):
    """The cluster went away in the middle of a run."""


@dataclass(frozen=True)
class Executor:
    """Runs jobs and gives their outcomes as they come.

    Attributes
    ----------
    workers
        Processes of this machine; 1 runs in this one.
    scheduler
        Address of a Dask scheduler, e.g. ``"tcp://10.0.0.1:8786"``, in place of processes of this machine. Its workers
        must see the slides, the output folder and this version of HistoScribe under the same paths.
    work
        What is done to each job; picklable.
    """

    workers: int = 1
    scheduler: str | None = None
    work: Callable[[SlideJob], Outcome] = perform

    def run(self, jobs: Sequence[SlideJob]) -> Iterator[Outcome]:
        """Yield one outcome for each job, in the order in which they end.

        Raises
        ------
        LostSchedulerError
            If the cluster cannot be reached or goes away; what was finished is kept.
        """
        if self.scheduler is not None:
            return _on_cluster(jobs, self.scheduler, self.work)
        if self.workers > 1 and len(jobs) > 1:
            return _in_pool(jobs, min(self.workers, len(jobs)), self.work)
        return (self.work(job) for job in jobs)


def _in_pool(jobs: Sequence[SlideJob], workers: int, work: Callable[[SlideJob], Outcome]) -> Iterator[Outcome]:
    """Run in processes; one that dies breaks the pool, which is made anew for what is left."""
    left, suspects, deaths = list(jobs), [], 0
    while left:
        try:
            for outcome in _pool_outcomes(left, workers, work):
                left = [job for job in left if job.out != outcome.out]
                deaths = 0
                yield outcome
        except BrokenProcessPool:
            deaths += 1
        if left and deaths >= _MAX_DEATHS:
            # What is left first was being worked on each time, but only one of them need be to blame.
            suspects, left, deaths = [*suspects, *left[:workers]], left[workers:], 0
    for job in suspects:
        try:
            yield from _pool_outcomes([job], 1, work)
        except BrokenProcessPool:
            yield _failed(job, _DIED.format(n=_MAX_DEATHS + 1))


def _pool_outcomes(jobs: Sequence[SlideJob], workers: int, work: Callable[[SlideJob], Outcome]) -> Iterator[Outcome]:
    # Spawned, not forked: a fork of a process with threads (BLAS, ONNX Runtime) can hang.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_end_with_parent) as pool:
        try:
            yield from _finished({pool.submit(work, job) for job in jobs})
        finally:
            # Whoever stops in between waits for the slides under work, not for all of them.
            pool.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """End this process when its parent is gone: one that was killed says nothing, and work would be awaited forever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        wait_for_any([parent.sentinel])
        # At once: finished batches are kept, and the slide's lock says that its holder is gone.
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _finished(waiting: set[Future[Outcome]]) -> Iterator[Outcome]:
    while waiting:
        done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
        broken = None
        for future in done:
            try:
                outcome = future.result()
            except BrokenProcessPool as err:
                # The others of this round may have ended well before.
                broken = err
                continue
            yield outcome
        if broken is not None:
            raise broken


def _on_cluster(jobs: Sequence[SlideJob], address: str, work: Callable[[SlideJob], Outcome]) -> Iterator[Outcome]:
    """Run on a Dask cluster, which gives a dead worker's job to another one."""
    try:
        from distributed import Client, as_completed
    except ImportError as err:
        msg = "--scheduler needs dask.distributed, which is not installed. Run: pip install 'histoscribe[cluster]'"
        raise HistoScribeError(msg) from err
    try:
        client = Client(address, timeout=30, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as err:
        msg = f"no Dask scheduler answers at {address} ({' '.join(str(err).split())}). Check the address, or start one."
        raise LostSchedulerError(msg) from err
    n_left = len(jobs)
    try:
        # pure=False: the same slide given again is done again (and found finished), not taken from Dask's memory.
        made = client.map(work, jobs, pure=False)
        futures = {future.key: job for future, job in zip(made, jobs, strict=True)}
        for future in as_completed(made, loop=client.loop, raise_errors=False):
            if future.status == "finished":
                outcome = future.result()
            elif future.status == "error":
                outcome = _failed(futures[future.key], f"{_DIED.format(n='several')} ({future.exception()})")
            else:
                break
            n_left -= 1
            yield outcome
    finally:
        _close(client)
    if n_left:
        msg = (
            f"the Dask scheduler at {address} went away with {n_left} of {len(jobs)} slides to do. Finished slides and "
            "batches are kept: start it and run the same command to go on."
        )
        raise LostSchedulerError(msg)


def _close(client: object) -> None:
    """Let go of a scheduler, which may be gone."""
    try:
        client.close(timeout=5)  # type: ignore[attr-defined]
    except (OSError, TimeoutError, RuntimeError):
        return


def _failed(job: SlideJob, why: str) -> Outcome:
    return Outcome(name=job.name, path=job.path, out=job.out, state="failed", error=" ".join(why.split()))
