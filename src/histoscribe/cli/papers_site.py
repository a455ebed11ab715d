"""`histoscribe papers site`: the catalogue as a folder of pages that open from disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from histoscribe.cli._catalogue import AsJson, Records, Results

__all__ = ["site"]


def site(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder to write; an earlier site there is replaced as a whole.")
    ] = Path("site"),
    records: Records = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Write the catalogue as a static site: search, filters, a page per paper, method and data set."""
    from histoscribe.catalogue.site import build_site
    from histoscribe.cli._catalogue import load
    from histoscribe.methods.papers import implemented, stored_ladder

    catalogue = load(records)
    written = build_site(catalogue, out, climbs=stored_ladder(catalogue, results), implemented=set(implemented()))
    start = written.out / "index.html"
    if as_json:
        summary = {"out": str(written.out), "files": written.n_files, "bytes": written.n_bytes, "start": str(start)}
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(f"wrote {written.n_files} files ({written.n_bytes / 1e6:.1f} MB); open {start} in a browser, no server")
