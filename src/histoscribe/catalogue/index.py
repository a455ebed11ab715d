"""The search index: one SQLite file with full text and filters, built from the records and cached by their content."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.ladder import Climb, climb
from histoscribe.catalogue.query import Filters, match_expression
from histoscribe.catalogue.store import RECORDS, Catalogue, plain
from histoscribe.core.errors import StorageError
from histoscribe.core.files import atomic_path, cache_dir, digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from histoscribe.catalogue.schema import Dataset, Paper
    from histoscribe.catalogue.vocabulary import Vocabulary

__all__ = ["Hit", "Index", "fingerprint", "open_index"]

#: Raised when the layout below changes, so that an old cache is not read.
_LAYOUT = "4"

#: Columns of full text and what a hit in each is worth: a method's name says most, a note least.
_WEIGHTS = {"names": 12.0, "title": 6.0, "terms": 4.0, "people": 3.0, "venue": 2.0, "data": 2.0, "notes": 1.0}

_TABLES = f"""
CREATE TABLE record (
    id INTEGER PRIMARY KEY, key TEXT UNIQUE, kind TEXT, year INTEGER, level INTEGER, status TEXT, role TEXT,
    licence TEXT, has_code INTEGER, boost REAL
);
CREATE TABLE body (record INTEGER PRIMARY KEY, body TEXT);
CREATE TABLE facet (facet TEXT, value TEXT, record INTEGER, PRIMARY KEY (facet, value, record)) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(
    {", ".join(_WEIGHTS)}, content='', tokenize='porter unicode61 remove_diacritics 2', prefix='2 3'
);
"""

#: Worth of a query that is exactly a record's name: who types "triplex" wants TRIPLEX, not BG-TRIPLEX.
_NAMED = 20.0


@dataclass(frozen=True)
class Hit:
    """One line of a search: id, kind (``paper`` or ``dataset``), score (higher is better) and the record's values."""

    key: str
    kind: str
    score: float
    body: dict[str, Any]


class Index:
    """An open index.

    Parameters
    ----------
    connection
        SQLite database with the tables of this module.
    vocabulary
        Terms by which queries are understood.
    """

    def __init__(self, connection: sqlite3.Connection, vocabulary: Vocabulary) -> None:
        self.connection = connection
        self.vocabulary = vocabulary

    @classmethod
    def build(
        cls, catalogue: Catalogue, *, ladder: Mapping[str, Climb] | None = None, path: Path | str = ":memory:"
    ) -> Index:
        """Index every record of `catalogue`; `ladder` gives each paper's place (default: without any runs)."""
        connection = sqlite3.connect(path)
        connection.executescript(_TABLES)
        rows = [_paper_row(p, catalogue, ladder) for p in catalogue.papers.values()]
        rows += [_dataset_row(d, catalogue) for d in catalogue.datasets.values()]
        _insert(connection, rows)
        return cls(connection, catalogue.vocabulary)

    def __len__(self) -> int:
        return int(self.connection.execute("SELECT count(*) FROM record").fetchone()[0])

    def close(self) -> None:
        """Close the database."""
        self.connection.close()

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the values of one record."""
        row = self.connection.execute(
            "SELECT body FROM record JOIN body ON body.record = id WHERE key = ?", (key,)
        ).fetchone()
        return json.loads(row[0]) if row else None

    def search(self, query: str = "", filters: Filters | None = None, *, limit: int = 20) -> list[Hit]:
        """Find records, best first.

        Parameters
        ----------
        query
            Words, phrases and terms in English or Chinese, all of which must be met; where nothing meets all, any.
        filters
            What the records must have besides.
        limit
            Most hits returned.
        """
        filters = filters or Filters()
        strict, loose = match_expression(query, self.vocabulary)
        if query.strip() and strict is None:
            return []
        named = [query.strip().casefold(), *query.casefold().split()]
        hits = self._run(strict, filters, limit, named)
        if not hits and loose and loose != strict:
            hits = self._run(loose, filters, limit, named)
        return hits

    def count(self, query: str = "", filters: Filters | None = None) -> int:
        """Count the records that meet every word of `query` and the filters."""
        strict, _ = match_expression(query, self.vocabulary)
        if query.strip() and strict is None:
            return 0
        where, values = (filters or Filters()).sql(self.vocabulary)
        join = "JOIN words ON words.rowid = record.id AND words MATCH ?" if strict else ""
        sql = f"SELECT count(*) FROM record {join} WHERE {where}"
        return int(self.connection.execute(sql, [strict, *values] if strict else values).fetchone()[0])

    def _run(self, match: str | None, filters: Filters, limit: int, named: list[str]) -> list[Hit]:
        where, values = filters.sql(self.vocabulary)
        if match is None:
            best = f"SELECT * FROM record WHERE {where} ORDER BY boost DESC, id LIMIT ?"
            sql = f"SELECT key, kind, boost, body FROM ({best}) JOIN body ON body.record = id ORDER BY boost DESC, id"
            rows = self.connection.execute(sql, [*values, limit])
        else:
            weights = ", ".join(str(w) for w in _WEIGHTS.values())
            names = ", ".join("?" for _ in named)
            # A record's text lies in a table of its own and is read for the best only: it would cost more than ranking.
            sql = f"""
                SELECT key, kind, score, body FROM record JOIN (
                    SELECT record.id AS best, -bm25(words, {weights}) + boost
                        + {_NAMED} * (record.id IN
                            (SELECT record FROM facet WHERE facet = 'name' AND value IN ({names})))
                        AS score
                    FROM words JOIN record ON record.id = words.rowid
                    WHERE words MATCH ? AND {where}
                    ORDER BY score DESC, record.id LIMIT ?
                ) ON best = id JOIN body ON body.record = id ORDER BY score DESC, id
            """
            rows = self.connection.execute(sql, [*named, match, *values, limit])
        return [Hit(key, kind, round(score, 4), json.loads(body)) for key, kind, score, body in rows]

    def words_like(self, word: str) -> list[str]:
        """Return indexed names near to `word`, for "did you mean"."""
        from difflib import get_close_matches

        names = [row[0] for row in self.connection.execute("SELECT DISTINCT value FROM facet WHERE facet = 'name'")]
        return get_close_matches(word.casefold(), names, n=3, cutoff=0.7)


def _insert(connection: sqlite3.Connection, rows: Iterable[tuple[dict[str, Any], dict[str, str], set[Any]]]) -> None:
    # Newest first: of two records that rank alike, the smaller id is the more recent one.
    ordered = sorted(rows, key=lambda row: (-(row[0]["year"] or 0), row[0]["key"]))
    names = ", ".join(_WEIGHTS)
    with connection:
        for number, (record, text, facets) in enumerate(ordered, start=1):
            connection.execute("INSERT INTO body VALUES (?, ?)", (number, record.pop("body")))
            marks = ", ".join(f":{name}" for name in record)
            columns = f"INSERT INTO record (id, {', '.join(record)}) VALUES ({number}, {marks})"
            connection.execute(columns, record)
            marks = ", ".join("?" for _ in _WEIGHTS)
            words = [text.get(name, "") for name in _WEIGHTS]
            connection.execute(f"INSERT INTO words (rowid, {names}) VALUES ({number}, {marks})", words)
            pairs = [(facet, value, number) for facet, value in facets if value]
            connection.executemany("INSERT OR IGNORE INTO facet VALUES (?, ?, ?)", pairs)
        connection.execute("INSERT INTO words(words) VALUES ('optimize')")


def _terms(vocabulary: Vocabulary, facets: set[tuple[str, str]]) -> str:
    """Write terms as their tokens and their labels, so that words and concepts both find them."""
    parts = []
    for facet, key in sorted(facets):
        term = vocabulary.terms.get((facet, key))
        if term:
            parts += [term.token, term.en, term.zh]
    return " ".join(parts)


def _paper_row(paper: Paper, catalogue: Catalogue, ladder: Mapping[str, Climb] | None) -> tuple[Any, Any, Any]:
    m = paper.modality
    facets = {("task", t) for t in paper.tasks} | {("approach", a) for a in paper.approach}
    facets |= {("platform", p) for p in m.platforms} | {("resolution", r) for r in m.resolution}
    facets |= {("organ", o) for o in m.organs} | {("species", s) for s in m.species}
    facets |= {("data", d) for d in [*m.inputs, *m.outputs]}
    datasets = [catalogue.datasets[d] for d in paper.datasets if d in catalogue.datasets]
    # A paper's platforms and organs are rarely read, but those of the data it uses are known. Collections span
    # everything and would say nothing.
    for d in datasets:
        if d.kind == "cohort":
            facets |= {("platform", t) for t in d.technology} | {("organ", o) for o in d.organs}
    names = [paper.method.name, *paper.method.aliases] if paper.method else []
    place = ladder[paper.id] if ladder and paper.id in ladder else climb(paper)
    notes = [paper.note, paper.note_zh, paper.code.note if paper.code else None, *paper.mended]
    text = {
        "names": " ".join([*names, paper.id]),
        "title": " ".join([paper.title, *(v.title for v in paper.versions if v.title)]),
        "terms": _terms(catalogue.vocabulary, facets),
        "people": " ".join(paper.authors),
        "venue": f"{paper.venue.name if paper.venue else ''} {paper.year or ''} {paper.doi or ''} {paper.arxiv or ''}",
        "data": " ".join([*(n for d in datasets for n in (d.name, *d.aliases)), *paper.datasets_unlisted]),
        "notes": " ".join(n for n in notes if n),
    }
    body = plain(paper) | {"level": place.level}
    record = {
        "key": paper.id,
        "kind": "paper",
        "year": paper.year,
        "level": place.level,
        "status": paper.status,
        "role": paper.role,
        "licence": _folded(paper.code.licence if paper.code else None),
        "has_code": int(bool(paper.code and paper.code.url)),
        "boost": _boost(paper, place),
        "body": json.dumps(body, ensure_ascii=False),
    }
    facets |= {("dataset", d) for d in paper.datasets} | {("name", n.casefold()) for n in names}
    facets |= {("venue", _folded(paper.venue.name))} if paper.venue else set()
    return record, text, facets


def _boost(paper: Paper, place: Climb) -> float:
    """Worth of a paper before any query: breaks ties towards the field's own, runnable and founding papers."""
    role = {"core": 1.0, "related": 0.0, "background": -1.0}[paper.role]
    return role + 0.15 * place.level + (1.0 if paper.founding else 0.0)


def _dataset_row(dataset: Dataset, catalogue: Catalogue) -> tuple[Any, Any, Any]:
    facets = {("platform", t) for t in dataset.technology} | {("organ", o) for o in dataset.organs}
    facets |= {("species", s) for s in dataset.species} | {("resolution", r) for r in dataset.resolution}
    paper = catalogue.papers.get(dataset.paper or "")
    text = {
        "names": " ".join([dataset.name, *dataset.aliases, dataset.id]),
        "title": dataset.name,
        "terms": _terms(catalogue.vocabulary, facets | {("task", "dataset")}),
        "venue": " ".join([dataset.kind, *dataset.accession, dataset.doi or "", dataset.licence or ""]),
        "data": paper.title if paper else "",
        "notes": " ".join(n for n in (dataset.note, dataset.note_zh) if n),
    }
    record = {
        "key": dataset.id,
        "kind": "dataset",
        "year": paper.year if paper else None,
        "level": None,
        "status": dataset.kind,
        "role": "core",
        "licence": _folded(dataset.licence),
        "has_code": 0,
        "boost": {"cohort": 1.0, "collection": 1.0, "portal": 0.0, "predicted": -1.0}[dataset.kind],
        "body": json.dumps(plain(dataset), ensure_ascii=False),
    }
    facets |= {("name", n.casefold()) for n in (dataset.name, *dataset.aliases)}
    return record, text, facets


def _folded(text: str | None) -> str | None:
    return text.casefold() if text else None


def fingerprint(folder: Path) -> str:
    """Name the state of a folder of records by its files' names, sizes and times."""
    parts = [_LAYOUT]
    for kind in (".", "papers", "datasets"):
        with os.scandir(folder / kind) as entries:
            files = sorted(
                (e.name, e.stat().st_size, e.stat().st_mtime_ns) for e in entries if e.name.endswith(".yaml")
            )
        parts.extend(f"{kind}/{name}:{size}:{time}" for name, size, time in files)
    return digest(*parts)


def open_index(
    folder: Path | str | None = None,
    *,
    ladder: Callable[[Catalogue], Mapping[str, Climb]] | None = None,
    runs_key: str = "",
) -> Index:
    """Open the index of a folder of records; build and cache it where records or runs have changed.

    Parameters
    ----------
    folder
        Folder of records; default those of the package.
    ladder
        Gives the place of each paper; asked only when the index has to be built.
    runs_key
        Names the state of the stored runs that `ladder` stands on.
    """
    folder = Path(folder) if folder else RECORDS
    path = cache_dir() / "catalogue" / f"{digest(str(folder.resolve()), fingerprint(folder), runs_key)}.sqlite"
    vocabulary = Catalogue(folder).vocabulary
    if path.exists():
        # A damaged cache is made anew: it holds nothing that the records do not.
        try:
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
            connection.execute("SELECT count(*) FROM record").fetchone()
            return Index(connection, vocabulary)
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
    catalogue = Catalogue.load(folder)
    places = ladder(catalogue) if ladder else None
    try:
        with atomic_path(path) as temporary, closing(Index.build(catalogue, ladder=places, path=temporary).connection):
            pass
    except (StorageError, OSError, sqlite3.OperationalError):
        # A machine without a writable cache searches as well, only slower to start.
        return Index.build(catalogue, ladder=places)
    _drop_old(path)
    return Index(sqlite3.connect(f"file:{path}?mode=ro", uri=True), vocabulary)


def _drop_old(path: Path) -> None:
    old = sorted(path.parent.glob("*.sqlite"), key=lambda p: p.stat().st_mtime)[:-4]
    for other in old:
        if other != path:
            other.unlink(missing_ok=True)
