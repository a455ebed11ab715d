"""Checksums as text: ``sha256:...``, ``md5:...`` or ``git-sha1:...``, computed while bytes come in."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Checksums", "checksum_of", "is_checksum"]

_LENGTHS = {"sha256": 64, "md5": 32, "git-sha1": 40}
_CHUNK = 1 << 20


def is_checksum(text: str) -> bool:
    """Say whether `text` is a checksum of a kind that is known here."""
    kind, _, value = text.partition(":")
    return kind in _LENGTHS and re.fullmatch(f"[0-9a-f]{{{_LENGTHS[kind]}}}", value) is not None


class Checksums:
    """SHA-256 of a stream of bytes and, where another kind is expected, that one, too.

    Parameters
    ----------
    expected
        Checksum that is expected, or None.
    size
        Number of bytes, which Git's hash of a file needs in advance.
    """

    def __init__(self, expected: str | None, size: int | None) -> None:
        self.expected = expected
        self._hashes: dict[str, Any] = {"sha256": hashlib.sha256()}
        kind = (expected or "sha256").partition(":")[0]
        if kind == "md5":
            self._hashes[kind] = hashlib.md5(usedforsecurity=False)
        elif kind == "git-sha1":
            # Git names a file by the SHA-1 of "blob <size>\0" and its bytes.
            self._hashes[kind] = hashlib.sha1(b"blob %d\0" % (size or 0), usedforsecurity=False)
        elif kind != "sha256":
            msg = f"checksum {expected!r} is of a kind that is not known. Give sha256:, md5: or git-sha1:."
            raise DataError(msg)

    def update(self, data: bytes) -> None:
        """Add bytes."""
        for hasher in self._hashes.values():
            hasher.update(data)

    def update_file(self, path: Path) -> None:
        """Add a file's bytes."""
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                self.update(chunk)

    @property
    def sha256(self) -> str:
        """SHA-256 so far, 64 hex digits."""
        return self._hashes["sha256"].hexdigest()

    @property
    def found(self) -> str:
        """Checksum so far, of the kind that was expected."""
        kind = (self.expected or "sha256").partition(":")[0]
        return f"{kind}:{self._hashes[kind].hexdigest()}"

    @property
    def ok(self) -> bool:
        """Whether the bytes so far are those that were expected; True where nothing was."""
        return self.expected is None or self.found == self.expected


def checksum_of(path: Path, like: str | None = None) -> Checksums:
    """Return the checksums of a file, of the kind of `like`."""
    sums = Checksums(like, path.stat().st_size)
    sums.update_file(path)
    return sums
