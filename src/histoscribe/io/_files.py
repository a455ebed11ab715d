"""Open vendors' files so that a missing, truncated or foreign one ends as one clear line."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pandas as pd

from histoscribe.core.errors import DataError
from histoscribe.core.files import file_digest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["content_digest", "existing", "first_existing", "is_gzip", "open_text", "read_table", "reading"]

_GZIP = b"\x1f\x8b"
_DAMAGE = (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, csv.Error, OSError)


def existing(path: Path | str, *, what: str, remedy: str, error: type[Exception] = DataError) -> Path:
    """Return `path`, or say that `what` is missing there and what to do."""
    path = Path(path)
    if not path.exists():
        near = sorted(p.name for p in path.parent.glob("*") if not p.name.startswith("."))[:6]
        beside = f" The folder holds {', '.join(near)}." if near else ""
        msg = f"{what} {path} does not exist.{beside} {remedy}"
        raise error(msg)
    return path


def first_existing(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first of `names` (glob patterns) that exists in `folder`, sorted within a pattern, or None."""
    for name in names:
        found = sorted(folder.glob(name))
        if found:
            return found[0]
    return None


@contextmanager
def reading(path: Path, *, what: str) -> Iterator[None]:
    """Turn the many ways in which a damaged file fails into one DataError that names it."""
    try:
        yield
    except _DAMAGE as err:
        msg = (
            f"{what} {path} cannot be read: {str(err) or type(err).__name__}. "
            "It is truncated or not what its name says; copy or download it again."
        )
        raise DataError(msg) from err


def is_gzip(path: Path) -> bool:
    """Look at the first bytes: vendors ship plain text under names that end in .gz."""
    with path.open("rb") as handle:
        return handle.read(2) == _GZIP


@contextmanager
def open_text(path: Path, *, what: str) -> Iterator[IO[str]]:
    """Open a text file, gzip or not, by content; damage becomes a DataError."""
    with reading(path, what=what):
        raw: IO[bytes] = gzip.open(path) if is_gzip(path) else path.open("rb")  # noqa: SIM115
        with raw, io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as handle:
            yield handle


def read_table(path: Path, *, what: str, columns: Sequence[str], header: bool | None = True) -> pd.DataFrame:
    """Read a small table of text, comma- or tab-separated.

    Parameters
    ----------
    path, what
        The file, and its name in messages.
    columns
        Columns that must be there; where `header` is False, the names of all columns in order.
    header
        Whether the first line names the columns; None to find out from its first field.

    Raises
    ------
    DataError
        If the file is damaged, empty, or lacks a column.
    """
    with open_text(path, what=what) as handle:
        text = handle.read()
    first = text.partition("\n")[0]
    if not first.strip():
        msg = f"{what} {path} is empty. Copy or download it again."
        raise DataError(msg)
    separator = "\t" if "\t" in first else ","
    if header is None:
        header = first.split(separator)[0].strip('"') == columns[0]
    names = None if header else list(columns)
    try:
        table = pd.read_csv(
            io.StringIO(text), sep=separator, header=0 if header else None, names=names, index_col=False
        )
    except (pd.errors.ParserError, pd.errors.ParserWarning) as err:
        msg = f"{what} {path} is not a table ({str(err).strip()}). Copy or download it again."
        raise DataError(msg) from err
    lacking = [c for c in columns if c not in table]
    if lacking:
        have = ", ".join(map(str, table.columns[:8]))
        msg = f"{what} {path} lacks the column(s) {', '.join(lacking)} (it has {have}). Give the vendor's own file."
        raise DataError(msg)
    return table


def content_digest(paths: Sequence[Path]) -> str:
    """SHA-256 (hex) over the contents of several files, in the order given."""
    hasher = hashlib.sha256()
    for path in paths:
        hasher.update(file_digest(path).encode())
    return hasher.hexdigest()
