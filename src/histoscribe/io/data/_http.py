"""One HTTP request: bounded redirects, a token that never leaves its host, and failures in words."""

from __future__ import annotations

import email.utils
import http.client
import ssl
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["OutOfRangeError", "TransientError", "announced_size", "open_url", "plain_url"]

_MAX_REDIRECTS = 8
#: Answers that may be better in a moment: RFC 9110 and what object stores send while they are busy.
_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})


class TransientError(Exception):
    """A failure that another attempt may cure; `wait` is what the server asked for, seconds, or None."""

    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class OutOfRangeError(Exception):
    """The server has nothing at the offset that was asked for (416)."""


def plain_url(url: str) -> str:
    """Return an address without its query and user, which may hold signatures and secrets."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow few redirects, to http(s) alone, and leave the token behind where the host changes."""

    # The base class counts by address and would stop later with another error; the count here is the one that holds.
    max_repeats = max_redirections = 10 * _MAX_REDIRECTS

    def redirect_request(self, req: Any, *answer: Any) -> Any:
        new, newurl = super().redirect_request(req, *answer), answer[-1]
        if new is None:
            return None
        hops = getattr(req, "hops", 0) + 1
        if hops > _MAX_REDIRECTS:
            error = (
                f"{plain_url(req.full_url)} is the end of {_MAX_REDIRECTS} redirects and redirects again: the server "
                "turns in a circle. Try later, or download the file in a browser and put it in place."
            )
            raise DataError(error)
        if urlsplit(req.full_url).scheme == "https" != urlsplit(newurl).scheme:
            error = (
                f"{plain_url(req.full_url)} redirects to {plain_url(newurl)}, which is not encrypted; anyone on the "
                "way could change the file. Nothing was downloaded. Ask the host of the data."
            )
            raise DataError(error)
        new.hops = hops
        if _origin(req.full_url) != _origin(newurl):
            new.remove_header("Authorization")
        return new


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def announced_size(url: str, *, headers: Mapping[str, str], timeout: float) -> int | None:
    """Ask for a file's size without its content; None where the server does not say, whatever the reason.

    Only for what is shown to a user: the download itself believes its own answer.
    """
    try:
        with open_url(url, headers=headers, timeout=timeout, method="HEAD") as response:
            length = response.headers.get("Content-Length", "")
    except (TransientError, OutOfRangeError, DataError):
        return None
    return int(length) if length.isdigit() else None


@contextmanager
def open_url(
    url: str, *, headers: Mapping[str, str], timeout: float, hint: str = "", method: str = "GET"
) -> Iterator[Any]:
    """Open `url`; the block gets the response, whose `status` is 200 or 206.

    Parameters
    ----------
    url
        http or https.
    headers
        Request headers; an ``Authorization`` among them goes to the host of `url` only.
    timeout
        Seconds without a single byte after which the connection counts as stalled.
    hint
        What to do where access is refused (401, 403).
    method
        GET or HEAD.

    Raises
    ------
    TransientError
        For what may be better in a moment: no connection, a stall, a broken connection, 408, 429, 5xx.
    OutOfRangeError
        For 416.
    DataError
        For everything that another attempt would not change.
    """
    if urlsplit(url).scheme not in {"http", "https"}:
        msg = f"{url!r} is no http(s) address. Give one that begins with https://."
        raise DataError(msg)
    # As stored, please: a length and a range of a compressed answer would be those of another file.
    request = urllib.request.Request(
        url, headers={"Accept-Encoding": "identity", "User-Agent": "histoscribe"}, method=method
    )
    for name, value in headers.items():
        request.add_header(name, value)
    opener = urllib.request.build_opener(_Redirects())
    try:
        with opener.open(request, timeout=timeout) as response:
            yield response
    except urllib.error.HTTPError as err:
        with err:
            raise _refused(url, err, hint) from None
    except urllib.error.URLError as err:
        raise _unreachable(url, err.reason, timeout) from None
    except http.client.IncompleteRead as err:
        msg = f"{plain_url(url)}: the connection broke off"
        raise TransientError(msg) from err
    except (http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError) as err:
        raise _unreachable(url, err, timeout) from None


def _unreachable(url: str, reason: Any, timeout: float) -> Exception:
    where = plain_url(url)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DataError(
            f"{where}: the host's certificate is not valid ({reason.verify_message}), so the answer could come from "
            "anybody. Check the clock of this machine and its proxy."
        )
    if isinstance(reason, TimeoutError):
        return TransientError(f"{where}: no byte came for {timeout:g} s")
    return TransientError(f"{where}: no connection ({str(reason) or type(reason).__name__})")


def _refused(url: str, err: urllib.error.HTTPError, hint: str) -> Exception:
    """Translate a status; the server's own text stays out, since it may repeat what was sent."""
    where, code = plain_url(url), err.code
    if code in _LATER:
        return TransientError(f"{where}: the server answers {code}", wait=_retry_after(err.headers.get("Retry-After")))
    if code == 416:
        return OutOfRangeError(where)
    if code == 401:
        return DataError(f"{where}: the server wants to know who you are (401). {hint or 'Log in at its host.'}")
    if code == 403:
        return DataError(f"{where}: you may not have this file (403). {hint or 'Ask the host of the data for access.'}")
    if code in {404, 410}:
        return DataError(
            f"{where} does not exist any more ({code}): the data moved. Look at the data set's home page "
            "(`histoscribe data info`), and update HistoScribe."
        )
    return DataError(f"{where}: the server answers {code}. Open the address in a browser to see why.")


def _retry_after(text: str | None) -> float | None:
    """Return seconds from a Retry-After header, which holds seconds or a date."""
    if text is None:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return None
