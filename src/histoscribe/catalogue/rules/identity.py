"""Rules between records: the same identifier, title, address or name on different works."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING

from histoscribe.catalogue.finding import Finding
from histoscribe.catalogue.identifiers import (
    arxiv_of,
    doi_of,
    is_arxiv,
    is_doi,
    normalise_title,
    normalise_url,
    repository_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = [
    "alias_collision",
    "duplicate_arxiv",
    "duplicate_doi",
    "duplicate_title",
    "fragile_url",
    "id_form",
    "same_url",
    "url_identifier",
]

#: What makes an address die or leak: credentials in it, a proxy, a login, a shortener, a personal cache.
FRAGILE = {
    r"[?&](X-Amz-|AWSAccessKeyId=|Signature=|Expires=|se=.*&sig=)": "is signed and expires",
    r"[?&](token|access_token|key-pair-id|auth|session|sid|casa_token)=": "carries a token",
    r";jsessionid=": "carries a session",
    r"^https?://[^/]*(ezproxy|libproxy|webvpn|\.proxy\.|proxy\.lib|sci-hub|vpn\.)": "goes through a proxy",
    r"^https?://[^/]*-(com|org|net|edu)-s\.": "goes through a proxy",
    r"^https?://(www\.)?researchgate\.net/": "lies behind ResearchGate's log-in",
    r"^https?://(bit\.ly|tinyurl\.com|t\.co|goo\.gl)/": "is a shortened address",
    r"^https?://(localhost|127\.|10\.|192\.168\.)": "is an address of a private network",
}


def _groups(papers: Iterable[Paper], key: Callable[[Paper], Iterable[str]]) -> Iterator[tuple[str, Paper, Paper]]:
    groups: dict[str, dict[str, Paper]] = defaultdict(dict)
    for paper in papers:
        for value in key(paper):
            groups[value][paper.id] = paper
    for value, members in groups.items():
        for first, second in combinations(members.values(), 2):
            yield value, first, second


def _dois(paper: Paper) -> set[str]:
    return {d.lower() for d in (paper.doi, *(v.doi for v in paper.versions)) if d}


def _arxivs(paper: Paper) -> set[str]:
    return {a for a in (paper.arxiv, *(v.arxiv for v in paper.versions)) if a}


def id_form(catalogue: Catalogue) -> Iterator[Finding]:
    """DOIs and arXiv ids are bare and well formed."""
    for paper in catalogue.papers.values():
        for doi in filter(None, (paper.doi, *(v.doi for v in paper.versions))):
            if not is_doi(doi):
                mend = f"Write {doi_of(doi)}." if doi_of(doi) else "A DOI begins with 10. and holds a slash."
                yield Finding("id-form", paper.id, f"doi {doi!r} is not a bare DOI", mend, about=doi)
        for arxiv in filter(None, (paper.arxiv, *(v.arxiv for v in paper.versions))):
            if not is_arxiv(arxiv):
                mend = f"Write '{arxiv_of(arxiv)}'." if arxiv_of(arxiv) else "Write it as 'YYMM.NNNNN'."
                yield Finding("id-form", paper.id, f"arxiv {arxiv!r} is not an arXiv id", mend, about=arxiv)
    for dataset in catalogue.datasets.values():
        if dataset.doi and not is_doi(dataset.doi):
            yield Finding("id-form", dataset.id, f"doi {dataset.doi!r} is not a bare DOI", "Write 10.…/….")


def duplicate_doi(catalogue: Catalogue) -> Iterator[Finding]:
    """A DOI belongs to one work."""
    for doi, first, second in _groups(catalogue.papers.values(), _dois):
        mend = "Merge them, or find out to which the DOI belongs."
        yield Finding("duplicate-doi", second.id, f"DOI {doi} is also that of {first.id}", mend, about=first.id)


def duplicate_arxiv(catalogue: Catalogue) -> Iterator[Finding]:
    """An arXiv id belongs to one work."""
    for arxiv, first, second in _groups(catalogue.papers.values(), _arxivs):
        mend = "Merge them, or find out to which the number belongs."
        yield Finding("duplicate-arxiv", second.id, f"arXiv {arxiv} is also that of {first.id}", mend, about=first.id)


def duplicate_title(catalogue: Catalogue) -> Iterator[Finding]:
    """A title stands once, whatever its capitals and punctuation."""
    for _, first, second in _groups(catalogue.papers.values(), lambda p: [normalise_title(p.title)]):
        mend = "Merge them: versions of one work belong into one record."
        yield Finding("duplicate-title", second.id, f"the title is also that of {first.id}", mend, about=first.id)


def same_url(catalogue: Catalogue) -> Iterator[Finding]:
    """An address of a paper leads to one work."""

    def urls(paper: Paper) -> set[str]:
        # Where the code stands in for the paper's address, rule same-code looks at it.
        return {normalise_url(u) for u in (paper.url, *(v.url for v in paper.versions)) if u and not repository_of(u)}

    for url, first, second in _groups(catalogue.papers.values(), urls):
        mend = "Find out to which of the two titles it leads."
        yield Finding("same-url", second.id, f"{url} is also the address of {first.id}", mend, about=first.id)


def url_identifier(catalogue: Catalogue) -> Iterator[Finding]:
    """A DOI or arXiv id in the address is one of the record's own."""
    for paper in catalogue.papers.values():
        url = paper.url or ""
        doi = doi_of(url) if "doi.org/" in url else None
        if doi and doi.lower() not in _dois(paper) and not doi.lower().startswith("10.48550/"):
            mend = "Mend the address or the DOI."
            yield Finding("url-identifier", paper.id, f"the address leads to DOI {doi}", mend, about=doi)
        arxiv = arxiv_of(url) if "arxiv.org/" in url else None
        if arxiv and arxiv not in _arxivs(paper):
            mend = "Mend the address or the arXiv id."
            yield Finding("url-identifier", paper.id, f"the address leads to arXiv {arxiv}", mend, about=arxiv)


def alias_collision(catalogue: Catalogue) -> Iterator[Finding]:
    """A method's name stands for one method; names that really collide are waived and never used as a key."""

    def names(paper: Paper) -> set[str]:
        given = [paper.method.name, *paper.method.aliases] if paper.method else []
        return {re.sub(r"[^\w+]|_", "", name.casefold()) for name in given}

    for _, first, second in _groups(catalogue.papers.values(), names):
        assert first.method is not None
        assert second.method is not None
        what = f"method {second.method.name!r} is spelled like {first.method.name!r} of {first.id}"
        mend = "Add an alias that tells them apart, and a waiver that says they are two."
        yield Finding("alias-collision", second.id, what, mend, about=first.id)


def fragile_url(catalogue: Catalogue) -> Iterator[Finding]:
    """No address carries a token, goes through a proxy or needs a log-in."""
    for record in [*catalogue.papers.values(), *catalogue.datasets.values()]:
        code = getattr(record, "code", None)
        versions = getattr(record, "versions", [])
        urls = [record.url, *(v.url for v in versions)] + ([code.url, *code.also, code.weights] if code else [])
        for url in filter(None, urls):
            for pattern, why in FRAGILE.items():
                if re.search(pattern, url, flags=re.IGNORECASE):
                    # The address itself may hold a secret, so only its host is printed.
                    host = normalise_url(url).partition("/")[0]
                    mend = "Link the DOI, arXiv id or the publisher's own page."
                    yield Finding("fragile-url", record.id, f"an address at {host} {why}", mend, about=host)
                    break
