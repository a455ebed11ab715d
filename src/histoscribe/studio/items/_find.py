"""Find items: from what the command line was given to sections, slides, predictions, bundles and records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

from histoscribe.core.errors import DataError, HistoScribeError
from histoscribe.io import detect_reader, parse_spec
from histoscribe.io._spec import _manifest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Given", "Kind", "find", "is_prediction"]

Kind = Literal["slide", "section", "prediction"]


@dataclass
class Given:
    """What was given.

    Attributes
    ----------
    items
        Kind, specification and stack (or None) of each item.
    bundles
        Files that `histoscribe fit` wrote.
    records
        Files and folders with records of runs.
    """

    items: list[tuple[Kind, str, str | None]] = field(default_factory=list)
    bundles: list[Path] = field(default_factory=list)
    records: list[Path] = field(default_factory=list)


def find(paths: Sequence[str]) -> Given:
    """Sort what was given by kind; files are looked at, not yet read.

    Parameters
    ----------
    paths
        ``[READER:]PATH[?key=value&...]``, a manifest (``.toml``), a prediction, a bundle, a slide, a folder of records,
        or a folder that holds any of these.

    Raises
    ------
    DataError
        If something does not exist or is nothing that can be shown.
    """
    given = Given()
    for text in paths:
        _add(given, text)
    return given


def _add(given: Given, text: str) -> None:
    if text.endswith(".toml") and ":" not in text:
        given.items += _of_manifest(Path(text))
        return
    reader, name, options = parse_spec(text)
    path = Path(name)
    if reader is not None:
        kind: Kind = "slide" if reader == "slide" else "section"
        given.items.append((kind, _spec(reader, path, options), None))
        return
    if not path.exists():
        msg = f"{path} does not exist. Check the path (it is relative to {Path.cwd()})."
        raise DataError(msg)
    if not _one(given, path, options):
        found = Given()
        for part in sorted(path.iterdir()) if path.is_dir() else ():
            _one(found, part, {}, quiet=True)
        if not (found.items or found.bundles or found.records):
            detect_reader(path)  # says what it looked for
            msg = f"{path} holds nothing that can be shown. Give a slide, a section, a prediction or a folder of them."
            raise DataError(msg)
        given.items += found.items
        given.bundles += found.bundles
        given.records += found.records


def _one(given: Given, path: Path, options: dict[str, str], *, quiet: bool = False) -> bool:
    """Add one path where it is itself something to show; say whether it was."""
    if path.suffix == ".bundle" and path.is_file():
        given.bundles.append(path)
    elif is_prediction(path):
        given.items.append(("prediction", _spec(None, path, options), None))
    elif path.suffix == ".toml" and path.is_file() and quiet:
        return False  # a folder may hold other tables
    elif _holds_records(path):
        given.records.append(path)
    else:
        try:
            reader = detect_reader(path)
        except HistoScribeError:
            return False
        if quiet and reader == "st-array" and path.is_file():
            return False  # any table of text looks like counts
        given.items.append(("slide" if reader == "slide" else "section", _spec(reader, path, options), None))
    return True


def is_prediction(path: Path) -> bool:
    """Say whether `path` is an AnnData file that calls itself a prediction."""
    if not (path.is_file() and path.suffix == ".h5ad"):
        return False
    import h5py

    try:
        with h5py.File(path, "r") as file:
            kind = file.get("uns/histoscribe/kind")
            return kind is not None and kind[()] in {b"prediction", "prediction"}
    except (OSError, KeyError, TypeError):
        return False  # the reader says what is wrong with it


def _holds_records(path: Path) -> bool:
    """Say whether `path` is a record, a folder of records, or what `evaluate --out` and `bench run` wrote."""
    if path.is_file():
        return path.suffix == ".json" and _is_record(path)
    if not path.is_dir():
        return False
    found: Iterable[Path] = (p for depth in ("*.json", "*/*.json", "*/*/*.json") for p in path.glob(depth))
    return any(_is_record(p) for _, p in zip(range(20), found, strict=False))


def _is_record(path: Path) -> bool:
    from histoscribe.core.files import read_json

    try:
        value = read_json(path)
    except (HistoScribeError, OSError):
        return False
    return isinstance(value, dict) and ({"benchmark", "method", "scores"} <= set(value) or "record" in value)


def _of_manifest(path: Path) -> list[tuple[Kind, str, str | None]]:
    """Return the sections of a manifest; several of one donor are a stack, in the manifest's order."""
    rows = _manifest(path)
    donors = [options.get("donor") for _, _, options in rows]
    stacked = {d for d in donors if d is not None and donors.count(d) > 1}
    return [
        ("section", _spec(reader, Path(name), options), f"{path.stem}-{donor}" if donor in stacked else None)
        for (reader, name, options), donor in zip(rows, donors, strict=True)
    ]


def _spec(reader: str | None, path: Path, options: dict[str, str]) -> str:
    """Write a specification whose path is absolute, so that a worker process reads the same."""
    words = "&".join(f"{key}={quote(str(value), safe='/:,')}" for key, value in options.items())
    return (f"{reader}:" if reader else "") + str(path.resolve()) + (f"?{words}" if words else "")
