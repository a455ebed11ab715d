"""Slides on a real Dask cluster of this machine: a worker killed in the middle, and the scheduler."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from encoders.batch_slides import dies_once, paint, slowly
from histoscribe.encoders.batch import (
    Executor,
    LostSchedulerError,
    Settings,
    encode_many,
    find_slides,
    jobs_of,
)

pytest.importorskip("distributed")
# A loaded machine makes event loops late, sockets of killed processes are left to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def start(*arguments: str, folder: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]),
        "HISTOSCRIBE_CACHE": str(folder / "cache"),
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
    }
    log = (folder / "dask.log").open("ab")
    return subprocess.Popen([sys.executable, "-m", "dask", *arguments], env=environment, stdout=log, stderr=log)


def wait_for(condition, seconds=30.0):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers; yields (address, scheduler)."""
    described = tmp_path / "scheduler.json"
    scheduler = start(
        *("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(described)),
        folder=tmp_path,
    )
    address = wait_for(lambda: described.exists() and json.loads(described.read_text() or "{}").get("address"))
    workers = [
        start(
            *("worker", address, "--nthreads", "1", "--no-dashboard", "--local-directory", str(tmp_path / "dask")),
            folder=tmp_path,
        )
        for _ in range(2)
    ]
    yield address, scheduler
    for process in [*workers, scheduler]:
        process.send_signal(signal.SIGTERM)
    for process in [*workers, scheduler]:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def jobs(tmp_path):
    for i in range(3):
        paint(tmp_path / "slides" / f"s{i}.png", seed=i)
    settings = Settings(encoder="colour", sides_um=(100.0,), cache=str(tmp_path / "cache"))
    return jobs_of(find_slides(tmp_path / "slides"), settings, tmp_path / "out", mpp=1.0)


def test_a_killed_worker_and_then_the_killed_scheduler_lose_nothing(cluster, jobs, tmp_path):
    address, scheduler = cluster
    report = encode_many(jobs[:2], tmp_path / "out", executor=Executor(scheduler=address, work=dies_once))
    assert {o.name: o.state for o in report.outcomes} == {"s0": "done", "s1": "done"}
    assert any("took over the lock" in o.note for o in report.outcomes)
    assert not any(o.worker.endswith(f":{os.getpid()}") for o in report.outcomes)

    outcomes = Executor(scheduler=address, work=slowly).run(jobs)
    first = next(outcomes)
    assert first.state == "skipped"
    scheduler.kill()
    with pytest.raises(LostSchedulerError, match="went away with .* of 3 slides to do. Finished slides"):
        list(outcomes)
    # Workers that lost their scheduler may be at a slide yet, and hold its lock.
    after = wait_for(lambda: r if not (r := encode_many(jobs, tmp_path / "out")).failed else None)
    assert {o.state for o in after.outcomes} <= {"skipped", "done"}
    assert len(list((tmp_path / "out").glob("*.h5ad"))) == 3
