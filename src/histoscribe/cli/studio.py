"""`histoscribe studio`: look at slides, genes, trust, boards and papers in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def studio(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="Slides, sections ([READER:]PATH[?key=value&...]), predictions, bundles, manifests, records, folders; "
            "none: generated sections and the catalogue.",
        ),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; default the first free one from 8710 on.")
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine a token is needed.")
    ] = "127.0.0.1",
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open a browser.")] = False,
    token: Annotated[
        str | None, typer.Option(help="Token that requests must bring; beyond this machine made up.")
    ] = None,
    records: Annotated[Path | None, typer.Option(help="Folder of stored runs; default those of the package.")] = None,
) -> None:
    """Open a local web application on whatever it is given."""
    from histoscribe.studio.items._demo import DemoMaker, demo_is_made

    maker = None
    if not paths:
        if not demo_is_made():
            typer.echo("SYNTHETIC sections are being made, once; they appear on the page in some seconds")
        maker = DemoMaker()  # before the imports below, which take as long as the first section
    from histoscribe.studio import Studio, serve

    shown = Studio.of(paths or [], results=records)
    shown.maker = maker
    serve(shown, host=host, port=port, token=token, browser=not no_browser, say=typer.echo)
