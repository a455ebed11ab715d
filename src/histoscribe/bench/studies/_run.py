"""Run a study: entry by entry, seed by seed; a record for each case; what is stored and unchanged is not repeated."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from histoscribe.bench.suite import data_root
from histoscribe.core.errors import DataError, HistoScribeError, RegistryError
from histoscribe.core.files import digest, file_digest
from histoscribe.core.progress import progress
from histoscribe.core.records import RunRecord
from histoscribe.core.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from histoscribe.bench.studies._study import Entry, Study

__all__ = ["StudyDone", "choose_entries", "run_study"]


@dataclass(frozen=True, eq=False)
class StudyDone:
    """One entry with one seed: its records, whether they were there before, and what went wrong if it failed."""

    entry: Entry
    seed: int
    records: list[RunRecord]
    earlier: bool = False
    failure: str = ""


def choose_entries(study: Study, wanted: Sequence[str] = (), *, slow: bool = False) -> list[Entry]:
    """Return the entries of these labels or method names; default all but the slow ones.

    Raises
    ------
    RegistryError
        If a name is neither.
    """
    if not wanted:
        return [e for e in study.entries if slow or not e.slow]
    for name in wanted:
        if not any(name in (e.label, e.method) for e in study.entries):
            known = {e.label: e for e in study.entries}
            msg = f"study {study.id!r} has no row {name!r}. {did_you_mean(name, known)}"
            raise RegistryError(msg)
    return [e for e in study.entries if e.label in wanted or e.method in wanted]


def run_study(
    study: Study,
    *,
    methods: Sequence[str] = (),
    seeds: Sequence[int] = (),
    out: Path | str = "results",
    slow: bool = False,
    fresh: bool = False,
    any_code: bool = False,
    show: bool | None = None,
    report: Callable[[StudyDone], None] | None = None,
) -> list[StudyDone]:
    """Run entries of a study; an entry that fails is told at the end and stops no other.

    Parameters
    ----------
    study
        A member of `STUDIES`.
    methods
        Labels of entries or names of methods; default all entries but the slow ones.
    seeds
        Default the study's own.
    out
        Records go to ``<out>/<study>/<method>/<id>.json``.
    slow
        Run the slow entries, too.
    fresh
        Run again what is stored.
    any_code
        Keep a stored record even where the source has changed since; it says which commit made it.
    show
        Show progress; default where stderr is a terminal.
    report
        Called with each entry as it ends.

    Raises
    ------
    DataError
        If data are missing.
    """
    root = data_root()
    missing = study.missing(root)
    if missing:
        msg = f"study {study.id!r} needs files that are not below {root}: {', '.join(missing[:5])}. {study.how_to_get}"
        raise DataError(msg)
    work = [(entry, seed) for seed in seeds or study.seeds for entry in choose_entries(study, methods, slow=slow)]
    folder = Path(out) / study.id
    found = []
    with progress(study.id, len(work), unit="runs", show=show) as advance:
        for entry, seed in work:
            done = _one(study, entry, seed, root=root, folder=folder, fresh=fresh, any_code=any_code)
            found.append(done)
            advance(1, entry.label)
            if report is not None:
                report(done)
    return found


def _one(study: Study, entry: Entry, seed: int, *, root: Path, folder: Path, fresh: bool, any_code: bool) -> StudyDone:
    question = digest(f"{study.id} {study.version} {entry.label} {entry.method} {entry.params} {seed}")
    key = f"{question}-{_code_digest()}"
    earlier = [] if fresh else _stored(folder / entry.method, question if any_code else key)
    if earlier:
        return StudyDone(entry, seed, earlier, earlier=True)
    start, records = time.perf_counter(), []
    try:
        records = list(study.run(entry, seed=seed, root=root))
    except HistoScribeError as err:
        return StudyDone(entry, seed, [], failure=str(err))
    spent = round((time.perf_counter() - start) / max(len(records), 1), 3)
    # Written together at the end: what is stored of a run is always the whole of it.
    records = [replace(r, run_key=key, family=study.family, seconds=r.seconds or spent) for r in records]
    for record in records:
        record.save(folder / entry.method)
    return StudyDone(entry, seed, records)


def _stored(folder: Path, key: str) -> list[RunRecord]:
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            record = RunRecord.load(path)
        except DataError:
            continue  # a damaged file is written again
        if record.run_key == key or record.run_key.partition("-")[0] == key:
            found.append(record)
    return found


@cache
def _code_digest() -> str:
    """16 hex digits of the package's whole source."""
    package = Path(__file__).parents[2]
    return digest(*(f"{p.relative_to(package)} {file_digest(p)}" for p in sorted(package.rglob("*.py"))))
