"""Kill `histoscribe encode` and `histoscribe fit` with SIGKILL at random moments, run them again, and compare.

For each trial the command starts on an empty cache and is killed at four random moments; then it may end. The result
must be the same to the bit as that of an undisturbed run; a batch that was finished before a kill must still be the
same file afterwards (a batch computed twice would be a new file); and no file under a final name may be incomplete at
any moment after a kill.

Data: the sections given, else her2st C2 where `HISTOSCRIBE_DATA` (default ../shared/data) has it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

#: A trial is killed this often, unless it ends before.
KILLS = 4
PROGRAM = Path(sys.executable).with_name("histoscribe")


def main() -> None:
    """Kill and compare, and exit with status 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", help="as for `histoscribe fit`")
    parser.add_argument("--trials", type=int, default=5, help="runs of each command that are killed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["encode", "fit"])
    args = parser.parse_args()
    sections = args.sections or default_sections()
    rng = random.Random(args.seed)
    failed = False
    for name in ["encode", "fit"] if args.only is None else [args.only]:
        with tempfile.TemporaryDirectory() as folder:
            failed |= not trial_all(name, sections, Path(folder), args.trials, rng)
    sys.exit(1 if failed else 0)


def default_sections() -> list[str]:
    """Return two sections of her2st, as the command line takes them."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    root = Path(os.environ.get("HISTOSCRIBE_DATA", default)) / "her2st"
    if not root.is_dir():
        sys.exit(f"{root} does not exist: give sections (histoscribe fit's specifications) or set HISTOSCRIBE_DATA")
    return [f"st-array:{root}?section={section}&donor=C" for section in ("C2", "C3")]


def trial_all(name, sections, folder, trials, rng) -> bool:
    """Run one command undisturbed and then with kills; True where nothing is wrong."""
    start = time.perf_counter()
    process = launch(name, sections, folder / "undisturbed")
    if process.wait() != 0:
        print(f"{name}: the undisturbed run ended with status {process.returncode}")
        return False
    seconds = time.perf_counter() - start
    expected = result(name, folder / "undisturbed")
    full, kills, kept = seconds, 0, 0
    problems: list[str] = []
    for trial in range(trials):
        place = folder / str(trial)
        before: dict[str, tuple[int, int]] = {}
        for attempt in range(KILLS + 1):
            started = time.perf_counter()
            process = launch(name, sections, place)
            try:
                # The last attempt may go on to the end.
                process.wait(timeout=rng.uniform(0.02, 0.9) * seconds if attempt < KILLS else None)
                seconds = min(seconds, time.perf_counter() - started)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                kills += 1
            problems += incomplete(place)
            after = batches(place)
            again = [path for path in before.keys() & after.keys() if before[path] != after[path]]
            problems += [f"{path} was computed twice" for path in again]
            kept += len(before.keys() & after.keys())
            before = after
            if process.returncode != -signal.SIGKILL:
                break
        if process.returncode != 0:
            problems.append(f"trial {trial} ended with status {process.returncode}")
        elif result(name, place) != expected:
            problems.append(f"trial {trial} gave another result")
        print(f"{name}: trial {trial} done, {kills} kills so far", file=sys.stderr, flush=True)
    for problem in problems:
        print(f"{name}: {problem}")
    print(
        f"{name}: {trials} trials, {kills} kills, undisturbed run {full:.1f} s; "
        f"{'same to the bit' if not problems else f'{len(problems)} PROBLEMS'}; "
        f"{kept} finished batches seen again after a kill, each the same file"
    )
    return not problems


def launch(name, sections, place):
    """Start the command with a cache of its own."""
    place.mkdir(exist_ok=True)
    # One place for one run: nothing is shared with the user's cache or with another trial.
    env = os.environ | {"HISTOSCRIBE_CACHE": str(place / "cache")}
    out = ["--out", str(place / "fitted.bundle")] if name == "fit" else []
    # Three tile sides, so that most of the time goes into encoding and most kills fall there.
    call = [PROGRAM, name, *sections, "--size-um", "112,224,448", *out, "--json"]
    return subprocess.Popen(call, env=env, stdout=subprocess.DEVNULL)


def result(name, place) -> str:
    """Return the SHA-256 of what the command made."""
    paths = [place / "fitted.bundle"] if name == "fit" else sorted((place / "cache").rglob("features.npy"))
    hasher = hashlib.sha256()
    for path in paths:
        hasher.update(str(path.relative_to(place)).encode() + path.read_bytes())
    return hasher.hexdigest()


def incomplete(place) -> list[str]:
    """Name each file under a final name that cannot be read whole."""
    wrong = []
    for path in place.rglob("*"):
        if not path.is_file() or path.name.endswith(".partial"):
            continue
        try:
            if path.suffix == ".npy":
                np.load(path)
                data = path.read_bytes()
                if hashlib.sha256(data[:-32]).digest() != data[-32:]:
                    wrong.append(f"{path} does not match its checksum")
            elif path.suffix == ".json":
                json.loads(path.read_text())
        except ValueError as err:
            wrong.append(f"{path} is incomplete: {err}")
    return wrong


def batches(place) -> dict[str, tuple[int, int]]:
    """Each finished batch, and which file it is: a new file has another inode or time."""
    return {
        str(path.relative_to(place)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in place.rglob("batches-*/*.npy")
    }


if __name__ == "__main__":
    main()
