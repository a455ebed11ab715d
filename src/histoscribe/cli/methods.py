"""`histoscribe methods`: which methods there are in every family, plug-ins among them, and what their cards say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from histoscribe.core.registry import Registry

__all__ = ["methods"]

methods = typer.Typer(no_args_is_help=True, help="List the methods of every family and show their cards.")

Family = Annotated[
    str | None, typer.Option(help="Only this family: expression, histology, composition, volume, slide-level, ...")
]


@methods.command("list")
def list_methods(
    family: Family = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List every method: ours, controls, and those of installed plug-ins."""
    from rich.console import Console
    from rich.table import Table

    found = [_facts(kind, registry.get(name)) for kind, registry in _families(family) for name in registry]
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for kind in dict.fromkeys(f["family"] for f in found):
        table = Table(title=kind, title_justify="left", padding=(0, 1, 0, 0))
        for column in ("method", "paper", "presets", "summary"):
            table.add_column(column)
        for f in (f for f in found if f["family"] == kind):
            name = f"{f['name']} [dim](control)[/dim]" if f["control"] else f["name"]
            table.add_row(name, f["paper"], ", ".join(f["presets"]), f["summary"])
        Console().print(table)


@methods.command("info")
def info(
    name: Annotated[str, typer.Argument(help="Registry name of a method.")],
    family: Family = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """Show a method's card: source, licence, presets, and every deviation from paper or released code."""
    facts = _facts(*_find(name, family))
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    typer.echo(f"{facts['name']}: {facts['summary']}")
    for key in ("family", "paper", "licence", "origin", "default_encoder", "default_size_um"):
        if key in facts:
            typer.echo(f"  {key}: {facts[key]}")
    for preset, params in facts["presets"].items():
        typer.echo(f"  preset {preset}: {json.dumps(params)}")
    for text in facts["deviations"]:
        typer.echo(f"  deviation: {text}")


def _families(only: str | None) -> Iterator[tuple[str, Registry]]:
    from histoscribe.core.errors import RegistryError
    from histoscribe.core.registry import did_you_mean
    from histoscribe.methods import FAMILIES

    if only is not None and only not in FAMILIES:
        msg = f"there is no family {only!r}. {did_you_mean(only, FAMILIES)}"
        raise RegistryError(msg)
    yield from ((kind, registry) for kind, registry in FAMILIES.items() if only in (None, kind))


def _find(name: str, family: str | None) -> tuple[str, Any]:
    """Return the family and class of a method; a name that several families have is found in the first."""
    from histoscribe.core.errors import RegistryError
    from histoscribe.core.registry import did_you_mean

    known: dict[str, None] = {}
    for kind, registry in _families(family):
        if name in registry:
            return kind, registry.get(name)
        known |= dict.fromkeys(registry)
    msg = f"there is no method called {name!r}. {did_you_mean(name, known)}"
    raise RegistryError(msg)


def _facts(family: str, method: Any) -> dict[str, Any]:
    facts = {"family": family} | method.card.to_dict()
    facts["presets"] = {preset: dict(params) for preset, params in getattr(method, "presets", {}).items()}
    if hasattr(method, "default_encoder"):
        facts["default_encoder"] = method.default_encoder if method.uses_features else "none"
        facts["default_size_um"] = list(method.default_size_um) if method.uses_features else []
    return facts
