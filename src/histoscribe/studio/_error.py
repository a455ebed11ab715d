"""Errors as the API tells them: what is wrong, where, what to do; never a traceback, never a path of this machine."""

from __future__ import annotations

import re
from pathlib import PurePath

from pydantic import BaseModel

from histoscribe.core.errors import HistoScribeError

__all__ = ["ErrorBody", "ErrorParts", "StudioError", "parts_of", "without_paths"]

#: Absolute paths, on this kind of machine and on Windows.
_PATH = re.compile(r"(?:(?<![\w.])/|\b[A-Za-z]:\\)(?:[^\s/\\:'\"()]+[/\\])+([^\s/\\:'\"()]*)")
#: The last sentence of an error of ours says what to do.
_LAST = re.compile(r"(?<=[.?!])\s+(?=[A-Z`'\"])")


class ErrorParts(BaseModel):
    """What is wrong, where, and what to do about it."""

    what: str
    where: str
    todo: str


class ErrorBody(BaseModel):
    """Body of every answer that is no success."""

    error: ErrorParts


class StudioError(HistoScribeError):
    """An answer other than success: HTTP `status` and its three parts."""

    def __init__(self, status: int, what: str, *, where: str, todo: str) -> None:
        self.status, self.what, self.where, self.todo = status, what, where, todo
        super().__init__(f"{where}: {what} {todo}")


def parts_of(err: HistoScribeError, *, where: str) -> ErrorParts:
    """Split an error's text into its three parts; the last sentence says what to do."""
    if isinstance(err, StudioError):
        return ErrorParts(what=err.what, where=err.where, todo=err.todo)
    text = without_paths(" ".join(str(err).split()))
    sentences = _LAST.split(text)
    todo = sentences.pop() if len(sentences) > 1 else "Look at the file, or start the studio again."
    return ErrorParts(what=" ".join(sentences), where=where, todo=todo)


def without_paths(text: str) -> str:
    """Cut absolute paths down to the name of the file: who looks from outside learns nothing of the machine."""
    return _PATH.sub(lambda found: found[1] or PurePath(found[0]).name, text)
