"""The catalogue in memory: read every record, find one by id, write one back."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from histoscribe.catalogue.schema import Dataset, Paper, Record
from histoscribe.catalogue.vocabulary import Vocabulary
from histoscribe.catalogue.yamlfile import load_yaml, write_yaml
from histoscribe.core.errors import DataError
from histoscribe.core.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["RECORDS", "Catalogue", "Problem", "RecordError", "plain", "read_record"]

#: The records that come with the package.
RECORDS = Path(__file__).parent / "records"

_KINDS: dict[str, type[Record]] = {"papers": Paper, "datasets": Dataset}


@dataclass(frozen=True)
class Problem:
    """A record file that could not be read: where, which field, what is wrong, how to mend it."""

    path: Path
    field: str
    what: str
    mend: str


@dataclass
class Catalogue:
    """All records of one folder.

    Attributes
    ----------
    folder
        Folder with ``papers/``, ``datasets/``, ``vocabulary.yaml``, ``venues.yaml``, ``sources.yaml``.
    papers, datasets
        Id to record.
    problems
        Files that could not be read; `load` raises on them unless told to collect them.
    """

    folder: Path
    papers: dict[str, Paper] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path | str | None = None, *, collect: bool = False) -> Catalogue:
        """Read all records.

        Parameters
        ----------
        folder
            Where the records lie; default those of the package.
        collect
            Keep unreadable files in `problems` instead of raising.

        Raises
        ------
        DataError
            If a record cannot be read, naming the file, the field and the mend.
        """
        catalogue = cls(Path(folder) if folder else RECORDS)
        if not (catalogue.folder / "papers").is_dir():
            msg = f"{catalogue.folder} holds no papers/ folder. Give the folder that holds papers/ and datasets/."
            raise DataError(msg)
        for path in catalogue.files():
            try:
                catalogue.add(read_record(path))
            except RecordError as err:
                catalogue.problems.extend(err.problems)
        if catalogue.problems and not collect:
            first = catalogue.problems[0]
            msg = f"{first.path.name}: field {first.field!r} {first.what}. {first.mend}"
            raise DataError(msg)
        return catalogue

    def files(self) -> Iterator[Path]:
        """Yield every record file, in order."""
        for kind in _KINDS:
            yield from sorted((self.folder / kind).glob("*.yaml"), key=lambda path: path.stem)

    def add(self, record: Record) -> None:
        """Put a record into memory, in place of one with the same id."""
        kind = self.papers if isinstance(record, Paper) else self.datasets
        kind[record.id] = record  # type: ignore[assignment]

    def paper(self, key: str) -> Paper:
        """Return the paper called `key`, or the nearest ids in an error."""
        return _find(self.papers, key, "paper")

    def dataset(self, key: str) -> Dataset:
        """Return the data set called `key`, or the nearest ids in an error."""
        return _find(self.datasets, key, "data set")

    def path(self, record: Record) -> Path:
        """Return the file that holds `record`."""
        return self.folder / ("papers" if isinstance(record, Paper) else "datasets") / f"{record.id}.yaml"

    def save(self, record: Record) -> Path:
        """Write a record to its file, atomically, and into memory."""
        path = self.path(record)
        write_yaml(path, plain(record))
        self.add(record)
        return path

    def _file(self, name: str) -> Path:
        # A folder of somebody's own records need not repeat the tables.
        return self.folder / name if (self.folder / name).exists() else RECORDS / name

    @property
    def vocabulary(self) -> Vocabulary:
        """The terms of this catalogue."""
        return _vocabulary(self._file("vocabulary.yaml"))

    @property
    def sources(self) -> Mapping[str, dict[str, Any]]:
        """Key to what is known of a source: address, commit, licence."""
        return _table(self._file("sources.yaml"))

    @property
    def venues(self) -> Mapping[str, dict[str, Any]]:
        """Canonical venue name to its aliases, kind, DOI and address patterns."""
        return _table(self._file("venues.yaml"))

    @property
    def authority(self) -> Mapping[str, dict[str, Any]]:
        """Identifier (``doi:``, ``arxiv:`` or ``url:``) to the title, year and venue that an authority gives for it."""
        return _table(self._file("authority.yaml"))


class RecordError(DataError):
    """A record file does not follow the schema; `problems` has one entry for each field."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{p.path.name}: field {p.field!r} {p.what}. {p.mend}" for p in problems))


def read_record(path: Path) -> Record:
    """Read one record file.

    Raises
    ------
    RecordError
        With one problem for each field that is missing or wrong.
    """
    model = _KINDS.get(path.parent.name)
    if model is None:
        mend = "Put it into papers/ or datasets/."
        raise RecordError([Problem(path, "(file)", f"lies in {path.parent.name}/", mend)])
    try:
        value = load_yaml(path)
    except DataError as err:
        raise RecordError([Problem(path, "(file)", str(err), "")]) from err
    if not isinstance(value, dict):
        raise RecordError([Problem(path, "(file)", "is not a table of fields", "Start it with `id: ...`.")])
    try:
        return model.model_validate(value)
    except ValidationError as err:
        raise RecordError([_problem(path, error) for error in err.errors()]) from err


def _problem(path: Path, error: Mapping[str, Any]) -> Problem:
    where = ".".join(str(part) for part in error["loc"]) or "(record)"
    if error["type"] == "missing":
        return Problem(path, where, "is missing", f"Add a line `{error['loc'][-1]}: ...` (`null` where not known).")
    if error["type"] == "extra_forbidden":
        return Problem(path, where, "is no field of the schema", "Check its spelling, or take the line out.")
    given = repr(error["input"])
    return Problem(path, where, f"is {given[:60]}: {error['msg'][0].lower()}{error['msg'][1:]}", "Mend the value.")


def plain(record: Record) -> dict[str, Any]:
    """Return a record as plain values in the order of the schema; what is empty is left out, required nulls stay."""
    value = record.model_dump(mode="json", exclude_defaults=True)
    order = list(type(record).model_fields)
    # Readers of a file look for the id and the title first; inherited fields would put the provenance there.
    last = ["note", "note_zh", "provenance", "verified", "conflicts", "mended", "waivers", "last_verified"]
    order = ["id"] + [k for k in order if k not in last and k != "id"] + last
    return {key: value[key] for key in order if key in value}


def _find(records: Mapping[str, Any], key: str, kind: str) -> Any:
    if key in records:
        return records[key]
    msg = f"the catalogue has no {kind} called {key!r}. {_near(key, records)}"
    raise DataError(msg)


def _near(key: str, records: Mapping[str, Any]) -> str:
    starts = [name for name in records if name.startswith(key.lower())]
    if starts:
        return f"Did you mean {' or '.join(repr(name) for name in starts[:3])}?"
    near = did_you_mean(key, list(records))
    return near if near.startswith("Did") else "Look it up with `histoscribe papers search`."


@lru_cache(maxsize=4)
def _vocabulary(path: Path) -> Vocabulary:
    return Vocabulary.load(path)


@lru_cache(maxsize=16)
def _table(path: Path) -> dict[str, dict[str, Any]]:
    return load_yaml(path) or {}
