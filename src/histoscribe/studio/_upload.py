"""Uploads: a slide that comes through the browser is written to the work folder and opened like any other."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from histoscribe.core.errors import HistoScribeError
from histoscribe.core.files import atomic_path
from histoscribe.io import detect_reader
from histoscribe.studio._error import StudioError

if TYPE_CHECKING:
    from histoscribe.studio._studio import Studio
    from histoscribe.studio.items._item import Item

__all__ = ["keep_upload"]


def keep_upload(studio: Studio, name: str, file: BinaryIO, mpp: float | None) -> Item:
    """Write an upload and add it as an item.

    Raises
    ------
    StudioError
        Status 422 where it is no slide that can be read; its file is then removed.
    """
    # A name is only a name: no folder, no sign that means something to a shell or a specification.
    plain = re.sub(r"[^\w.-]+", "-", Path(name.replace("\\", "/")).name).lstrip(".-")[-100:]
    stem, dot, ending = plain.rpartition(".")
    if not (stem and dot):
        what = f"the file's name {name[:60]!r} has no ending that says what it is."
        raise StudioError(422, what, where="upload", todo="Give a TIFF, SVS, JPEG, PNG or another slide in one file.")
    path = studio.free("uploads", stem, f".{ending}")
    with atomic_path(path) as temporary, temporary.open("wb") as target:
        shutil.copyfileobj(file, target, 1 << 20)
    try:
        if detect_reader(path) != "slide":
            what = "the upload is no slide."
            todo = "Sections and predictions are given on the command line: histoscribe studio PATH."
            raise StudioError(422, what, where=plain, todo=todo)
        item = studio.items.add("slide", f"slide:{path}" + (f"?mpp={mpp:g}" if mpp else ""))
        _open(studio, item)
    except StudioError:
        path.unlink(missing_ok=True)
        raise
    except HistoScribeError as err:
        path.unlink(missing_ok=True)
        todo = "Give a TIFF, SVS, JPEG, PNG or another slide in one file."
        raise StudioError(422, "the upload is nothing that can be shown.", where=plain, todo=todo) from err
    return item


def _open(studio: Studio, item: Item) -> None:
    try:
        studio.items.open(item)
    except StudioError:
        studio.items.remove(item)
        raise
