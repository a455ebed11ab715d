"""Download one file: goes on where it stopped, believes no length or range, and shows nothing before it is right."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError, StorageError
from histoscribe.core.files import write_json
from histoscribe.io.data._checksum import Checksums
from histoscribe.io.data._http import OutOfRangeError, TransientError, open_url, plain_url

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

__all__ = ["Got", "Remote", "Transfer", "download"]

_CHUNK = 1 << 18
#: So many new bytes prove that a connection is of use: the count of failures starts anew.
_PROGRESS = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True)
class Remote:
    """A file on a server and what is known of it.

    Attributes
    ----------
    url
        Its address.
    size
        Bytes, or None where not known.
    checksum
        ``sha256:...``, ``md5:...`` or ``git-sha1:...``, or None where not known.
    headers
        Request headers; kept out of every message.
    hint
        What to do where access is refused.
    """

    url: str
    size: int | None = None
    checksum: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    hint: str = ""


@dataclass(frozen=True)
class Transfer:
    """How patient a download is.

    Attributes
    ----------
    timeout_s
        Seconds without a byte after which a connection counts as stalled.
    attempts
        Failures in a row, without a new megabyte between them, after which it gives up.
    longest_wait_s
        Longest pause; a server that asks for more is left for later.
    sleep
        Called with seconds.
    """

    timeout_s: float = 60.0
    attempts: int = 6
    longest_wait_s: float = 120.0
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Got:
    """A file that was downloaded: bytes, SHA-256, and what could not be checked ("" where all could)."""

    size: int
    sha256: str
    note: str = ""


class _Part:
    """The bytes that are here already, what they are of, and their checksums."""

    def __init__(self, path: Path, remote: Remote) -> None:
        self.path, self.remote = path, remote
        self._state_path = path.with_name(f"{path.name}.json")
        self.state = self._load()
        self.size = path.stat().st_size if self.state and path.exists() else 0
        self.sums: Checksums | None = None
        self.resumed = self.size > 0

    def _load(self) -> dict[str, Any]:
        try:
            state = json.loads(self._state_path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        ours = isinstance(state, dict) and state.get("url") == self.remote.url
        # Without a mark of the version or a checksum nobody could tell whether the rest belongs to the beginning.
        return state if ours and (state.get("validator") or self.remote.checksum) else {}

    def restart(self, state: dict[str, Any]) -> None:
        """Forget the bytes; `state` describes the answer that comes now."""
        self.path.unlink(missing_ok=True)
        self.state, self.size, self.sums, self.resumed = state, 0, None, False
        write_json(self._state_path, state)

    def begin(self, total: int | None) -> None:
        """Read what is here already into the checksums."""
        if self.sums is None:
            self.sums = Checksums(self.remote.checksum, total)
            if self.size:
                self.sums.update_file(self.path)

    def remove(self) -> None:
        """Remove the bytes and their description."""
        self.path.unlink(missing_ok=True)
        self._state_path.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        """Put the file in its place."""
        if not self.path.exists():
            self.path.touch()
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(target)
        self._state_path.unlink(missing_ok=True)


def download(
    remote: Remote,
    target: Path,
    *,
    part: Path | None = None,
    transfer: Transfer | None = None,
    advance: Callable[[int], Any] = lambda n: None,
) -> Got:
    """Download `remote` to `target`, which appears only once size and checksum are right.

    Parameters
    ----------
    remote
        The file.
    target
        Where it goes; what stands there is replaced.
    part
        Where the bytes gather meanwhile, on the same disk; by default ``<target>.part``. What an earlier, interrupted
        download left there is used if the server still has the same version of the file.
    transfer
        Patience; by default that of `Transfer`.
    advance
        Called with the number of new bytes; negative where a download starts anew.

    Raises
    ------
    DataError
        If the file cannot be had, or is not the one that was expected; nothing stands at `target` then.
    StorageError
        If the disk is full; what came so far stays for the next run.
    """
    transfer = transfer or Transfer()
    try:
        return _download(remote, target, part or target.with_name(f"{target.name}.part"), transfer, advance)
    except OSError as err:
        if err.errno in _FULL:
            msg = (
                f"the disk is full while {target} is downloaded. Free some space and run the same command again: it "
                "goes on where it stopped."
            )
            raise StorageError(msg) from err
        msg = f"cannot write {target}: {err.strerror or err}. Choose another folder, or free this one."
        raise StorageError(msg) from err


def _download(remote: Remote, target: Path, part_path: Path, transfer: Transfer, advance: Callable[[int], Any]) -> Got:
    part_path.parent.mkdir(parents=True, exist_ok=True)
    part = _Part(part_path, remote)
    advance(part.size)
    while True:
        note = _whole(part, transfer, advance)
        assert part.sums is not None
        if part.sums.ok:
            got = Got(part.size, part.sums.sha256, note)
            part.finish(target)
            return got
        found, resumed, size = part.sums.found, part.resumed, part.size
        part.remove()
        if not resumed:
            msg = (
                f"{plain_url(remote.url)} has the checksum {found} instead of {remote.checksum}: it was changed at "
                "the source, or on the way. Nothing was kept. Try again; if it stays so, tell the data's authors."
            )
            raise DataError(msg)
        # A beginning and an end of two versions: once more, from the first byte.
        advance(-size)
        part = _Part(part_path, remote)


def _whole(part: _Part, transfer: Transfer, advance: Callable[[int], Any]) -> str:
    """Bring in every byte, with as many attempts as make sense; return what could not be checked."""
    failures, best = 0, part.size
    while True:
        try:
            return _attempt(part, transfer, advance)
        except TransientError as err:
            # Against the most that ever was here: a server that starts anew each time makes no progress.
            failures = 1 if part.size - best >= _PROGRESS else failures + 1
            best = max(best, part.size)
            if failures >= transfer.attempts:
                kept = f" {part.size} bytes are kept, and the next run goes on from there." if part.size else ""
                msg = f"{err}, {failures} times in a row. Try again later.{kept}"
                raise DataError(msg) from err
            wait = err.wait if err.wait is not None else float(2 ** (failures - 1))
            if err.wait is not None and wait > transfer.longest_wait_s:
                msg = f"{err} and asks to come back in {wait:.0f} s. Run the same command again then."
                raise DataError(msg) from err
            transfer.sleep(min(wait, transfer.longest_wait_s))


def _attempt(part: _Part, transfer: Transfer, advance: Callable[[int], Any]) -> str:
    remote = part.remote
    known = remote.size if remote.size is not None else part.state.get("size")
    if known is not None and part.size == known and part.state:
        part.begin(known)
        return ""
    headers = dict(remote.headers)
    validator = part.state.get("validator")
    if part.size and (validator or remote.checksum):
        headers["Range"] = f"bytes={part.size}-"
        if validator:
            headers["If-Range"] = validator
    try:
        with open_url(remote.url, headers=headers, timeout=transfer.timeout_s, hint=remote.hint) as response:
            return _receive(part, response, advance)
    except OutOfRangeError as err:
        if not part.size:
            msg = f"{err}: the server answers 416 to a plain request. Open the address in a browser to see why."
            raise DataError(msg) from None
        advance(-part.size)
        part.restart({})
        msg = f"{err}: the file is shorter than what is here of it"
        raise TransientError(msg, wait=0.0) from None


def _receive(part: _Part, response: Any, advance: Callable[[int], Any]) -> str:
    remote = part.remote
    total = _total(part, response, advance)
    if remote.size is not None and total is not None and total != remote.size:
        msg = (
            f"{plain_url(remote.url)} has {total} bytes at the source instead of {remote.size}: it was changed there. "
            "Nothing was downloaded. Update HistoScribe, or tell the data's authors."
        )
        raise DataError(msg)
    total = total if total is not None else remote.size
    _check_space(part, total)
    part.begin(total)
    assert part.sums is not None
    # Unbuffered: what was received is in the file, whatever happens next.
    with part.path.open("ab", buffering=0) as file:
        while chunk := response.read1(_CHUNK):
            file.write(chunk)
            part.sums.update(chunk)
            part.size += len(chunk)
            advance(len(chunk))
            if total is not None and part.size > total:
                msg = f"{plain_url(remote.url)} sends more than its {total} bytes. Tell the data's authors."
                part.remove()
                raise DataError(msg)
    if total is not None and part.size < total:
        msg = f"{plain_url(remote.url)}: the connection ended after {part.size} of {total} bytes"
        raise TransientError(msg)
    if total is None and remote.checksum is None and not getattr(response, "chunked", False):
        return "the server states no length, so a broken connection could not be told from the end"
    return ""


def _total(part: _Part, response: Any, advance: Callable[[int], Any]) -> int | None:
    """Return the size of the whole file by the headers, or None; bytes that do not fit the answer are forgotten."""
    where, headers = plain_url(part.remote.url), response.headers
    if response.status == 206:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", "").strip())
        before = part.state.get("size")
        total = int(match[2]) if match and match[2] != "*" else before
        if match is None or int(match[1]) != part.size or (before is not None and total != before):
            advance(-part.size)
            part.restart({})
            msg = f"{where}: the server sent another part of the file than the one asked for"
            raise TransientError(msg, wait=0.0)
        part.resumed = True
        return total
    if response.status != 200:
        msg = f"{where}: the server answers {response.status} without a file. Try again later."
        raise DataError(msg)
    if headers.get_content_type() == "text/html" and not part.remote.url.endswith((".html", ".htm")):
        msg = (
            f"{where} is a web page now, not a file: a log-in, a notice, or a captive network. Open it in a browser "
            "to see which."
        )
        raise DataError(msg)
    length = headers.get("Content-Length")
    total = int(length) if length is not None and length.isdigit() else None
    etag = headers.get("ETag")
    # A weak ETag says "much the same", which is not enough to glue two halves together.
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")
    advance(-part.size)
    part.restart({"url": part.remote.url, "validator": validator, "size": total})
    return total


def _check_space(part: _Part, total: int | None) -> None:
    free = shutil.disk_usage(part.path.parent).free
    missing = 0 if total is None else total - part.size - free
    if missing > 0:
        msg = (
            f"the disk of {part.path.parent} has {free / 1e9:.2f} GB free, but {plain_url(part.remote.url)} needs "
            f"{missing / 1e9:.2f} GB more. Free some space or choose another folder (--dir)."
        )
        raise StorageError(msg)
