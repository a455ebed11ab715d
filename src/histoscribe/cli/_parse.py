"""Turn what a user types into values, with an error that says what was expected."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoscribe.core.errors import DataError, GeneError

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["Weights", "gene_list", "parameters", "sections_with_composition", "sizes", "tissue_filters"]

_PLACES = "HISTOSCRIBE_WEIGHTS"


def _places(context: typer.Context, value: list[str] | None) -> list[str] | None:
    """Put what --weights gives before `HISTOSCRIBE_WEIGHTS` while the command runs, for its processes, too."""
    if value:
        before = os.environ.get(_PLACES)
        os.environ[_PLACES] = os.pathsep.join([*value, *filter(None, [before])])
        # A test runs several commands in one process.
        context.call_on_close(
            lambda: os.environ.pop(_PLACES) if before is None else os.environ.update({_PLACES: before})
        )
    return value


#: Option of every command that makes an encoder.
Weights = Annotated[
    list[str] | None,
    typer.Option(
        "--weights",
        callback=_places,
        help="Weights of a foundation model, PATH or NAME=PATH; repeatable. Default: HISTOSCRIBE_WEIGHTS, hub's cache.",
    ),
]


def sizes(text: str) -> list[float]:
    """Parse comma-separated tile sides in um."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError as err:
        msg = f"tile sides {text!r} are not numbers. Give um separated by commas, e.g. 112,224,448."
        raise DataError(msg) from err
    if any(not 1 <= value <= 10_000 for value in values) or len(set(values)) < len(values):
        msg = f"tile sides {text!r} must be different and between 1 and 10000 um. Give e.g. 112,224,448."
        raise DataError(msg)
    return values


def tissue_filters(text: str) -> tuple[str, ...]:
    """Parse comma-separated names of tissue filters; an unknown one is refused before any work."""
    from histoscribe.tiles import FILTERS

    names = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in names:
        FILTERS.get(name)
    return names


def gene_list(text: str) -> int | list[str]:
    """Parse a number of genes, or read a file with one symbol a line."""
    if text.isdigit() and int(text) > 0:
        return int(text)
    path = Path(text)
    if not path.is_file():
        msg = f"--genes {text!r} is neither a number nor a file. Give e.g. 250, or a file with one symbol a line."
        raise GeneError(msg)
    genes = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    repeated = sorted({g for g in genes if genes.count(g) > 1})
    if repeated or not genes:
        what = f"repeats {', '.join(repeated[:3])}" if repeated else "is empty"
        msg = f"gene list {path} {what}. Give each symbol once, one a line."
        raise GeneError(msg)
    return genes


def parameters(items: list[str]) -> dict[str, Any]:
    """Parse ``name=value`` pairs; values are JSON, or plain text where they are not."""
    values: dict[str, Any] = {}
    for item in items:
        name, equals, value = item.partition("=")
        if not equals or not name.isidentifier():
            msg = f"parameter {item!r} is not name=value. Give e.g. --param pca=256."
            raise DataError(msg)
        try:
            values[name] = json.loads(value)
        except json.JSONDecodeError:
            values[name] = value
    return values


def sections_with_composition(sections: list[Section], files: list[str]) -> list[Section]:
    """Give each section the composition of its file."""
    from histoscribe.methods import with_composition

    if len(files) != len(sections):
        msg = f"{len(files)} --composition for {len(sections)} sections. Give one for each, in the sections' order."
        raise DataError(msg)
    return [with_composition(section, file) for section, file in zip(sections, files, strict=True)]
