"""Whether a finished file is what a run would make again: same slide, same scale, same settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError
from histoscribe.io import read
from histoscribe.io._lattice import MPP_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section
    from histoscribe.encoders.batch._job import SlideJob

__all__ = ["check_same", "identity", "read_slide"]

#: Formats whose file is but the index of others: its size and time say nothing of the pixels.
_INDICES = {".mrxs", ".dzi", ".vms", ".vmu"}


def read_slide(job: SlideJob) -> tuple[Section, str]:
    """Open a job's slide; its um/px come from the ``"file"``, or are ``"given"`` where the file states none.

    Raises
    ------
    ScaleError
        If neither says, or if they contradict each other.
    """
    options = {"name": job.name} | ({} if job.donor is None else {"donor": job.donor})
    section = read("slide", job.path, **options, **({} if job.mpp is None else {"mpp": job.mpp}))
    assert section.slide is not None
    if job.mpp is None or section.slide.mpp is None:
        return section, "file" if job.mpp is None else "given"
    # They agree, as the reader has checked: the file is the more exact.
    section.slide.close()
    return read("slide", job.path, **options), "file"


def identity(job: SlideJob, slide: PixelSource) -> dict[str, Any]:
    """Say which slide a file was made of: its content, and a stamp that saves reading the content again."""
    return {"slide": Path(job.path).name, "slide_digest": slide.digest(), "slide_stamp": _stamp(job)}


def check_same(job: SlideJob, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to skip a slide whose finished file was made of something else.

    Where size and time of change of the slide's file are as they were, its content is taken to be; else it is read.

    Raises
    ------
    DataError
        If anything differs, with what.
    """
    differ = {key: (found.get(key), value) for key, value in wanted.items() if found.get(key) != value}
    result = found.get("result", {})
    had, given = result.get("mpp"), job.mpp
    tolerance = MPP_TOLERANCE if result.get("mpp_from") == "file" else 0.0
    if given is not None and (not had or abs(given / had - 1) > tolerance):
        differ["mpp"] = (had, given)
    if not differ and (_stamp(job) is None or _stamp(job) != found.get("slide_stamp")):
        section, _ = read_slide(job)
        assert section.slide is not None
        content = section.slide.digest()
        section.slide.close()
        if content != found.get("slide_digest"):
            differ["slide content"] = (str(found.get("slide_digest"))[:12], content[:12])
    if differ:
        shown = "; ".join(
            f"{k}: {json.dumps(there)} there, {json.dumps(now)} now" for k, (there, now) in differ.items()
        )
        msg = (
            f"{job.out} was made with another {', '.join(differ)} ({shown}). Give --overwrite to make it again, or "
            "another --out."
        )
        raise DataError(msg)


def _stamp(job: SlideJob) -> list[int] | None:
    """Size and time of change of the slide's file, or None where they say nothing."""
    path = Path(job.path)
    try:
        if not path.is_file() or path.suffix.lower() in _INDICES:
            return None
        found = path.stat()
    except OSError as err:
        msg = f"slide {path} cannot be read: {err.strerror}. Check the path."
        raise DataError(msg) from err
    return [found.st_size, found.st_mtime_ns]
