"""Kill a feature run with SIGKILL at each step it takes on the file system, go on, and compare: run by `test_run.py`.

A run is a forked process. An audit hook counts what it does to files (open, rename, remove, ...) and kills it at the
n-th step; the next process goes on from what is left. Every n is tried, so every moment between two steps is covered;
with a number N as argument every N-th.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np

from encoders import fakes
from histoscribe import tiles
from histoscribe.core.features import Features
from histoscribe.encoders import encode
from histoscribe.encoders._store import load_array

STEPS = {
    "open",
    "os.rename",
    "os.remove",
    "os.mkdir",
    "os.rmdir",
    "os.chmod",
    "os.listdir",
    "os.scandir",
    "shutil.rmtree",
}
N_TILES, BATCH = 12, 4
#: In memory where there is such a place: hundreds of runs flush every file they write.
WHERE = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_state = {"left": None}


def _count(event: str, _args: object) -> None:
    if event in STEPS and _state["left"] is not None:
        if _state["left"] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        _state["left"] -= 1


def run(folder: Path, *, kill_at: int | None) -> int:
    """Encode in a forked process; returns its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        _state["left"] = kill_at
        encoder = fakes.NotingEncoder(folder / "notes.txt")
        section = encode(fakes.fake_section(N_TILES), encoder, cache=folder / "cache", batch_size=BATCH)
        _state["left"] = None
        np.save(folder / "result.npy", Features.of(section.table).matrix)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def finished(cache: Path) -> set[int]:
    """First rows of the batches that are finished; every file under a final name must be whole."""
    rows = set()
    for path in cache.rglob("*.npy"):
        if path.name == "features.npy":
            load_array(path, (N_TILES, 3))
            rows |= set(range(0, N_TILES, BATCH))
        else:
            load_array(path, (BATCH, 3))
            rows.add(int(path.stem) * BATCH)
    for path in cache.rglob("*.json"):
        json.loads(path.read_text())
    return rows


def notes(folder: Path) -> list[int]:
    path = folder / "notes.txt"
    return [int(line.split()[2]) for line in path.read_text().splitlines()] if path.exists() else []


def go_on(folder: Path, *, kill_at: int | None) -> int:
    """Run, and make sure that nothing is computed that was finished before."""
    done, before = finished(folder / "cache"), len(notes(folder))
    status = run(folder, kill_at=kill_at)
    repeated = done.intersection(notes(folder)[before:])
    assert not repeated, f"finished batches {sorted(repeated)} were computed again (kill at step {kill_at})"
    return status


def main() -> None:
    sys.addaudithook(_count)
    tiles.read_tiles = fakes.read_tiles
    report = {"kills": 0, "kills_while_a_file_was_half_written": 0, "kills_with_finished_batches": 0}
    with tempfile.TemporaryDirectory(dir=WHERE) as name:
        assert run(Path(name), kill_at=None) == 0
        expected = (Path(name) / "result.npy").read_bytes()
    for step in range(0, 10_000, int(sys.argv[1]) if len(sys.argv) > 1 else 1):
        with tempfile.TemporaryDirectory(dir=WHERE) as name:
            folder = Path(name)
            status = go_on(folder, kill_at=step)
            if status == 0:
                break  # the whole run takes no more steps than this
            assert status == -signal.SIGKILL, status
            report["kills"] += 1
            report["kills_with_finished_batches"] += bool(finished(folder / "cache"))
            report["kills_while_a_file_was_half_written"] += any(folder.rglob("*.partial"))
            go_on(folder, kill_at=step // 2)  # killed once more on the way, where it gets that far
            assert go_on(folder, kill_at=None) == 0
            assert (folder / "result.npy").read_bytes() == expected, f"other features after a kill at step {step}"
            left = sorted(path.name for path in (folder / "cache").rglob("*") if path.is_file())
            assert left == ["about.json", "features.npy"], left
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main()
