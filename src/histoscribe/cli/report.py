"""`histoscribe report`: a prediction, and what it is worth, as one HTML file that a person can read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def report(
    prediction: Annotated[Path, typer.Argument(help="Prediction (.h5ad) that `histoscribe predict` wrote.")],
    measured: Annotated[
        str | None,
        typer.Option(help="Measured section to compare with: [READER:]PATH[?key=value&...]; it is evaluated first."),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(help="Training section for the controls; default: where the prediction says they came from."),
    ] = None,
    slide: Annotated[
        Path | None, typer.Option(help="Image to draw on; default the one the prediction was made from.")
    ] = None,
    genes: Annotated[str | None, typer.Option(help="Genes to show beside the best ones, comma-separated.")] = None,
    title: Annotated[str | None, typer.Option(help="Title; default the section's name.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of count splitting and of the controls.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="HTML file to write.")] = Path("report.html"),
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON.")] = False,
) -> None:
    """Write a self-contained HTML report: maps over the H&E, trust, controls, provenance."""
    from histoscribe import bench
    from histoscribe.bench._inputs import load_prediction
    from histoscribe.io import read_spec, read_specs
    from histoscribe.reports import report as write

    if train and measured is None:
        msg = "--train is for the controls of an evaluation, and there is none. Give --measured as well."
        raise typer.BadParameter(msg)
    loaded = load_prediction(prediction)
    section = None if measured is None else read_spec(measured)
    evaluation = None
    if section is not None:
        training = read_specs(train) if train else None
        evaluation = bench.evaluate(loaded, section, training=training, seed=seed)
    wanted = [gene.strip() for gene in genes.split(",") if gene.strip()] if genes else None
    path = write(loaded, evaluation, measured=section, slide=slide, path=out, genes=wanted, title=title)
    if as_json:
        summary = {"out": str(path), "bytes": path.stat().st_size, "evaluated": evaluation is not None}
        typer.echo(json.dumps(summary, ensure_ascii=False))
        return
    typer.echo(f"wrote {path} ({path.stat().st_size / 1e6:.1f} MB, one file, opens without a network)")
