"""`histoscribe datasets`: find data sets, look at them, and see which are not independent."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from histoscribe.cli._catalogue import AsJson, Lang, Records, Results

__all__ = ["datasets"]

datasets = typer.Typer(help="Find data sets and check which share sections or donors.", no_args_is_help=True)


@datasets.command()
def search(
    query: Annotated[list[str] | None, typer.Argument(help="Words in English or Chinese; all must be met.")] = None,
    platform: Annotated[list[str] | None, typer.Option(help="E.g. visium, visium-hd, xenium, st.")] = None,
    organ: Annotated[list[str] | None, typer.Option(help="E.g. breast or 乳腺.")] = None,
    species: Annotated[list[str] | None, typer.Option(help="E.g. human, mouse.")] = None,
    kind: Annotated[str | None, typer.Option(help="cohort, collection, portal or predicted.")] = None,
    licence: Annotated[str | None, typer.Option(help="permissive, copyleft, non-commercial, none, or a name.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most data sets shown.")] = 20,
    records: Records = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Search names, organs, technologies and notes; best first."""
    from histoscribe.catalogue.query import Filters
    from histoscribe.cli.papers import find

    filters = Filters(
        kind="dataset",
        platforms=tuple(platform or ()),
        organs=tuple(organ or ()),
        species=tuple(species or ()),
        status=kind,
        licence=licence,
    )
    find(" ".join(query or ()), filters, limit=limit, where=(records, results), as_json=as_json)


@datasets.command()
def show(
    key: Annotated[str, typer.Argument(help="Id of a data set.")],
    records: Records = None,
    lang: Lang = "en",
    as_json: AsJson = False,
) -> None:
    """Show one data set, who uses it, and what it must not be tested against."""
    from histoscribe.catalogue.leak import leaks
    from histoscribe.catalogue.store import plain
    from histoscribe.cli._catalogue import load

    catalogue = load(records)
    dataset = catalogue.dataset(key)
    users = [p.id for p in catalogue.papers.values() if key in p.datasets]
    found = leaks(catalogue, [key])
    if as_json:
        body = plain(dataset) | {"used_by": users, "leaks": [leak.what for leak in found]}
        typer.echo(json.dumps(body, ensure_ascii=False, indent=2))
        return
    facets = {"technology": "platform", "organs": "organ", "species": "species", "resolution": "resolution"}
    for name, value in plain(dataset).items():
        if name in {"provenance", "waivers", "conflicts"}:
            continue
        if name in facets:
            shown = ", ".join(catalogue.vocabulary.label(facets[name], v, lang) for v in value)
        elif isinstance(value, dict):
            shown = ", ".join(f"{k} {v}" for k, v in value.items())
        else:
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        typer.echo(f"{name:<14}{shown}")
    for c in dataset.conflicts:
        said = " / ".join(f"{claim.value} ({claim.source})" for claim in c.claims)
        typer.echo(f"{'conflict':<14}{c.field}: {said}")
    if users:
        typer.echo(f"{'used by':<14}{', '.join(users)}")
    for leak in found:
        typer.echo(f"{'leak':<14}{leak.what}")
    if dataset.kind == "predicted":
        typer.echo("WARNING: model output, not measurements: never use it as ground truth.")


@datasets.command()
def leaks(
    keys: Annotated[list[str] | None, typer.Argument(help="Data sets to look at; none: all.")] = None,
    records: Records = None,
    as_json: AsJson = False,
) -> None:
    """List data sets that hold the same sections or donors; exit status 1 where those given do."""
    from dataclasses import asdict

    from histoscribe.catalogue.leak import leaks as find_leaks
    from histoscribe.cli._catalogue import load

    found = find_leaks(load(records), keys or ())
    if as_json:
        typer.echo(json.dumps([asdict(leak) for leak in found], ensure_ascii=False))
    else:
        for leak in found:
            typer.echo(f"{leak.how:<12} {leak.first} - {leak.second}: {leak.what}")
        typer.echo("A pair that is not listed has not been shown to be independent: most contents were not read.")
    if keys and found:
        raise typer.Exit(1)


@datasets.command()
def stats(records: Records = None, as_json: AsJson = False) -> None:
    """Count data sets by kind, technology, organ and licence."""
    from collections import Counter

    from histoscribe.cli._catalogue import load

    rows = list(load(records).datasets.values())
    counts = {
        "kind": Counter(d.kind for d in rows),
        "technology": Counter(t for d in rows for t in d.technology),
        "organ": Counter(o for d in rows for o in d.organs),
        "licence": Counter(d.licence or "not read" for d in rows),
    }
    if as_json:
        typer.echo(json.dumps({name: dict(count.most_common()) for name, count in counts.items()}, ensure_ascii=False))
        return
    for name, count in counts.items():
        typer.echo(f"{name}:")
        for key, number in count.most_common():
            typer.echo(f"  {number:>4}  {key}")
