"""The Hugging Face hub over plain HTTP: list a data set's files, resolve a revision, find the user's token."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin

from histoscribe.core.errors import DataError
from histoscribe.io.data._download import Remote, Transfer
from histoscribe.io.data._http import OutOfRangeError, TransientError, open_url, plain_url

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Hub", "HubFile", "hub_token"]

_NEXT = re.compile(r'<([^>]+)>\s*;\s*rel="next"')
#: A listing is a few MB at most; what is longer is no listing.
_LONGEST_LISTING = 64 << 20
_MOST_PAGES = 1000


@dataclass(frozen=True)
class HubFile:
    """A file of the hub: path, bytes, and checksum (SHA-256 of large files, Git's hash of small ones)."""

    path: str
    size: int
    checksum: str


def hub_token() -> str | None:
    """Return the user's token: ``HF_TOKEN``, else what ``hf auth login`` stored; None where there is none."""
    if token := os.environ.get("HF_TOKEN", "").strip():
        return token
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    path = Path(os.environ.get("HF_TOKEN_PATH", home / "token")).expanduser()
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


class Hub:
    """A data set on the hub.

    Parameters
    ----------
    repo
        Its id, ``owner/name``.
    transfer
        Patience of requests.
    token
        Sent to the hub's own host alone and never printed; by default that of the user.
    endpoint
        Address of the hub or of a mirror; by default ``HF_ENDPOINT``, else https://huggingface.co.
    """

    def __init__(
        self, repo: str, *, transfer: Transfer | None = None, token: str | None = None, endpoint: str | None = None
    ) -> None:
        self.repo = repo
        self.endpoint = (endpoint or os.environ.get("HF_ENDPOINT") or "https://huggingface.co").rstrip("/")
        self._transfer = transfer or Transfer()
        token = token if token is not None else hub_token()
        if token and re.search(r"\s", token):
            msg = "the hub's token holds blanks or line breaks. Copy it again (HF_TOKEN, or `hf auth login`)."
            raise DataError(msg)
        self._token = token

    def __repr__(self) -> str:
        return f"Hub({self.repo!r})"

    @property
    def page(self) -> str:
        """Where a person looks at it."""
        return f"https://huggingface.co/datasets/{self.repo}"

    @property
    def hint(self) -> str:
        """What to do where access is refused."""
        if self._token is None:
            return (
                f"Make an account, accept the form at {self.page}, and give your token: set HF_TOKEN, or run "
                "`hf auth login`."
            )
        return (
            f"The token that was sent (HF_TOKEN, or that of `hf auth login`) does not open it: accept the form at "
            f"{self.page} with the same account, and check that the token may read gated repositories."
        )

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def commit(self, revision: str) -> str:
        """Return the commit that a branch, tag or commit names now."""
        about = self._json(f"{self.endpoint}/api/datasets/{self.repo}/revision/{quote(revision, safe='')}")[0]
        sha = about.get("sha") if isinstance(about, dict) else None
        if not isinstance(sha, str):
            msg = f"{self.endpoint} does not say which commit {revision!r} of {self.repo} is. Check HF_ENDPOINT."
            raise DataError(msg)
        return sha

    def files(self, commit: str, folder: str = "", *, recursive: bool = True) -> Iterator[HubFile]:
        """Yield the files below `folder` at a commit; nothing where the folder does not exist."""
        inside = f"/{quote(folder)}" if folder else ""
        url: str | None = f"{self.endpoint}/api/datasets/{self.repo}/tree/{commit}{inside}?recursive={recursive}"
        for _ in range(_MOST_PAGES):
            assert url is not None
            try:
                entries, url = self._json(url)
            except DataError as err:
                if folder and "(404)" in str(err):
                    return
                raise
            for entry in entries if isinstance(entries, list) else []:
                if entry.get("type") == "file":
                    yield _hub_file(entry)
            if url is None:
                return
        msg = f"{self.endpoint} lists {self.repo} without end. Check HF_ENDPOINT."
        raise DataError(msg)

    def remote(self, file: HubFile, commit: str) -> Remote:
        """Return how to download a file."""
        url = f"{self.endpoint}/datasets/{self.repo}/resolve/{commit}/{quote(file.path)}"
        return Remote(url, file.size, file.checksum, self._headers, self.hint)

    def _json(self, url: str) -> tuple[Any, str | None]:
        """Return a JSON answer, and the address of the next page."""
        transfer = self._transfer
        for attempt in range(transfer.attempts):
            try:
                with open_url(url, headers=self._headers, timeout=transfer.timeout_s, hint=self.hint) as response:
                    body = response.read(_LONGEST_LISTING)
                    link = _NEXT.search(response.headers.get("Link", ""))
            except (TransientError, OutOfRangeError) as err:
                wait = getattr(err, "wait", None)
                wait = float(2**attempt) if wait is None else wait
                if attempt + 1 == transfer.attempts or wait > transfer.longest_wait_s:
                    msg = f"{err}, {attempt + 1} times in a row. Try again later."
                    raise DataError(msg) from err
                transfer.sleep(wait)
                continue
            try:
                following = urljoin(url, link[1]) if link else None
                if following and not following.startswith(f"{self.endpoint}/"):
                    # The token goes to the hub alone, whatever a page names as its successor.
                    msg = f"{plain_url(url)} names a next page on another host. Check HF_ENDPOINT."
                    raise DataError(msg)
                return json.loads(body), following
            except ValueError as err:
                msg = f"{plain_url(url)} does not answer as the hub does ({err}). Check HF_ENDPOINT and the network."
                raise DataError(msg) from err
        raise AssertionError


def _hub_file(entry: dict[str, Any]) -> HubFile:
    large = entry.get("lfs")
    if large:
        return HubFile(entry["path"], int(large["size"]), f"sha256:{large['oid'].removeprefix('sha256:')}")
    return HubFile(entry["path"], int(entry["size"]), f"git-sha1:{entry['oid']}")
