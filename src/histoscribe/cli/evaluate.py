"""`histoscribe evaluate`: what a prediction is worth, beside its controls and its ceiling."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoscribe.cli._parse import Weights

if TYPE_CHECKING:
    from histoscribe.bench import Evaluation
    from histoscribe.core.section import Section


def evaluate(
    pairs: Annotated[
        list[str],
        typer.Argument(
            metavar="PREDICTION MEASURED [PREDICTION MEASURED]...",
            help="Prediction (.h5ad) and measured section ([READER:]PATH[?key=value&...]); more pairs for more donors.",
        ),
    ],
    composition: Annotated[
        list[str] | None,
        typer.Option(help="Measured or deconvolved cell composition, once for each pair, where that was predicted."),
    ] = None,
    train: Annotated[
        list[str] | None,
        typer.Option(help="Training section for the controls; default: where the prediction says they came from."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for evaluation.json, the record and the tables (CSV).")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the method's row.")] = None,
    weights: Weights = None,
    seed: Annotated[int, typer.Option(help="Seed of count splitting and of the controls.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Score predictions against measured sections, beside every control."""
    from histoscribe import bench
    from histoscribe.core.errors import DataError
    from histoscribe.io import read_spec, read_specs

    if len(pairs) % 2:
        msg = (
            f"{len(pairs)} names do not make pairs. Give each prediction followed by its measured section: "
            "histoscribe evaluate c5.h5ad 'st-array:her2st?section=C5'."
        )
        raise DataError(msg)
    measured = [read_spec(text) for text in pairs[1::2]]
    if composition:
        _composition(pairs[0::2], measured, composition, as_json=as_json)
        return
    training = read_specs(train) if train else None
    result = bench.evaluate(pairs[0::2], measured, training=training, method_name=name, seed=seed)
    if out is not None:
        result.save(out)
    if as_json:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    _show(result)
    if out is not None:
        typer.echo(f"\nwrote {out}: evaluation.json, record-{result.record.id}.json, 3 tables")


def _composition(predictions: list[str], measured: list[Section], files: list[str], *, as_json: bool) -> None:
    """Score cell composition against that of `files`, and print it."""
    from rich.console import Console
    from rich.table import Table

    from histoscribe import bench
    from histoscribe.cli._parse import sections_with_composition

    result = bench.evaluate_composition(predictions, sections_with_composition(measured, files))
    if as_json:
        typer.echo(json.dumps(result.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    donors, n = result.sections["donor"].nunique(), result.sections["section"].nunique()
    console = Console()
    for frame, title in ((result.table, f"Cell composition, {n} section(s) of {donors} donor(s)"), (result.types, "")):
        table = Table(title=title or None, title_justify="left", title_style="bold", padding=(0, 1, 0, 0))
        for column in (frame.index.name, *frame.columns):
            table.add_column(column.removeprefix("composition_"))
        for name, row in frame.iterrows():
            table.add_row(str(name), *(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row))
        console.print(table)
    for row in result.sections.drop_duplicates("section").itertuples():
        console.print(f"- {row.section}: {row.n_obs} observations; {row.relation}", markup=False, highlight=False)


def _show(result: Evaluation) -> None:
    """Print heading, table (metrics down, method and controls across, as that fits a terminal) and notes."""
    from rich.console import Console
    from rich.table import Table

    from histoscribe.metrics import METRICS

    shown = result.table[result.table["available"]]
    arrows = {"higher": "↑", "lower": "↓", "nearer": "→"}
    table = Table(title=result.heading, title_justify="left", title_style="bold", padding=(0, 1, 0, 0))
    table.add_column("metric (better, best)", no_wrap=True)
    for method in shown.index:
        # Broken at hyphens, so that seven columns fit 80 characters.
        table.add_column(str(method).replace("-", "-\n"), justify="right")
    for metric in sorted(METRICS, key=lambda m: ("pcc" not in m, m != "pcc_gene", m)):
        facts = METRICS.get(metric)
        unit = "" if facts.unit == "1" else f", {facts.unit}"
        cells = ["-" if value != value else f"{value:.3f}" for value in shown[metric]]  # noqa: PLR0124 (NaN)
        lower, upper = (shown[f"{metric}_{end}"].iloc[0] for end in ("lower", "upper"))
        if lower == lower:  # noqa: PLR0124 (NaN: one donor, so no interval)
            cells[0] += f"\n[dim]{lower:.3f} to {upper:.3f}[/dim]"
        table.add_row(f"{metric} [dim]{arrows[facts.direction]} {facts.best:g}{unit}[/dim]", *cells)
    console = Console()
    console.print(table)
    for method, row in shown.iloc[1:].iterrows():
        console.print(f"  {method}: {row['label']}", markup=False, highlight=False)
    for sentence in result.notes:
        console.print(f"- {sentence}", markup=False, highlight=False)
