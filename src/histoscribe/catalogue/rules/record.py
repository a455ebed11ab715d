"""Rules on a single record: schema, file name, vocabulary, provenance, conflicts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from histoscribe.catalogue.finding import Finding
from histoscribe.catalogue.schema import Claim, Dataset, Paper
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.catalogue.schema import Record
    from histoscribe.catalogue.store import Catalogue

__all__ = ["conflict", "file_name", "provenance", "schema", "vocabulary"]

#: Fields of a paper whose origin has to be named.
_SOURCED = ("title", "year", "venue", "doi", "arxiv", "code", "authors")


def _records(catalogue: Catalogue) -> list[Record]:
    return [*catalogue.papers.values(), *catalogue.datasets.values()]


def schema(catalogue: Catalogue) -> Iterator[Finding]:
    """Every file follows the schema."""
    for problem in catalogue.problems:
        yield Finding(
            "schema", problem.path.name, f"field {problem.field!r} {problem.what}", problem.mend, about=problem.field
        )


def file_name(catalogue: Catalogue) -> Iterator[Finding]:
    """A record lies in the file that carries its id."""
    for record in _records(catalogue):
        path = catalogue.path(record)
        if not path.exists():
            mend = f"Rename the file to {path.name}, or mend the id."
            yield Finding("file-name", record.id, f"the id is {record.id!r} but no file is called so", mend)


def vocabulary(catalogue: Catalogue) -> Iterator[Finding]:
    """Terms come from the vocabulary, venues and sources from their tables."""
    for record in _records(catalogue):
        for facet, field, values in _terms(record):
            for value in values:
                if (facet, value) not in catalogue.vocabulary.terms:
                    mend = _suggest(catalogue, facet, value)
                    yield Finding("vocabulary", record.id, f"{field} names {value!r}", mend, about=value)
        if isinstance(record, Paper) and record.venue and record.venue.name not in catalogue.venues:
            mend = "Use a name of venues.yaml, or add the venue there."
            what = f"venue {record.venue.name!r} is not in the table of venues"
            yield Finding("vocabulary", record.id, what, mend, about=record.venue.name)


def _terms(record: Record) -> list[tuple[str, str, list[str]]]:
    if isinstance(record, Paper):
        m = record.modality
        return [
            ("task", "tasks", record.tasks),
            ("approach", "approach", record.approach),
            ("data", "modality.inputs", m.inputs),
            ("data", "modality.outputs", m.outputs),
            ("platform", "modality.platforms", m.platforms),
            ("resolution", "modality.resolution", m.resolution),
            ("organ", "modality.organs", m.organs),
            ("species", "modality.species", m.species),
            ("task", "results.task", [r.task for r in record.results]),
        ]
    assert isinstance(record, Dataset)
    return [
        ("platform", "technology", record.technology),
        ("organ", "organs", record.organs),
        ("species", "species", record.species),
        ("resolution", "resolution", record.resolution),
    ]


def _suggest(catalogue: Catalogue, facet: str, value: str) -> str:
    try:
        return f"Write {catalogue.vocabulary.resolve(facet, value)!r}."
    except DataError as err:
        return str(err).rpartition(". ")[2]


def provenance(catalogue: Catalogue) -> Iterator[Finding]:
    """Each fact names where it was read, and the source is known."""
    for record in _records(catalogue):
        for sources in record.provenance.values():
            for source in sources:
                key = source.source if isinstance(source, Claim) else source
                if key not in catalogue.sources and not key.startswith(("http://", "https://")):
                    mend = "Give an address, or add the source to sources.yaml."
                    yield Finding("provenance", record.id, f"source {key!r} is unknown", mend, about=key)
        if "record" in record.provenance:
            continue
        needed = _SOURCED if isinstance(record, Paper) else ("record",)
        if isinstance(record, Paper) and record.role == "background":
            needed = ("title",)
        for field in needed:
            if getattr(record, field, True) and field not in record.provenance:
                mend = f"Add `{field}: [source]` under provenance, or `record: [source]` for all."
                yield Finding("provenance", record.id, f"field {field!r} names no source", mend, about=field)


def conflict(catalogue: Catalogue) -> Iterator[Finding]:
    """What sources disagree on is kept as a conflict, and a decision is what the record says."""
    for record in _records(catalogue):
        kept = {entry.field for entry in record.conflicts}
        for field, sources in record.provenance.items():
            values = {str(s.value) for s in sources if isinstance(s, Claim) and s.value is not None}
            if len(values) > 1 and field not in kept:
                what = f"sources give {field} as {' and '.join(sorted(values))}, and the record keeps one"
                yield Finding("conflict", record.id, what, "Add an entry under conflicts.", about=field)
        for entry in record.conflicts:
            value = getattr(record, entry.field, None)
            value = getattr(value, "name", value)
            if entry.decided is not None and str(entry.decided) != str(value):
                what = f"conflict on {entry.field} was decided as {entry.decided!r}, but the record says {value!r}"
                yield Finding("conflict", record.id, what, "Mend the field or the decision.", about=entry.field)
