"""What the catalogue's commands share: options, loading, tables in a terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.catalogue.store import Catalogue

__all__ = ["AsJson", "Lang", "Records", "Results", "label", "load", "print_table"]

Records = Annotated[Path | None, typer.Option("--records", help="Folder of records; default those of the package.")]
Results = Annotated[Path | None, typer.Option("--results", help="Folder of stored runs; default results/.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lang = Annotated[str, typer.Option("--lang", help="Language of labels: en or zh.")]


def load(records: Path | None, *, collect: bool = False) -> Catalogue:
    """Read the catalogue."""
    from histoscribe.catalogue import Catalogue

    return Catalogue.load(records, collect=collect)


def label(body: Mapping[str, Any]) -> str:
    """Name a record as a person would: method, else the title."""
    method = body.get("method") or {}
    return str(method.get("name") or body.get("name") or body.get("title") or body["id"])


def _width(text: str) -> int:
    """Columns that `text` takes in a terminal: Chinese signs take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    out, used = "", 0
    for sign in text:
        used += _width(sign)
        if used > width - 1:
            break
        out += sign
    return out + "…"


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]], *, widest: int = 60) -> None:
    """Print aligned columns; a cell wider than `widest` columns is cut."""
    cells = [[_cut(str("" if c is None else c), widest) for c in row] for row in [header, *rows]]
    widths = [max(_width(row[i]) for row in cells) for i in range(len(header))]
    for row in cells:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(padded).rstrip())
