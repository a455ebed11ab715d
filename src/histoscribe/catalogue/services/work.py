"""A work as one service tells it, in the same words for all services."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.catalogue.identifiers import ARXIV_DOI, arxiv_of, normalise_title
from histoscribe.catalogue.services.web import ServiceError

if TYPE_CHECKING:
    from histoscribe.catalogue.schema import Paper

__all__ = ["Page", "Work", "keys_of", "paper_keys", "walk"]

_KINDS = ("preprint", "article", "other")
#: Titles that announce something about another work.
_NOTICE = re.compile(
    r"^(author |publisher )?(correction|corrigendum|erratum|retraction|withdrawal|expression of concern)"
    r"( note| notice)?"
    r"( (to|for|of))?\s*([:.\"'\u2018\u201c]|$)",
    re.IGNORECASE,
)
#: Publishers write this before the title of a work that they took back.
_TAKEN_BACK = re.compile(r"^(retracted|withdrawn)( article| paper)?\s*:", re.IGNORECASE)


@dataclass(frozen=True)
class Work:
    """Facts about one work, cleaned.

    Attributes
    ----------
    source, address
        Key of the service, and where it says so (no keys or e-mail addresses in it).
    authors
        ``Family, Given`` in order.
    date
        First publication, as exact as known.
    venue
        As the service spells it.
    kind
        What this version is.
    preprints, articles
        Keys (``doi:...``, ``arxiv:...``, ``epmc:MED/...``) of other versions of the same work.
    notice
        DOI of the retraction notice, where known.
    abstract
        For scoring only; never written to a file.
    """

    source: str
    address: str
    title: str
    doi: str | None = None
    arxiv: str | None = None
    authors: tuple[str, ...] = ()
    year: int | None = None
    date: str | None = None
    venue: str | None = None
    kind: Literal["preprint", "article", "other"] = "other"
    volume: str | None = None
    pages: str | None = None
    retracted: bool = False
    notice: str | None = None
    preprints: tuple[str, ...] = ()
    articles: tuple[str, ...] = ()
    epmc: str | None = None
    abstract: str = field(default="", repr=False)

    @property
    def is_notice(self) -> bool:
        """Whether this is a correction or retraction of another work."""
        return _NOTICE.match(self.title) is not None

    @property
    def taken_back(self) -> bool:
        """Whether a flag or the title itself says that this version is retracted or withdrawn."""
        return self.retracted or _TAKEN_BACK.match(self.title) is not None

    @property
    def own(self) -> frozenset[str]:
        """Keys of this version alone."""
        return keys_of(self.doi, self.arxiv, self.title)

    @property
    def keys(self) -> frozenset[str]:
        """Everything by which this work can be recognised, its other versions included."""
        return self.own | {k for k in (*self.preprints, *self.articles) if not k.startswith("epmc:")}

    def to_dict(self) -> dict[str, Any]:
        """Return the facts that are not empty as JSON values, without the abstract."""
        return {k: v for k, v in asdict(self).items() if k != "abstract" and v not in (None, (), False)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Work:
        """Read back what `to_dict` gave; unknown names are left out, a field of the wrong kind is a ValueError."""
        known = {f.name: value[f.name] for f in fields(cls) if f.name in value}
        lists = ("authors", "preprints", "articles")
        good = all(
            isinstance(known.get(k, []), list | tuple) and all(isinstance(i, str) for i in known.get(k, []))
            for k in lists
        )
        texts = [known.get(k) for k in ("doi", "arxiv", "venue", "date", "volume", "pages", "notice", "epmc")]
        good = good and all(t is None or isinstance(t, str) for t in texts) and isinstance(known.get("title"), str)
        good = good and isinstance(known.get("year"), int | None) and known.get("kind", "other") in _KINDS
        if not (good and str(known.get("address")).startswith(("https://", "http://"))):
            msg = f"the work {str(known.get('title'))[:60]!r} has a field of the wrong kind"
            raise ValueError(msg)
        return cls(**{k: tuple(v) if k in lists else v for k, v in known.items()})


def keys_of(doi: str | None, arxiv: str | None, title: str | None) -> frozenset[str]:
    """Return the keys by which two tellings of one work are found to be the same."""
    keys = set()
    if doi:
        keys.add(f"doi:{doi.lower()}")
        if doi.lower().startswith(ARXIV_DOI):
            arxiv = arxiv or arxiv_of(doi)
    if arxiv:
        keys |= {f"arxiv:{arxiv}", f"doi:{ARXIV_DOI}{arxiv}".lower()}
    plain = normalise_title(title or "")
    # "Spatial transcriptomics" is the title of many works; a long title is that of one.
    if len(plain) >= 25 and plain.count(" ") >= 3:
        keys.add(f"title:{plain}")
    return frozenset(keys)


def paper_keys(paper: Paper) -> frozenset[str]:
    """Return the keys of a catalogued paper, all versions included."""
    keys = set(keys_of(paper.doi, paper.arxiv, paper.title))
    for v in paper.versions:
        keys |= keys_of(v.doi, v.arxiv, v.title)
    for address in filter(None, (paper.url, *(v.url for v in paper.versions))):
        keys |= keys_of(None, arxiv_of(address), None)
    return frozenset(keys)


@dataclass(frozen=True)
class Page:
    """One page of an answer: its works, the token of the next page, entries that could not be read, hits in all."""

    works: list[Work]
    after: str | None = None
    skipped: int = 0
    total: int | None = None


def walk(fetch: Callable[[str], Page], first: str, *, limit: int, who: str) -> Iterator[Page]:
    """Turn pages until they end, repeat themselves, or hold `limit` works.

    Raises
    ------
    ServiceError
        If pages repeat: a service that loops would be asked for ever.
    """
    token, tokens, seen, n = first, {first}, set(), 0
    while n < limit:
        page = fetch(token)
        new = {(w.address, w.title) for w in page.works} - seen
        if page.works and not new:
            msg = f"{who} sends the same page again after {n} works. What came before is kept; try again later."
            raise ServiceError(msg)
        seen |= new
        n += len(page.works)
        yield page
        if page.after is None or page.after in tokens or not (page.works or page.skipped):
            return
        token = page.after
        tokens.add(token)
