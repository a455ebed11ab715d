"""`histoscribe methods`: which expression predictors there are, plug-ins among them, and what their cards say."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

__all__ = ["methods"]

methods = typer.Typer(no_args_is_help=True, help="List expression predictors and show their cards.")


@methods.command("list")
def list_methods(as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False) -> None:
    """List every method: ours, controls, and those of installed plug-ins."""
    from rich.console import Console
    from rich.table import Table

    from histoscribe.methods import EXPRESSION

    found = [_facts(name) for name in EXPRESSION]
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    table = Table(padding=(0, 1, 0, 0))
    for column in ("method", "paper", "presets", "summary"):
        table.add_column(column)
    for f in found:
        name = f"{f['name']} [dim](control)[/dim]" if f["control"] else f["name"]
        table.add_row(name, f["paper"], ", ".join(f["presets"]), f["summary"])
    Console().print(table)


@methods.command("info")
def info(
    name: Annotated[str, typer.Argument(help="Registry name of a method.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show a method's card: source, licence, presets, and every deviation from paper or released code."""
    facts = _facts(name)
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    typer.echo(f"{facts['name']}: {facts['summary']}")
    for key in ("paper", "licence", "origin", "default_encoder", "default_size_um"):
        typer.echo(f"  {key}: {facts[key]}")
    for preset, params in facts["presets"].items():
        typer.echo(f"  preset {preset}: {json.dumps(params)}")
    for text in facts["deviations"]:
        typer.echo(f"  deviation: {text}")


def _facts(name: str) -> dict[str, Any]:
    from histoscribe.methods import EXPRESSION

    method = EXPRESSION.get(name)
    return method.card.to_dict() | {
        "presets": {preset: dict(params) for preset, params in method.presets.items()},
        "default_encoder": method.default_encoder if method.uses_features else "none",
        "default_size_um": list(method.default_size_um) if method.uses_features else [],
    }
