"""Ask a server politely and read its answer safely: rate limits, retries, and bounds on everything."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode, urljoin, urlsplit

from histoscribe.core.errors import DataError, HistoScribeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Reply", "ServiceError", "Web", "shown"]

_PROJECT = "https://histoscribe.readthedocs.io"
_REDIRECTS = {301, 302, 303, 307, 308}
#: Answers that a second try may mend.
_PASSING = {408, 425, 429, 500, 502, 503, 504}
_CHUNK = 1 << 16


class ServiceError(HistoScribeError):
    """A server cannot be reached, refuses, or answers something that cannot be trusted.

    Attributes
    ----------
    status
        HTTP status, where there was one.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Reply:
    """An answer: status, final address, headers (lowercase names), body, and permanent redirects on the way."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    moved: str | None = None


def shown(url: str) -> str:
    """Write an address without its query, which may hold a key, and without control characters."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return re.sub(r"[^\x20-\x7e]", "?", f"{parts.scheme}://{host}{parts.path}")[:200]


@dataclass
class Web:
    """A client with manners.

    Parameters
    ----------
    contact
        E-mail address that servers may write to; it goes into the user agent.
    timeout_s, total_s
        Longest silence, and longest time for one answer, s.
    max_bytes
        Largest answer that is read, bytes.
    tries
        How often a passing failure is tried in all; the pause doubles from `pause_s`.
    longest_wait_s
        A server that asks for a longer pause than this is left alone, s.
    clock, now, sleep
        Monotonic seconds, seconds since 1970, and waiting; tests pass their own.
    """

    contact: str | None = None
    timeout_s: float = 30.0
    total_s: float = 120.0
    max_bytes: int = 20_000_000
    tries: int = 4
    pause_s: float = 1.0
    longest_wait_s: float = 120.0
    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    _next: dict[str, float] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        # The address goes into a header: a line break in it would let it write further headers.
        if self.contact is not None and not re.fullmatch(r"[^\s@<>();,]+@[^\s@<>();,]+", self.contact):
            msg = f"contact {self.contact!r} is no e-mail address. Give one as name@example.org."
            raise DataError(msg)
        self._opener = urllib.request.OpenerDirector()
        # No handler for file:, ftp: or data:, and none that follows redirects or raises on a status.
        for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
            self._opener.add_handler(handler())

    @property
    def user_agent(self) -> str:
        """What servers see."""
        mail = f"; mailto:{self.contact}" if self.contact else ""
        return f"HistoScribe/{version('histoscribe')} ({_PROJECT}{mail})"

    def get(
        self,
        url: str,
        params: Mapping[str, str] | None = None,
        *,
        accept: str = "*/*",
        gap_s: float = 1.0,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """Read an address of a service whole; redirects stay on its host.

        Parameters
        ----------
        url, params
            Address and its query.
        accept
            Media type asked for.
        gap_s
            Shortest time between two requests to this host, s.
        headers
            Further headers.

        Raises
        ------
        ServiceError
            If the status is not 200, or the answer is too large, too slow, truncated or redirected elsewhere.
        """
        full = f"{url}?{urlencode(params)}" if params else url
        reply = self.ask("GET", full, gap_s=gap_s, headers={"Accept": accept, **(headers or {})}, body=True, stay=True)
        if reply.status != 200:
            msg = f"{shown(url)} answers status {reply.status}. {_advice(reply.status)}"
            raise ServiceError(msg, status=reply.status)
        return reply

    def ask(
        self,
        method: str,
        url: str,
        *,
        gap_s: float = 1.0,
        headers: Mapping[str, str] | None = None,
        body: bool = False,
        stay: bool = False,
        follow: int = 5,
        tries: int | None = None,
    ) -> Reply:
        """Send one request, again after a passing failure, and follow redirects.

        Parameters
        ----------
        method, url, gap_s, headers
            As in `get`.
        body
            Whether to read the body.
        stay
            Refuse redirects that leave the host.
        follow
            Most redirects followed; with 0 the redirect itself is the answer.
        tries
            In place of the client's.

        Raises
        ------
        ServiceError
            If no answer came, or it may not be followed or read.
        """
        tries = self.tries if tries is None else tries
        for attempt in range(1, tries + 1):
            try:
                reply = self._follow(method, url, headers or {}, gap_s, body=body, stay=stay, follow=follow)
            except _PassingError as err:
                if attempt == tries:
                    raise ServiceError(str(err)) from err
                self.sleep(self.pause_s * 2 ** (attempt - 1))
                continue
            if reply.status not in _PASSING or attempt == tries:
                return reply
            self._wait(reply, attempt)
        msg = f"tries must be at least 1, not {tries}. Leave it out for the usual number."
        raise ValueError(msg)

    def _wait(self, reply: Reply, attempt: int) -> None:
        asked = _retry_after(reply.headers.get("retry-after"), self.now())
        if asked is not None and asked > self.longest_wait_s:
            msg = f"{shown(reply.url)} asks to wait {asked:.0f} s. Run the command again after that."
            raise ServiceError(msg, status=reply.status)
        self.sleep(self.pause_s * 2 ** (attempt - 1) if asked is None else asked)

    def _follow(
        self, method: str, url: str, headers: Mapping[str, str], gap_s: float, *, body: bool, stay: bool, follow: int
    ) -> Reply:
        seen, moved, permanent = [url], None, True
        while True:
            reply = self._once(method, url, headers, gap_s, body=body)
            target = reply.headers.get("location")
            if reply.status not in _REDIRECTS or not target or follow == 0:
                return Reply(reply.status, url, reply.headers, reply.body, moved)
            permanent = permanent and reply.status in {301, 308}
            target = _ascii(urljoin(url, target))
            _allow(url, target, stay=stay)
            if target in seen or len(seen) > follow:
                what = "redirects in a circle" if target in seen else f"redirects more than {follow} times"
                msg = f"{shown(seen[0])} {what}. Open it in a browser and mend the address."
                raise ServiceError(msg)
            seen.append(target)
            url, moved = target, target if permanent else moved

    def _once(self, method: str, url: str, headers: Mapping[str, str], gap_s: float, *, body: bool) -> Reply:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            msg = f"{shown(url)} is no http or https address. Mend it."
            raise ServiceError(msg)
        self._keep_distance(urlsplit(url).netloc, gap_s)
        agent = {"User-Agent": self.user_agent, "Accept-Encoding": "identity"}
        request = urllib.request.Request(_ascii(url), headers={**agent, **headers}, method=method)
        start = self.clock()
        try:
            with self._opener.open(request, timeout=self.timeout_s) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                data = self._read(response, url, start) if body else b""
                return Reply(response.status, url, found, data)
        except (http.client.InvalidURL, UnicodeError) as err:
            msg = f"{shown(url)} is no valid address ({err}). Mend it."
            raise ServiceError(msg) from err
        except (OSError, http.client.HTTPException) as err:
            msg = f"{shown(url)} cannot be read ({_reason(err)}). Check the connection and try again."
            raise _PassingError(msg) from err

    def _keep_distance(self, host: str, gap_s: float) -> None:
        wait = self._next.get(host, float("-inf")) - self.clock()
        if wait > 0:
            self.sleep(wait)
        self._next[host] = self.clock() + gap_s

    def _read(self, response: http.client.HTTPResponse, url: str, start: float) -> bytes:
        declared = response.headers.get("Content-Length", "")
        expected = int(declared) if declared.isascii() and declared.isdigit() and len(declared) < 16 else None
        if (expected or 0) > self.max_bytes:
            self._too_large(url)
        parts, size = [], 0
        while chunk := response.read1(_CHUNK):
            size += len(chunk)
            parts.append(chunk)
            if size > self.max_bytes:
                self._too_large(url)
            if self.clock() - start > self.total_s:
                msg = f"{shown(url)} took longer than {self.total_s:g} s for one answer. Try again later."
                raise ServiceError(msg)
        if expected is not None and size < expected:
            msg = f"{shown(url)} broke off after {size} of {expected} bytes. Try again."
            raise _PassingError(msg)
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            msg = f"{shown(url)} sends packed content although plain was asked for. Report it to the service."
            raise ServiceError(msg)
        return b"".join(parts)

    def _too_large(self, url: str) -> None:
        msg = f"{shown(url)} sends more than {self.max_bytes} bytes. Nothing was kept; ask for less at a time."
        raise ServiceError(msg)


class _PassingError(HistoScribeError):
    """A failure that a second try may mend."""


def _ascii(url: str) -> str:
    # Servers send addresses with blanks and accents; a request line may hold neither.
    return quote(url, safe="%/:=&?~#+!$,;'@()*[]").partition("#")[0]


def _is_local(host: str | None) -> bool:
    try:
        return not ipaddress.ip_address(host or "").is_global
    except ValueError:
        return host in {None, "localhost"} or str(host).endswith((".localhost", ".local", ".internal"))


def _allow(url: str, target: str, *, stay: bool) -> None:
    """Refuse a redirect to another scheme, into a private network, or (`stay`) to another host."""
    here, there = urlsplit(url), urlsplit(target)
    what = None
    if there.scheme not in {"http", "https"}:
        what = f"a {there.scheme or 'nameless'}: address"
    elif _is_local(there.hostname) and not _is_local(here.hostname):
        what = "an address of a private network"
    elif stay and there.netloc.lower() != here.netloc.lower():
        what = "another host"
    elif stay and here.scheme == "https" and there.scheme == "http":
        what = "an unprotected address"
    if what:
        msg = f"{shown(url)} redirects to {what} ({shown(target)}), which is not followed. Mend the address."
        raise ServiceError(msg)


def _retry_after(value: str | None, now: float) -> float | None:
    """Read a Retry-After header, seconds or a date; None where it is absent or cannot be read."""
    if not value:
        return None
    if value.strip().isascii() and value.strip().isdigit():
        return float(value.strip()[:9])
    try:
        return max(parsedate_to_datetime(value).timestamp() - now, 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _reason(err: Exception) -> str:
    cause = err.reason if isinstance(err, urllib.error.URLError) else err
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, socket.gaierror):
        return "the host is not known"
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else f"{type(cause).__name__}: {cause}"
    return re.sub(r"[^\x20-\x7e]", "?", str(text))[:120]


def _advice(status: int) -> str:
    if status in {401, 403}:
        return "It wants a key or refuses automatic requests; see its documentation."
    if status == 404:
        return "It does not know what was asked for; check the identifier."
    if status in _PASSING:
        return "It is overloaded or down; try again later."
    return "Check the address and the query."
