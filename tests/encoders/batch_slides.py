"""Slides for batch tests, and work that kills its worker."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from histoscribe.encoders.batch import Outcome, SlideJob, perform
from histoscribe.encoders.batch._lock import WorkLock


def paint(path: Path, seed: int = 0) -> Path:
    """A pink ellipse with purple dots on white, 600 x 500 px."""
    rng = np.random.default_rng(seed)
    picture = Image.new("RGB", (600, 500), (243, 242, 244))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 50, 540, 450), fill=(222, 160, 196))
    for x, y in rng.uniform((120, 110), (480, 390), (400, 2)):
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(96, 58, 140))
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)
    return path


def dies_once(job: SlideJob) -> Outcome:
    """Stand in for a worker that is killed in the middle of its first slide."""
    mark = Path(job.out).parent / "died"
    mark.parent.mkdir(parents=True, exist_ok=True)
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return perform(job)
    with WorkLock(mark.parent / ".locks" / f"{Path(job.out).stem}.lock"):
        os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def always_dies(job: SlideJob) -> Outcome:
    """The second slide kills whoever takes it, sooner than any other slide ends."""
    if job.name == "s1":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)
    return Outcome(name=job.name, path=job.path, out=job.out, state="done")


def slowly(job: SlideJob) -> Outcome:
    """Encode; all but the first slide take a second longer."""
    outcome = perform(job)
    time.sleep(1.0 if job.name != "s0" else 0.0)
    return outcome


def notes_itself(job: SlideJob) -> Outcome:
    """Write down who works, and go on until somebody ends it."""
    Path(job.out).parent.mkdir(parents=True, exist_ok=True)
    Path(job.out).with_suffix(".pid").write_text(str(os.getpid()))
    time.sleep(60)
    raise AssertionError
