"""What the catalogue's commands share: the ladder from stored runs, filters from options, tables in a terminal."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from histoscribe.catalogue.index import Index
    from histoscribe.catalogue.ladder import Climb
    from histoscribe.catalogue.store import Catalogue
    from histoscribe.core.records import RunRecord

__all__ = [
    "AsJson",
    "Lang",
    "Records",
    "Results",
    "cards_of",
    "label",
    "load",
    "open_search",
    "print_table",
    "stored_ladder",
]

Records = Annotated[Path | None, typer.Option("--records", help="Folder of records; default those of the package.")]
Results = Annotated[Path | None, typer.Option("--results", help="Folder of stored runs; default results/.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Lang = Annotated[str, typer.Option("--lang", help="Language of labels: en or zh.")]


def load(records: Path | None, *, collect: bool = False) -> Catalogue:
    """Read the catalogue."""
    from histoscribe.catalogue import Catalogue

    return Catalogue.load(records, collect=collect)


def cards_of(run: RunRecord) -> Iterable[str]:
    """Name the papers behind a run: that of its method, unless it is a control, and those of its encoder's parts."""
    from histoscribe.encoders import ENCODERS, split_names
    from histoscribe.methods import EXPRESSION

    if run.method in EXPRESSION:
        card = EXPRESSION.get(run.method).card
        # A control stands in the paper's table of baselines; that it runs says nothing about the paper's own work.
        if not card.control:
            yield card.paper
    for part in split_names(run.encoder):
        name = part.partition("@")[0].partition("[")[0]
        if name in ENCODERS and (card := ENCODERS.get(name).card).paper and not card.control:
            yield card.paper


def results_folder(results: Path | None) -> Path:
    """Return the folder of stored runs; outside a checkout the one in the current directory, where there is one."""
    from histoscribe.catalogue import ladder

    if results is not None:
        return results
    own = ladder.results_folder()
    here = Path("results")
    return here if here.is_dir() and not own.is_dir() else own


def stored_ladder(catalogue: Catalogue, results: Path | None) -> dict[str, Climb]:
    """Place every paper on the ladder by the stored runs."""
    from histoscribe.catalogue.ladder import ladder, load_runs

    return ladder(catalogue.papers, load_runs(results_folder(results)), papers_of=cards_of)


def open_search(records: Path | None, results: Path | None) -> Index:
    """Open the search index, built anew where records or runs have changed."""
    from histoscribe.catalogue.index import open_index
    from histoscribe.core.files import digest

    folder = results_folder(results)
    runs = sorted((str(p), p.stat().st_mtime_ns) for p in folder.rglob("*.json")) if folder.is_dir() else []
    return open_index(records, ladder=lambda c: stored_ladder(c, results), runs_key=digest(repr(runs)))


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
