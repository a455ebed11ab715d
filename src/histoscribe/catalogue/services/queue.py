"""The queue: what services found, until a person accepts or ignores it; what is ignored never returns."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from histoscribe.catalogue.services.work import Work, paper_keys
from histoscribe.core.errors import DataError
from histoscribe.core.files import digest, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from histoscribe.catalogue.services.relevance import Relevance
    from histoscribe.catalogue.store import Catalogue

__all__ = ["Entry", "Queue"]

Kind = Literal["new", "version", "retraction"]


@dataclass
class Entry:
    """Something to decide on.

    Attributes
    ----------
    key
        Eight hex digits by which a person names it.
    kind
        ``new``: a work that is not catalogued. ``version``: another version of a catalogued one. ``retraction``: a
        catalogued one was retracted.
    works
        What each service says of it.
    score, reasons, tasks, role
        See `Relevance`.
    about
        Id of the catalogued paper, for ``version`` and ``retraction``.
    found_on
        Date, ``YYYY-MM-DD``.
    """

    key: str
    kind: Kind
    works: list[Work]
    score: int = 0
    reasons: list[str] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    role: str | None = None
    about: str | None = None
    found_on: str | None = None

    @property
    def keys(self) -> frozenset[str]:
        """What recognises it: for news the work's identifiers and title, else the paper and the identifier."""
        if self.kind == "new":
            return frozenset(k for w in self.works for k in w.keys)
        return frozenset({self.decision(self.kind, self.about or "", self.works[0])})

    @staticmethod
    def decision(kind: str, about: str, work: Work) -> str:
        """Name a decision on a catalogued paper, so that it is asked for once."""
        return f"{kind}:{about}:{(work.doi or work.arxiv or work.title).lower()}"

    def line(self) -> str:
        """Return one line for a list."""
        w = self.works[0]
        names = w.doi or w.arxiv or w.address
        what = {"new": "", "version": f"{w.kind} of {self.about}: ", "retraction": f"RETRACTED {self.about}: "}[
            self.kind
        ]
        return f"{self.key}  {self.score:3d}  {w.year or '    '}  {what}{w.title}  [{w.venue or 'no venue'}; {names}]"

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        given = {k: v for k, v in vars(self).items() if k != "works" and v not in (None, [])}
        return given | {"works": [w.to_dict() for w in self.works]}


@dataclass
class Queue:
    """The queue file.

    Attributes
    ----------
    path
        Where it is kept.
    waiting
        Key to entry.
    ignored
        What a person turned down: keys, title, reason, date.
    read
        Service to the day up to which it was read.
    """

    path: Path
    waiting: dict[str, Entry] = field(default_factory=dict)
    ignored: list[dict[str, Any]] = field(default_factory=list)
    read: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._index()

    @classmethod
    def load(cls, path: Path | str) -> Queue:
        """Read the queue file; an absent one is an empty queue.

        Raises
        ------
        DataError
            If it is no queue file.
        """
        path = Path(path)
        if not path.exists():
            return cls(path)
        value = read_json(path)
        try:
            waiting = {e["key"]: _entry(e) for e in value["waiting"]}
            ignored = [{**i, "keys": list(i["keys"]), "reason": str(i["reason"])} for i in value["ignored"]]
            return cls(path, waiting, ignored, dict(value.get("read", {})))
        except (KeyError, TypeError, IndexError, AttributeError, ValueError) as err:
            msg = f"{path} is no queue file ({type(err).__name__}: {err}). Restore it, or move it away."
            raise DataError(msg) from err

    def save(self) -> None:
        """Write the queue file, atomically, the best first."""
        order = sorted(self.waiting.values(), key=lambda e: (-e.score, e.key))
        value = {"version": 1, "read": self.read, "ignored": self.ignored, "waiting": [e.to_dict() for e in order]}
        write_json(self.path, value)

    def offer(
        self,
        works: Iterable[tuple[Work, Relevance]],
        catalogue: Catalogue,
        *,
        today: str,
        threshold: int = 40,
    ) -> Counter[str]:
        """Put works into the queue that are neither catalogued, ignored, nor off the subject.

        Returns
        -------
        Counts of ``new``, ``joined`` (another telling of a waiting one), ``version``, ``known``, ``ignored``,
        ``notice`` (corrections and the like) and ``off`` (below `threshold`).
        """
        known = {key: paper.id for paper in catalogue.papers.values() for key in paper_keys(paper)}
        counts: Counter[str] = Counter()
        for key in [e.key for e in self.waiting.values() if e.kind == "new" and e.keys & known.keys()]:
            del self.waiting[key]
        self._index()
        for work, relevance in works:
            counts[self._offer(work, relevance, known, catalogue, today=today, threshold=threshold)] += 1
        return counts

    def _offer(
        self,
        work: Work,
        relevance: Relevance,
        known: Mapping[str, str],
        catalogue: Catalogue,
        *,
        today: str,
        threshold: int,
    ) -> str:
        if work.is_notice:
            return "notice"
        hits = sorted({known[k] for k in work.keys & known.keys()})
        if hits:
            paper = catalogue.papers[hits[0]]
            # Only a title in common says that a preprint has become an article; equal identifiers say nothing new.
            fresh = work.doi is not None and f"doi:{work.doi.lower()}" not in paper_keys(paper)
            if fresh and paper.status == "preprint" and work.kind == "article":
                why = f"{work.source} has an article with the same title or a relation to it"
                return "version" if self.propose("version", hits[0], work, [why], today=today) else "known"
            return "known"
        buried = next((self._buried[k] for k in sorted(work.keys) if k in self._buried), None)
        if buried is not None:
            self._bury(buried, work.keys)
            return "ignored"
        same = list(dict.fromkeys(self._waits[k] for k in sorted(work.keys) if k in self._waits))
        if same:
            self._join([self.waiting[k] for k in same], work, relevance)
            return "joined"
        if relevance.score < threshold:
            return "off"
        key = self._key("new", work)
        self.waiting[key] = Entry(
            key,
            "new",
            [work],
            relevance.score,
            list(relevance.reasons),
            list(relevance.tasks),
            relevance.role,
            found_on=today,
        )
        self._waits |= dict.fromkeys(work.keys, key)
        return "new"

    def _index(self) -> None:
        """Note which key waits in which entry and which was turned down: queues grow to thousands."""
        self._waits = {k: e.key for e in self.waiting.values() if e.kind == "new" for k in e.keys}
        self._buried = {k: n for n, old in enumerate(self.ignored) for k in old["keys"]}

    def _bury(self, n: int, keys: frozenset[str]) -> None:
        """Remember more keys of an ignored work: it may come back under any, and may wait under one already."""
        old = self.ignored[n]
        old["keys"] = sorted({*old["keys"], *keys})
        self._buried |= dict.fromkeys(keys, n)
        for key in {self._waits[k] for k in keys if k in self._waits}:
            entry = self.waiting.pop(key)
            for k in entry.keys:
                del self._waits[k]
            self._bury(n, entry.keys)

    def _join(self, same: Sequence[Entry], work: Work, relevance: Relevance) -> None:
        first, *others = same
        # One work may be the bridge between two entries that looked different before.
        for other in others:
            first.works += other.works
            del self.waiting[other.key]
            self._waits |= dict.fromkeys(other.keys, first.key)
        have = {(w.source, w.address) for w in first.works}
        if (work.source, work.address) not in have:
            first.works.append(work)
            self._waits |= dict.fromkeys(work.keys, first.key)
        if relevance.score > first.score:
            first.score, first.reasons = relevance.score, list(relevance.reasons)
            first.tasks, first.role = list(relevance.tasks), relevance.role

    def propose(self, kind: Kind, about: str, work: Work, reasons: Sequence[str], *, today: str) -> bool:
        """Queue a version or retraction of a catalogued paper; False where it waits or was decided already."""
        decision = Entry.decision(kind, about, work)
        if any(decision in old["keys"] for old in self.ignored) or any(
            decision in e.keys for e in self.waiting.values()
        ):
            return False
        key = self._key(decision, work)
        self.waiting[key] = Entry(key, kind, [work], 100, list(reasons), about=about, found_on=today)
        return True

    def find(self, name: str) -> Entry:
        """Return the waiting entry that `name` (key, its beginning, DOI or arXiv id) means.

        Raises
        ------
        DataError
            If it means none or several.
        """
        low = name.lower()
        hits = [e for e in self.waiting.values() if e.key.startswith(low) and len(low) >= 3]
        hits = hits or [
            e for e in self.waiting.values() if any({f"doi:{low}", f"arxiv:{low}"} & w.own for w in e.works)
        ]
        if len(hits) == 1:
            return hits[0]
        what = f"means {len(hits)} entries" if hits else "is not waiting"
        msg = f"{name!r} {what} in {self.path.name}. List them with `histoscribe papers queue`."
        raise DataError(msg)

    def ignore(self, entry: Entry, reason: str, *, today: str) -> None:
        """Turn an entry down for good.

        Raises
        ------
        DataError
            If no reason is given: the next person would have to find it out again.
        """
        if len(reason.strip()) < 5:
            msg = f"entry {entry.key} cannot be ignored without a reason. Say why, e.g. --reason 'no histology image'."
            raise DataError(msg)
        kept = {"title": entry.works[0].title, "reason": reason.strip(), "on": today, "keys": sorted(entry.keys)}
        self.ignored.append(kept)
        del self.waiting[entry.key]

    def _key(self, kind: str, work: Work) -> str:
        name = digest(kind, work.source, work.address)[:8]
        while name in self.waiting:
            name = digest(name)[:8]
        return name


def _entry(value: Mapping[str, Any]) -> Entry:
    works = [Work.from_dict(w) for w in value["works"]]
    if not works or value["kind"] not in {"new", "version", "retraction"}:
        msg = "an entry has no works or an unknown kind"
        raise ValueError(msg)
    given = {k: v for k, v in value.items() if k != "works"}
    return Entry(works=works, **given)
