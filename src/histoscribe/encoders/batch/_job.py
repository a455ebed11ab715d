"""One slide of a batch: from the image to a file with its tiles and features; the same wherever it runs."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.core.errors import DataError, HistoScribeError
from histoscribe.encoders._registry import make_encoder
from histoscribe.encoders._run import encode_stored
from histoscribe.encoders.batch._lock import HeldError, WorkLock
from histoscribe.encoders.batch._output import read_made_with, tiles_in, write_features
from histoscribe.encoders.batch._picture import write_picture
from histoscribe.io import read
from histoscribe.tiles import section_mask, tile

if TYPE_CHECKING:
    from histoscribe.core.section import Section
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
    """

    encoder: str
    sides_um: tuple[float, ...] = (112.0,)
    step_um: float | None = None
    threads: int | None = None
    weights: str = ""
    cache: str = ""
    overwrite: bool = False
    lock_age_s: float = 600.0
    picture: bool = True


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
        with WorkLock(_lock_path(job), max_age_s=job.settings.lock_age_s) as lock:
            facts = _encode(job)
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


def _encode(job: SlideJob) -> dict[str, Any]:
    settings, out = job.settings, Path(job.out)
    encoder = _encoder(settings.encoder, settings.threads, os.environ.get("HISTOSCRIBE_WEIGHTS", ""))
    made_with = _made_with(job, encoder)
    if out.exists() and not settings.overwrite:
        _check_same(read_made_with(out), made_with, out)
        n_tiles, dim = tiles_in(out, settings.encoder)
        return {"state": "skipped", "n_tiles": n_tiles, "dim": dim}
    section = read("slide", job.path, name=job.name, **_given(job))
    try:
        tiled = tile(section, settings.sides_um, tile_px=encoder.tile_px, step_um=settings.step_um)
        if settings.picture:
            write_picture(tiled, out.parent / "pictures" / f"{out.stem}.png")
        begun = time.perf_counter()
        stored = encode_stored(tiled, encoder, cache=settings.cache or None)
        encode_s = time.perf_counter() - begun
        write_features(tiled, stored, out, made_with=made_with)
        return _facts(job, tiled) | {"n_tiles": tiled.n_obs, "dim": stored.shape[1], "encode_s": round(encode_s, 3)}
    finally:
        section.slide.close()


def _given(job: SlideJob) -> dict[str, Any]:
    return {k: v for k, v in (("mpp", job.mpp), ("donor", job.donor)) if v is not None}


def _facts(job: SlideJob, section: Section) -> dict[str, Any]:
    return {
        "tissue_mm2": round(section_mask(section).area_um2 / 1e6, 3),
        "mpp": section.mpp,
        "mpp_from": "file" if job.mpp is None else "given",
    }


@lru_cache(maxsize=1)
def _encoder(name: str, threads: int | None, weights: str) -> Encoder:
    """Make the encoder once for all slides of a process; `weights` tells environments apart, which are read below."""
    return make_encoder(name, threads=threads)


def _made_with(job: SlideJob, encoder: Encoder) -> dict[str, Any]:
    """Return everything by which a finished file is known to be what this run would make."""
    path = Path(job.path)
    where = path if path.is_file() or not path.is_dir() else next(iter(sorted(path.iterdir())), path)
    try:
        found = where.stat()
    except OSError as err:
        msg = f"slide {path} cannot be read: {err.strerror}. Check the path."
        raise DataError(msg) from err
    return {
        "slide": path.name,
        "slide_bytes": found.st_size,
        "slide_modified": found.st_mtime_ns,
        "mpp": job.mpp,
        "encoder": job.settings.encoder,
        "fingerprint": encoder.fingerprint(),
        "sides_um": list(job.settings.sides_um),
        "step_um": job.settings.step_um,
    }


def _check_same(found: dict[str, Any], wanted: dict[str, Any], out: Path) -> None:
    differ = [k for k, v in wanted.items() if found.get(k) != v]
    if differ:
        key = differ[0]
        msg = (
            f"{out} was made with another {', '.join(differ)} ({key}: {json.dumps(found.get(key))} there, "
            f"{json.dumps(wanted[key])} now). Give --overwrite to make it again, or another --out."
        )
        raise DataError(msg)


def _lock_path(job: SlideJob) -> Path:
    out = Path(job.out)
    return out.parent / ".locks" / f"{out.stem}.lock"


def _worker() -> str:
    return f"{platform.node()}:{os.getpid()}"
