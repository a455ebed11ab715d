"""One slide of a batch: from the image to a file with its tiles and features; the same wherever it runs."""

from __future__ import annotations

import multiprocessing
import os
import platform
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.core.errors import HistoScribeError
from histoscribe.encoders._registry import make_encoder
from histoscribe.encoders._run import encode_stored
from histoscribe.encoders.batch._lock import HeldError, WorkLock
from histoscribe.encoders.batch._output import read_made_with, write_features
from histoscribe.encoders.batch._picture import write_picture
from histoscribe.encoders.batch._same import check_same, identity, read_slide
from histoscribe.tiles import section_mask, tile

if TYPE_CHECKING:
    from histoscribe.encoders._encoder import Encoder

__all__ = ["Outcome", "Settings", "SlideJob", "State", "perform"]

State = Literal["done", "skipped", "failed", "locked"]


@dataclass(frozen=True)
class Settings:
    """What all slides of a run share.

    Attributes
    ----------
    encoder
        Registry names joined by ``+``.
    sides_um, step_um
        Tile sides, um, and the grid's step, um (None: the smallest side).
    tissue_filters
        What further drops from the tissue; see `tiles.tissue_mask`.
    threads
        Threads of the encoder; None: its default. They do not change the result.
    weights
        Value of `HISTOSCRIBE_WEIGHTS` for workers that do not share this process's environment; empty to leave theirs.
    cache
        Folder of the feature cache; empty for each worker's own default.
    overwrite
        Compute again what is finished.
    lock_age_s
        Seconds without a sign of life after which another host's lock is taken over.
    picture
        Draw the tiles on a thumbnail.
    run
        Name of the run, which `encode_many` gives; see `WorkLock`.
    """

    encoder: str
    sides_um: tuple[float, ...] = (112.0,)
    step_um: float | None = None
    tissue_filters: tuple[str, ...] = ()
    threads: int | None = None
    weights: str = ""
    cache: str = ""
    overwrite: bool = False
    lock_age_s: float = 600.0
    picture: bool = True
    run: str = ""


@dataclass(frozen=True)
class SlideJob:
    """One slide; plain values only, so that any process can be handed it."""

    path: str
    name: str
    out: str
    mpp: float | None
    donor: str | None
    settings: Settings


@dataclass(frozen=True)
class Outcome:
    """What became of one slide.

    Attributes
    ----------
    state
        ``"done"``; ``"skipped"`` (finished before, with the same settings); ``"failed"``; ``"locked"`` (another
        process is at it).
    n_tiles, tissue_mm2, mpp
        Tiles, area of tissue, um per level-0 px; None where not reached.
    mpp_from
        ``"file"`` or ``"given"``.
    seconds
        Wall time; `encode_s` of it in the encoder's run.
    error
        One line, empty where there is none.
    worker
        Host and process.
    """

    name: str
    path: str
    out: str
    state: State
    n_tiles: int | None = None
    dim: int | None = None
    tissue_mm2: float | None = None
    mpp: float | None = None
    mpp_from: str = ""
    seconds: float = 0.0
    encode_s: float = 0.0
    error: str = ""
    note: str = ""
    worker: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


def perform(job: SlideJob) -> Outcome:
    """Encode one slide; whatever goes wrong with it comes back as its outcome and never as an exception."""
    start = time.perf_counter()
    common: dict[str, Any] = {"name": job.name, "path": job.path, "out": job.out, "worker": _worker()}
    if job.settings.weights:
        os.environ["HISTOSCRIBE_WEIGHTS"] = job.settings.weights
    try:
        with WorkLock(_lock_path(job), max_age_s=job.settings.lock_age_s, run=job.settings.run) as lock:
            facts = _encode(job, lock)
            note = f"took over the lock of {lock.taken_from}" if lock.taken_from else ""
            facts = {"state": "done", "note": note} | facts
    except HeldError as err:
        facts = {"state": "locked", "error": str(err)}
    except HistoScribeError as err:
        notes = "".join(f" ({note})" for note in getattr(err, "__notes__", ()))
        facts = {"state": "failed", "error": " ".join(f"{err}{notes}".split())}
    except Exception as err:  # noqa: BLE001  # one slide that breaks a library must not stop a thousand others
        facts = {
            "state": "failed",
            "error": " ".join(f"{type(err).__name__}: {err}. Look whether the slide opens in another viewer.".split()),
        }
    return Outcome(**common, seconds=round(time.perf_counter() - start, 3), **facts)


def _encode(job: SlideJob, lock: WorkLock) -> dict[str, Any]:
    settings, out = job.settings, Path(job.out)
    encoder = _encoder(settings.encoder, settings.threads, os.environ.get("HISTOSCRIBE_WEIGHTS", ""))
    made_with = {
        "encoder": settings.encoder,
        "fingerprint": encoder.fingerprint(),
        "sides_um": list(settings.sides_um),
        "step_um": settings.step_um,
        "tissue_filters": list(settings.tissue_filters),
        "histoscribe": version("histoscribe"),
    }
    if out.exists() and not settings.overwrite:
        # Files of before there were filters were made without any.
        found = {"tissue_filters": []} | read_made_with(out)
        check_same(job, found, made_with)
        return {"state": "skipped"} | found["result"]
    section, mpp_from = read_slide(job)
    assert section.slide is not None
    try:
        filters = settings.tissue_filters
        tiled = tile(
            section, settings.sides_um, tile_px=encoder.tile_px, step_um=settings.step_um, tissue_filters=filters
        )
        if settings.picture:
            write_picture(tiled, out.parent / "pictures" / f"{out.stem}.png")
        begun = time.perf_counter()
        # Several bars of several processes would write over each other.
        show = None if multiprocessing.parent_process() is None else False
        stored = encode_stored(tiled, encoder, cache=settings.cache or None, show=show)
        encode_s = time.perf_counter() - begun
        result = {
            "n_tiles": tiled.n_obs,
            "dim": stored.shape[1],
            "tissue_mm2": round(section_mask(tiled, filters=filters).area_um2 / 1e6, 3),
            "mpp": tiled.mpp,
            "mpp_from": mpp_from,
        }
        lock.check()
        write_features(tiled, stored, out, made_with=made_with | identity(job, section.slide) | {"result": result})
        return result | {"encode_s": round(encode_s, 3)}
    finally:
        section.slide.close()


@lru_cache(maxsize=1)
def _encoder(name: str, threads: int | None, weights: str) -> Encoder:
    """Make the encoder once for all slides of a process; `weights` tells environments apart, which are read below."""
    return make_encoder(name, threads=threads)


def _lock_path(job: SlideJob) -> Path:
    out = Path(job.out)
    return out.parent / ".locks" / f"{out.stem}.lock"


def _worker() -> str:
    return f"{platform.node()}:{os.getpid()}"
