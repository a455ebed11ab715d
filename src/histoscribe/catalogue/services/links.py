"""Ask whether the addresses of the catalogue are alive: seldom, slowly, and once for each address."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass
from datetime import date
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from histoscribe.catalogue.schema import Paper
from histoscribe.catalogue.services.web import ServiceError
from histoscribe.core.errors import DataError
from histoscribe.core.files import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from histoscribe.catalogue.services.web import Reply, Web
    from histoscribe.catalogue.store import Catalogue

__all__ = ["Link", "addresses", "check_links"]

State = Literal["alive", "moved", "refused", "dead", "down"]

#: Shortest time between two requests to a host, s; others get `_GAP`.
_GAPS = {"arxiv.org": 3.0, "export.arxiv.org": 3.0}
_GAP = 1.0
#: How long an answer holds, days.
_HOLDS = {"alive": 30, "moved": 30, "refused": 30, "dead": 3, "down": 1}
_SAVE_EVERY = 25


@dataclass
class Link:
    """The state of one address.

    Attributes
    ----------
    state
        ``alive``; ``moved``: alive, and permanently elsewhere; ``refused``: the server turns programs away, a person
        has to look; ``dead``: it says that nothing is there; ``down``: no sensible answer this time.
    status
        HTTP status, where there was one.
    detail
        New address of ``moved``; reason of ``down``.
    checked
        Date, ``YYYY-MM-DD``.
    etag, modified
        What the server gave for asking again cheaply.
    since
        First day of the present state.
    """

    url: str
    state: State
    checked: str
    status: int | None = None
    detail: str | None = None
    etag: str | None = None
    modified: str | None = None
    since: str | None = None


def addresses(catalogue: Catalogue, only: Sequence[str] = ()) -> dict[str, list[str]]:
    """Return each address with the records that name it.

    Parameters
    ----------
    catalogue
        The records; DOIs and arXiv ids count as addresses.
    only
        Ids of records; default all.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for record in (*catalogue.papers.values(), *catalogue.datasets.values()):
        if only and record.id not in only:
            continue
        named = [record.url, f"https://doi.org/{record.doi}" if record.doi else None]
        if isinstance(record, Paper):
            named += [f"https://arxiv.org/abs/{record.arxiv}" if record.arxiv else None]
            named += [u for v in record.versions for u in (v.url, f"https://doi.org/{v.doi}" if v.doi else None)]
            named += [record.code.url] if record.code else []
        for url in filter(None, named):
            # arXiv's DOIs lead to arXiv, which is asked already.
            if not url.lower().startswith("https://doi.org/10.48550/arxiv."):
                found[url].add(record.id)
    return {url: sorted(ids) for url, ids in sorted(found.items())}


def check_links(
    urls: Iterable[str],
    web: Web,
    *,
    cache: Path,
    today: date,
    fresh: bool = False,
    say: Callable[[Link], None] = lambda _: None,
) -> list[Link]:
    """Check addresses, those of one host with pauses between.

    Parameters
    ----------
    urls
        Addresses.
    web
        The client.
    cache
        File of earlier answers; it is written every 25 addresses and at the end, also on interruption.
    today
        Date of the run.
    fresh
        Ask again whatever the cache says.
    say
        Receives each link as it is asked.

    Returns
    -------
    One link for each address, in the order given.

    Raises
    ------
    ServiceError
        If the first servers cannot be reached at all: then the fault is on this side.
    """
    urls = list(dict.fromkeys(urls))
    known = _load(cache)
    due = [u for u in urls if fresh or u not in known or _is_due(known[u], today)]
    reached = False
    try:
        for n, link in enumerate(_asked(due, web, known, today), 1):
            reached = True
            before = known.get(link.url)
            link.since = before.since if before and before.state == link.state else link.checked
            known[link.url] = link
            say(link)
            if n % _SAVE_EVERY == 0:
                _save(cache, known)
    finally:
        if reached:
            _save(cache, known)
    return [known[u] for u in urls]


def _asked(due: Sequence[str], web: Web, known: Mapping[str, Link], today: date) -> Iterator[Link]:
    """Ask one address after the other; nothing is given out before a first server was reached."""
    failures: Counter[str] = Counter()
    held: list[Link] = []
    reached = False
    for url in _spread(due):
        host = urlsplit(url).netloc
        if failures[host] >= 3:
            link = Link(url, "down", today.isoformat(), detail="not asked: its server failed three times before")
        else:
            link = _ask(url, web, known.get(url), today)
        failures[host] += link.state == "down"
        held.append(link)
        reached = reached or link.status is not None
        if not reached and len(failures) >= 5:
            msg = f"none of the first {len(failures)} servers could be reached. Check this machine's connection."
            raise ServiceError(msg)
        if reached:
            yield from held
            held = []
    # So few servers that a fault on this side cannot be told from one on theirs.
    yield from held


def _ask(url: str, web: Web, before: Link | None, today: date) -> Link:
    host = urlsplit(url).netloc.lower()
    gap = _GAPS.get(host.removeprefix("www."), _GAP)
    # doi.org answers a known DOI with a redirect; publishers behind it refuse programs and need not be asked.
    follow = 0 if host in {"doi.org", "dx.doi.org"} else 5
    headers = {}
    if before and before.state == "alive":
        named = {"If-None-Match": before.etag, "If-Modified-Since": before.modified}
        headers = {name: value for name, value in named.items() if value}
    error: str | None = None
    reply = None
    for method in ("HEAD", "GET"):
        try:
            reply = web.ask(method, url, gap_s=gap, headers=headers, follow=follow, tries=2)
        except ServiceError as err:
            error = str(err)
            continue
        # Many servers do not know HEAD and answer it with nonsense, so only a good answer to it is believed.
        if reply.status < 400 or reply.status == 429:
            break
    if reply is None:
        return Link(url, "down", today.isoformat(), detail=error)
    return _judge(url, reply, before, today)


def _judge(url: str, reply: Reply, before: Link | None, today: date) -> Link:
    status = reply.status
    state: State = "alive"
    detail = None
    if status in {404, 410}:
        state = "dead"
    elif status in {401, 403, 405, 406, 418, 429, 451, 999}:
        state, detail = "refused", f"status {status}"
    elif status >= 400:
        state, detail = "down", f"status {status}"
    elif reply.moved:
        state, detail = "moved", reply.moved
    elif status == 304 and before:
        return Link(url, before.state, today.isoformat(), status, before.detail, before.etag, before.modified)
    tags = [reply.headers.get(name) for name in ("etag", "last-modified")]
    etag, modified = (t if t and t.isprintable() and t.isascii() and len(t) < 300 else None for t in tags)
    return Link(url, state, today.isoformat(), status, detail, etag, modified)


def _is_due(link: Link, today: date) -> bool:
    age = (today - date.fromisoformat(link.checked)).days
    return not 0 <= age < _HOLDS[link.state]


def _spread(urls: Sequence[str]) -> list[str]:
    """Order addresses so that those of one host stand far apart and pauses cost nothing."""
    hosts: dict[str, list[str]] = defaultdict(list)
    for url in urls:
        hosts[urlsplit(url).netloc].append(url)
    return [u for row in zip_longest(*hosts.values()) for u in row if u is not None]


def _load(cache: Path) -> dict[str, Link]:
    if not cache.exists():
        return {}
    try:
        links = {url: Link(url=url, **value) for url, value in read_json(cache)["links"].items()}
        if all(link.state in _HOLDS and date.fromisoformat(link.checked) for link in links.values()):
            return links
    except (DataError, KeyError, TypeError, AttributeError, ValueError):
        # A cache that cannot be read costs time, not truth: the addresses are asked again.
        return {}
    return {}


def _save(cache: Path, known: Mapping[str, Link]) -> None:
    def kept(link: Link) -> dict[str, Any]:
        return {k: v for k, v in asdict(link).items() if k != "url" and v is not None}

    write_json(cache, {"version": 1, "links": {url: kept(link) for url, link in known.items()}})
