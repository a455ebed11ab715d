"""Watched: a file that must stay what it was when it was opened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoscribe.core.files import digest
from histoscribe.studio._error import StudioError

if TYPE_CHECKING:
    import os
    from pathlib import Path

__all__ = ["Watched"]


@dataclass(frozen=True)
class Watched:
    """A file and the identity (device, inode, size, time) that it had.

    `check` costs a microsecond or two, so it runs before every answer made from the file.
    """

    path: Path
    identity: tuple[int, ...]

    @classmethod
    def of(cls, path: Path) -> Watched:
        """Remember the file as it is now."""
        return cls(path, _identity(_stat(path)))

    @property
    def version(self) -> str:
        """16 hex digits that change when the file does."""
        return digest(str(self.path), repr(self.identity))

    def check(self) -> None:
        """Raise where the file is gone or is another one.

        Raises
        ------
        StudioError
            Status 410 where it is gone, 409 where it was replaced or changed.
        """
        if _identity(_stat(self.path)) != self.identity:
            raise StudioError(
                409,
                "the file was changed or replaced while the studio had it open, so pixels and places may not fit.",
                where=self.path.name,
                todo="Put the old file back, or start the studio again.",
            )


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as err:
        raise StudioError(
            410,
            f"the file cannot be found any more ({err.strerror}).",
            where=path.name,
            todo="Put it back where it was, or start the studio again without it.",
        ) from err


def _identity(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
