"""Update: ask services what is new, and what became of the papers that are catalogued."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING

from histoscribe.catalogue.schema import Paper, Venue, Version
from histoscribe.catalogue.services.europepmc import EuropePMC
from histoscribe.catalogue.services.fill import canonical_venue, known_as, paper_from
from histoscribe.catalogue.services.queue import Queue
from histoscribe.catalogue.services.relevance import weigh
from histoscribe.catalogue.services.web import ServiceError
from histoscribe.catalogue.services.work import paper_keys
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from histoscribe.catalogue.services import Service, Web, Work
    from histoscribe.catalogue.services.queue import Entry
    from histoscribe.catalogue.store import Catalogue

__all__ = ["Heard", "accept", "follow", "update"]

#: Read again by this many days: services list works late.
_OVERLAP = timedelta(days=14)
#: How far the first run looks back.
_FIRST = timedelta(days=90)


@dataclass
class Heard:
    """What one service had to say.

    Attributes
    ----------
    label
        Name of the service.
    since
        First day asked for; None where catalogued papers were followed up.
    n_read, n_skipped
        Works read; entries without title or identifier.
    counts
        See `Queue.offer`.
    error
        One line where it failed; what was read before is kept, and the next run asks for the same days again.
    """

    label: str
    since: str | None
    n_read: int = 0
    n_skipped: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    note: str | None = None
    error: str | None = None

    def line(self) -> str:
        """Return one line."""
        told = ", ".join(f"{n} {what}" for what, n in self.counts.items() if n)
        read = f"{self.n_read} read since {self.since}" if self.since else f"{self.n_read} catalogued works followed up"
        parts = [read, told, f"{self.n_skipped} without title or id" if self.n_skipped else ""]
        tail = [f"FAILED: {self.error}"] if self.error else [self.note] if self.note else []
        return f"{self.label}: " + "; ".join([p for p in parts if p] + tail)


def update(
    catalogue: Catalogue,
    path: Path,
    services: Sequence[Service],
    web: Web,
    *,
    today: date,
    since: date | None = None,
    limit: int = 1000,
    threshold: int = 40,
) -> list[Heard]:
    """Ask each service for new works and put what fits into the queue file.

    The file is read again, filled and written after each service, so that an interruption loses one service at most
    and a decision taken meanwhile stands.

    Parameters
    ----------
    catalogue
        What is known.
    path
        The queue file.
    services, web
        Whom to ask, and with which client.
    today
        Date of the run.
    since
        First day asked for; default where the last complete run of that service stopped, with two weeks of overlap,
        and 90 days back on the first.
    limit
        Most works read from one service.
    threshold
        Least score, 0-100, that enters the queue.
    """
    heard = []
    for service in services:
        last = Queue.load(path).read.get(service.key)
        start = since or (date.fromisoformat(last) - _OVERLAP if last else today - _FIRST)
        one = Heard(service.label, start.isoformat())
        works: list[Work] = []
        try:
            for page in service.search(web, since=start.isoformat(), limit=limit):
                works += page.works
                one.n_skipped += page.skipped
                if len(works) >= limit and (page.total or 0) > len(works):
                    one.note = f"{page.total} there; stopped at {limit}. Raise --limit or ask from a later day"
        except ServiceError as err:
            one.error = str(err)
        works = works[:limit]
        one.n_read = len(works)
        queue = Queue.load(path)
        told = [(w, weigh(w, catalogue.vocabulary)) for w in works]
        one.counts = queue.offer(told, catalogue, today=today.isoformat(), threshold=threshold)
        if one.error is None and one.note is None and (since is None or since <= start):
            queue.read[service.key] = today.isoformat()
        queue.save()
        heard.append(one)
    return heard


def follow(
    catalogue: Catalogue, path: Path, services: Sequence[Service], web: Web, *, today: date, n_papers: int | None = None
) -> list[Heard]:
    """Ask what became of the catalogued papers: articles of preprints, preprints of articles, retractions.

    Nothing is changed: each find is put into the queue file for a person.

    Parameters
    ----------
    catalogue, path, services, web, today
        As in `update`.
    n_papers
        Follow only this many papers, in order of id; default all.
    """
    papers = list(catalogue.papers.values())[:n_papers]
    owner = {key: p.id for p in papers for key in paper_keys(p) if not key.startswith("title:")}
    dois = sorted({v.doi for p in papers for v in (p, *p.versions) if v.doi})
    arxivs = sorted({v.arxiv for p in papers for v in (p, *p.versions) if v.arxiv})
    heard = []
    for service in services:
        one = Heard(service.label, None)
        try:
            works = service.lookup(web, dois=dois, arxivs=arxivs)
            linked = _linked(works, service, web)
        except ServiceError as err:
            one.error = str(err)
            heard.append(one)
            continue
        queue = Queue.load(path)
        for work in works:
            about = next((owner[k] for k in sorted(work.own) if k in owner), None)
            if about is None:
                continue
            one.n_read += 1
            for kind, other, why in _news(work, catalogue.papers[about], linked):
                if queue.propose(kind, about, other, [why], today=today.isoformat()):  # type: ignore[arg-type]
                    one.counts[kind] += 1
        queue.save()
        heard.append(one)
    return heard


def _linked(works: Sequence[Work], service: Service, web: Web) -> dict[str, Work]:
    """Look up the other versions that works name, by ``doi:`` or ``epmc:`` key."""
    keys = sorted({k for w in works for k in (*w.articles, *w.preprints)})
    found: dict[str, Work] = {}
    if isinstance(service, EuropePMC):
        numbers = [k.removeprefix("epmc:") for k in keys if k.startswith("epmc:")]
        found = {f"epmc:{w.epmc}": w for w in service.by_number(web, numbers)}
    elif service.key == "crossref":
        others = service.lookup(web, dois=[k.removeprefix("doi:") for k in keys if k.startswith("doi:")])
        found = {f"doi:{w.doi.lower()}": w for w in others if w.doi}
    return found


def _news(work: Work, paper: Paper, linked: dict[str, Work]) -> list[tuple[str, Work, str]]:
    from histoscribe.catalogue.services.work import Work as Telling

    news = []
    if work.taken_back and paper.status != "retracted":
        told = f" (notice {work.notice})" if work.notice else ""
        news.append(("retraction", work, f"{work.source} says that this version is retracted or withdrawn{told}"))
    have = paper_keys(paper)
    for kind, keys in (("article", work.articles), ("preprint", work.preprints)):
        for key in keys:
            other = linked.get(key)
            if other is None and key.startswith("doi:"):
                bare = key.removeprefix("doi:")
                other = Telling(work.source, work.address, paper.title, doi=bare, kind=kind)  # type: ignore[arg-type]
            if other and (other.doi or other.arxiv) and not other.own & have - {k for k in have if k[:6] == "title:"}:
                news.append(("version", other, f"{work.source} names it as the {kind} of {work.doi or work.arxiv}"))
    return news


def accept(
    entry: Entry,
    catalogue: Catalogue,
    *,
    today: date,
    tasks: Sequence[str] = (),
    role: str | None = None,
    cite: bool = False,
) -> Paper:
    """Return the record that an accepted entry gives, not yet written.

    Parameters
    ----------
    entry
        What was accepted.
    catalogue
        What is known.
    today
        Date of the decision.
    tasks, role
        For a new paper, in place of what was suggested.
    cite
        For a version that is an article: cite it in place of the preprint, with its DOI, year and venue.

    Raises
    ------
    DataError
        If a new paper is catalogued already, or the paper of a version is not.
    """
    if entry.kind == "new":
        known = known_as(entry.works, catalogue)
        if known:
            msg = f"entry {entry.key} is catalogued as {known}. Ignore it, or mend that record."
            raise DataError(msg)
        chosen = role or entry.role
        return paper_from(entry.works, catalogue, today=today.isoformat(), tasks=tasks, role=chosen)  # type: ignore[arg-type]
    paper = catalogue.paper(entry.about or "").model_copy(deep=True)
    work = entry.works[0]
    provenance = defaultdict(list, paper.provenance)
    if entry.kind == "retraction":
        paper.status = "retracted"
        provenance["status"] = [work.address]
        if work.notice:
            paper.versions.append(Version(kind="correction", doi=work.notice))
    else:
        kind = "article" if work.kind == "other" else work.kind
        paper.versions.append(Version(kind=kind, doi=work.doi, arxiv=work.arxiv, date=work.date))
        provenance["versions"] = [*provenance["versions"], work.address]
        if cite and kind == "article":
            _cite(paper, work, catalogue, provenance)
    paper.provenance = dict(provenance)
    paper.last_verified = today.isoformat()
    return Paper.model_validate(paper.model_dump())


def _cite(paper: Paper, work: Work, catalogue: Catalogue, provenance: dict[str, list[object]]) -> None:
    venue = canonical_venue(work, catalogue)
    if not (work.doi and work.year and venue):
        msg = f"the article of {paper.id} comes without DOI, year or venue. Accept it without --cite."
        raise DataError(msg)
    paper.doi, paper.year, paper.venue, paper.status = work.doi, work.year, Venue(name=venue), "published"
    paper.url, paper.volume, paper.pages = f"https://doi.org/{work.doi}", work.volume, work.pages
    for field_name in ("doi", "year", "venue", "url"):
        provenance[field_name] = [work.address]
    paper.verified = {**paper.verified, "doi": [work.address]}
