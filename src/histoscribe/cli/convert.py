"""`histoscribe convert`: read a section in one form and write it in another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def convert(
    section: Annotated[str, typer.Argument(help="Section: [READER:]PATH[?key=value&...].")],
    out: Annotated[Path, typer.Argument(help="File or folder to write.")],
    to: Annotated[str | None, typer.Option(help="Writer; default by the ending of OUT.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="Option of the writer, key=value; can be repeated.")] = None,
    annotations: Annotated[
        list[str] | None,
        typer.Option(
            "--annotations",
            help="[KEY=]FILE.geojson: label observations with the annotation they lie in, in obs KEY; can be repeated.",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace what is there.")] = False,
) -> None:
    """Write a section as AnnData, SpatialData, HEST, TRIDENT or QuPath files, labelled with annotations if asked.

    What is written is read again with `READER:OUT`, the reader having the writer's name.
    """
    from histoscribe.core import keys
    from histoscribe.io import annotate, read_spec, write

    loaded = read_spec(section)
    for text in annotations or []:
        key, _, file = text.rpartition("=")
        loaded = annotate(loaded, file, key or "annotation")
        typer.echo(loaded.table.uns[keys.UNS]["notes"][-1])
    options = _options(option or [])
    written = write(loaded, out, to, overwrite=overwrite, **options)
    typer.echo(f"{loaded.name}: {loaded.n_obs} observations x {loaded.table.n_vars} genes -> {written}")


def _options(items: list[str]) -> dict[str, str]:
    from histoscribe.core.errors import DataError

    values = {}
    for item in items:
        key, equals, value = item.partition("=")
        problem = None if equals and key.isidentifier() else "is not key=value"
        problem = "is given twice" if key in values else "is the flag --overwrite" if key == "overwrite" else problem
        if problem is not None:
            msg = f"--option {item!r} {problem}. Give e.g. --option slide=copy."
            raise DataError(msg)
        values[key] = value
    return values
