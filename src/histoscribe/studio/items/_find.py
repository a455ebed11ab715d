"""Find items: from what the command line was given to sections, slides, predictions, bundles and records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import numpy as np

from histoscribe.core.errors import DataError, HistoScribeError
from histoscribe.core.files import digest
from histoscribe.io import detect_reader, parse_spec
from histoscribe.io._spec import _manifest
from histoscribe.studio.items._imputed import hidden_of
from histoscribe.studio.items._stacks import Layer, Stacked, is_stack, stack_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Given", "Kind", "find", "is_prediction", "recorded"]

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
    stacks
        Registered stacks, by id.
    """

    items: list[tuple[Kind, str, str | None]] = field(default_factory=list)
    bundles: list[Path] = field(default_factory=list)
    records: list[Path] = field(default_factory=list)
    stacks: dict[str, Stacked] = field(default_factory=dict)


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
    _place_imputed(given)
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
        if any(hidden_of(Path(parse_spec(spec)[1])) for kind, spec, _ in found.items if kind == "prediction"):
            # The picture of all sections that `impute` leaves beside them is no slide.
            found.items = [one for one in found.items if not one[1].endswith("/stack.png")]
        if not (found.items or found.bundles or found.records):
            detect_reader(path)  # says what it looked for
            msg = f"{path} holds nothing that can be shown. Give a slide, a section, a prediction or a folder of them."
            raise DataError(msg)
        given.items += found.items
        given.bundles += found.bundles
        given.records += found.records
        given.stacks |= found.stacks


def _one(given: Given, path: Path, options: dict[str, str], *, quiet: bool = False) -> bool:
    """Add one path where it is itself something to show; say whether it was."""
    if is_stack(path):
        stack = stack_of(path)
        given.stacks[stack.id] = stack
        given.items += [("section", _spec("h5ad", layer.file, {}), stack.id) for layer in stack.layers]
    elif path.suffix == ".bundle" and path.is_file():
        given.bundles.append(path)
    elif is_prediction(path) or hidden_of(path) is not None:
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


def _place_imputed(given: Given) -> None:
    """Put imputed sections onto the sections of a given stack; those of a stack that is not here make one."""
    alone: dict[str, list[Layer]] = {}
    for i, (kind, spec, _) in enumerate(given.items):
        _, name, options = parse_spec(spec)
        hidden = hidden_of(Path(name)) if kind == "prediction" else None
        if hidden is None:
            continue
        sections = [y for s in given.stacks.values() if s.donor == hidden.donor for y in s.layers]
        at = next((layer for layer in sections if layer.name == hidden.name), None)
        if at is not None:
            given.items[i] = (kind, _spec(None, Path(name), options | {"section": str(at.file.resolve())}), None)
        else:
            key = digest("imputed", str(Path(name).resolve().parent), hidden.donor)
            alone.setdefault(key, []).append(Layer(hidden.name, Path(name), hidden.z_um, np.eye(3)))
            given.items[i] = (kind, spec, key)
            given.stacks[key] = Stacked(key, hidden.donor, sorted(alone[key], key=lambda layer: layer.z_um))


def is_prediction(path: Path) -> bool:
    """Say whether `path` is an AnnData file that calls itself a prediction."""
    return path.is_file() and path.suffix == ".h5ad" and recorded(path, "kind") == "prediction"


def recorded(path: Path, key: str) -> str:
    """Return one of the facts that HistoScribe writes into an AnnData file, or "" where it has none."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            found = file.get(f"uns/histoscribe/{key}")
            value = "" if found is None else found[()]
    except (OSError, KeyError, TypeError):
        return ""  # the reader says what is wrong with it
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


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
