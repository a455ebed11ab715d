"""`histoscribe papers`: find papers, look at them, set them side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoscribe.cli import papers_records, papers_run, papers_site, papers_update
from histoscribe.cli._catalogue import AsJson, Lang, Records, Results

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.catalogue.query import Filters
    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = ["papers"]

papers = typer.Typer(help="Find papers, check their records, run their methods.", no_args_is_help=True)


@papers.command()
def search(
    query: Annotated[list[str] | None, typer.Argument(help="Words in English or Chinese; all must be met.")] = None,
    year: Annotated[str | None, typer.Option(help="2024, 2022..2024, 2024.. or ..2020.")] = None,
    task: Annotated[list[str] | None, typer.Option(help="Task; may be given several times.")] = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Id of a data set.")] = None,
    platform: Annotated[list[str] | None, typer.Option(help="E.g. visium, visium-hd, xenium, st.")] = None,
    organ: Annotated[list[str] | None, typer.Option(help="E.g. breast or 乳腺.")] = None,
    approach: Annotated[list[str] | None, typer.Option(help="E.g. graph, contrastive, diffusion.")] = None,
    has_code: Annotated[bool | None, typer.Option("--has-code/--no-code", help="Whether a code link is known.")] = None,
    runs: Annotated[bool | None, typer.Option("--runs/--not-run", help="Whether its method runs here.")] = None,
    level: Annotated[int | None, typer.Option(min=0, max=6, help="Lowest rung of the code ladder, 0-6.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="permissive, copyleft, non-commercial, none, or a name's beginning.")
    ] = None,
    venue: Annotated[str | None, typer.Option(help="Exact name of the venue.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most papers shown.")] = 20,
    records: Records = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Search title, method, task, people, venue and notes; best first."""
    from histoscribe.catalogue.query import Filters, year_range

    filters = Filters(
        kind="paper",
        years=year_range(year) if year else (None, None),
        tasks=tuple(task or ()),
        datasets=tuple(dataset or ()),
        platforms=tuple(platform or ()),
        organs=tuple(organ or ()),
        approaches=tuple(approach or ()),
        has_code=has_code,
        runs=runs,
        min_level=level,
        licence=licence,
        venue=venue,
    )
    find(" ".join(query or ()), filters, limit=limit, where=(records, results), as_json=as_json)


def find(query: str, filters: Filters, *, limit: int, where: tuple[Path | None, Path | None], as_json: bool) -> None:
    """Search and print; shared with `datasets search`."""
    from histoscribe.cli._catalogue import label, print_table
    from histoscribe.methods.papers import open_search

    index = open_search(*where)
    hits = index.search(query, filters, limit=limit)
    if as_json:
        typer.echo(json.dumps([hit.body | {"score": hit.score} for hit in hits], ensure_ascii=False))
        return
    if not hits:
        near = index.words_like(query)
        typer.echo("nothing found." + (f" Did you mean {', '.join(near)}?" if near else " Use fewer words or filters."))
        raise typer.Exit(1)
    if filters.kind == "dataset":
        rows = [
            [h.key, h.body["name"], h.body["kind"], ", ".join(h.body.get("technology", [])), h.body.get("licence")]
            for h in hits
        ]
        print_table(["id", "name", "kind", "technology", "licence"], rows)
    else:
        rows = [
            [
                h.key,
                h.body["year"],
                label(h.body),
                h.body["title"],
                (h.body["venue"] or {}).get("name"),
                h.body["level"],
            ]
            for h in hits
        ]
        print_table(["id", "year", "method", "title", "venue", "ladder"], rows)
    total = index.count(query, filters)
    if total > len(hits):
        typer.echo(f"{len(hits)} of {total}; --limit shows more.")


@papers.command()
def show(
    key: Annotated[str, typer.Argument(help="Id of a paper.")],
    records: Records = None,
    results: Results = None,
    lang: Lang = "en",
    as_json: AsJson = False,
) -> None:
    """Show one paper: facts, ladder, results, conflicts and where each fact was read."""
    from histoscribe.catalogue.store import plain
    from histoscribe.cli._catalogue import load
    from histoscribe.methods.papers import stored_ladder

    catalogue = load(records)
    paper = catalogue.paper(key)
    place = stored_ladder(catalogue, results)[key]
    if as_json:
        ladder = {"level": place.level, "name": place.name, "runs": [r.id for r in place.runs]}
        ladder["reproduced"] = list(place.reproduced)
        typer.echo(json.dumps(plain(paper) | {"ladder": ladder}, ensure_ascii=False, indent=2))
        return
    for name, value in _facts(paper, catalogue, lang):
        typer.echo(f"{name:<12}{value}")
    typer.echo(f"{'ladder':<12}{place.level} {place.name}: {_rungs(place.has)}")
    for run in place.runs:
        kind = "synthetic" if run.synthetic else "measured"
        typer.echo(f"{'run':<12}{run.id} {run.method} + {run.encoder}, {kind} data, {run.created[:10]}")
    for line in place.reproduced:
        typer.echo(f"{'reproduces':<12}{line}")


def _rungs(has: Mapping[int, bool | None]) -> str:
    from histoscribe.catalogue.ladder import RUNGS

    signs = {True: "yes", False: "no", None: "not read"}
    return ", ".join(f"{RUNGS[rung][0]} {signs[has[rung]]}" for rung in range(1, 7))


def _facts(paper: Paper, catalogue: Catalogue, lang: str) -> list[tuple[str, str]]:
    from histoscribe.catalogue.formats.tables import link_of

    words, m = catalogue.vocabulary, paper.modality

    def labels(facet: str, keys: list[str]) -> str:
        return ", ".join(words.label(facet, key, lang) for key in keys)

    rows: list[tuple[str, Any]] = [
        ("id", paper.id),
        ("title", paper.title),
        ("authors", "; ".join(paper.authors)),
        ("appeared", " ".join(filter(None, [paper.venue.name if paper.venue else None, str(paper.year or "")]))),
        ("status", paper.status),
        ("doi", paper.doi),
        ("arxiv", paper.arxiv),
        ("link", link_of(paper)),
        ("method", ", ".join([paper.method.name, *paper.method.aliases]) if paper.method else None),
        ("tasks", labels("task", paper.tasks)),
        ("approach", labels("approach", paper.approach)),
        ("needs", labels("data", m.inputs) + (f" (histology {m.histology})" if m.histology else "")),
        ("gives", labels("data", m.outputs)),
        ("material", ", ".join(filter(None, [labels("platform", m.platforms), labels("organ", m.organs)]))),
        ("data sets", ", ".join([*paper.datasets, *paper.datasets_unlisted])),
        ("code", paper.code and (paper.code.url or paper.code.status)),
        ("licence", paper.code and paper.code.licence),
        ("code note", paper.code and paper.code.note),
        ("note", (paper.note_zh if lang == "zh" else None) or paper.note),
    ]
    rows += [("version", f"{v.kind}: {v.doi or v.arxiv or v.url or v.title}") for v in paper.versions]
    rows += [
        ("result", f"{r.metric} {r.value:g} on {r.dataset}; {r.split}; {r.encoder} ({r.origin})") for r in paper.results
    ]
    for c in paper.conflicts:
        said = " / ".join(f"{claim.value} ({claim.source})" for claim in c.claims)
        rows.append(("conflict", f"{c.field}: {said}; {'decided ' + str(c.decided) if c.decided else 'open'}"))
    rows += [("mended", text) for text in paper.mended]
    rows += [
        ("read in", f"{field}: {', '.join(s if isinstance(s, str) else s.source for s in sources)}")
        for field, sources in paper.provenance.items()
    ]
    return [(name, str(value)) for name, value in rows if value]


@papers.command()
def similar(
    key: Annotated[str, typer.Argument(help="Id of a paper.")],
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most papers shown.")] = 10,
    records: Records = None,
    as_json: AsJson = False,
) -> None:
    """List the papers most like one, with what they share."""
    from histoscribe.catalogue.similar import similar as neighbours
    from histoscribe.cli._catalogue import load, print_table

    found = neighbours(load(records), key, limit=limit)
    if as_json:
        typer.echo(json.dumps([{"id": p.id, "score": s, "shared": why} for p, s, why in found]))
        return
    rows = [[p.id, p.year, f"{score:.2f}", p.title, ", ".join(why)] for p, score, why in found]
    print_table(["id", "year", "score", "title", "shared"], rows)


@papers.command()
def compare(
    keys: Annotated[list[str], typer.Argument(help="Ids of two or more papers.")],
    records: Records = None,
    results: Results = None,
    lang: Lang = "en",
    as_json: AsJson = False,
) -> None:
    """Set papers side by side; an empty cell means "not read"."""
    from histoscribe.catalogue.similar import compare as table
    from histoscribe.cli._catalogue import load, print_table
    from histoscribe.methods.papers import stored_ladder

    catalogue = load(records)
    header, rows = table(catalogue, keys, ladder=stored_ladder(catalogue, results), lang=lang)
    if as_json:
        typer.echo(json.dumps([dict(zip(header, row, strict=True)) for row in rows], ensure_ascii=False))
        return
    print_table(header, rows, widest=44)


@papers.command()
def which(
    task: Annotated[str, typer.Option(help="What you want.")] = "expression-prediction",
    platform: Annotated[str | None, typer.Option(help="Platform of your measured data.")] = None,
    resolution: Annotated[str | None, typer.Option(help="What you want it for: spot, bin, single-cell.")] = None,
    organ: Annotated[str | None, typer.Option(help="Organ of your data.")] = None,
    mpp: Annotated[
        float | None, typer.Option(min=0.01, help="Resolution of your image, um/px; none: no image.")
    ] = None,
    donors: Annotated[int | None, typer.Option(min=1, help="Measured donors that you can learn from.")] = None,
    licence: Annotated[str, typer.Option(help="permissive, open or any.")] = "any",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Most methods shown.")] = 10,
    records: Records = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Say which methods fit your data, and why; rules of thumb over what has been read."""
    from histoscribe.catalogue.which import Need
    from histoscribe.catalogue.which import which as rank
    from histoscribe.cli._catalogue import load, print_table
    from histoscribe.methods.papers import stored_ladder

    if licence not in {"permissive", "open", "any"}:
        raise typer.BadParameter("give permissive, open or any", param_hint="--licence")  # noqa: EM101
    catalogue = load(records)
    words = catalogue.vocabulary
    need = Need(
        task=words.resolve("task", task),
        platform=words.resolve("platform", platform) if platform else None,
        resolution=words.resolve("resolution", resolution) if resolution else None,
        organ=words.resolve("organ", organ) if organ else None,
        mpp=mpp,
        donors=donors,
        licence=licence,
    )
    fits = rank(catalogue, need, ladder=stored_ladder(catalogue, results), limit=limit)
    if as_json:
        found = [
            {"id": f.paper.id, "score": f.score, "level": f.level, "pro": f.pro, "contra": f.contra, "unread": f.unread}
            for f in fits
        ]
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    rows = [[f.paper.id, f"{f.score:+.0f}", "; ".join(f.pro), "; ".join(f.contra), ", ".join(f.unread)] for f in fits]
    print_table(["id", "score", "for", "against", "not read"], rows, widest=70)
    if mpp is None:
        typer.echo("note: without --mpp, methods that need an image are left out.")


@papers.command()
def stats(records: Records = None, results: Results = None, as_json: AsJson = False) -> None:
    """Count papers by year, task, ladder, and how much of them has been read."""
    from histoscribe.catalogue.stats import stats as count
    from histoscribe.cli._catalogue import load
    from histoscribe.methods.papers import stored_ladder

    catalogue = load(records)
    found = count(catalogue, ladder=stored_ladder(catalogue, results))
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        if isinstance(value, dict):
            typer.echo(f"{name}:")
            for key, number in value.items():
                typer.echo(f"  {number:>5}  {key}")
        else:
            typer.echo(f"{name}: {value}")


for _name, _command in {
    **papers_records.COMMANDS,
    "run": papers_run.run,
    "site": papers_site.site,
    **papers_update.COMMANDS,
}.items():
    papers.command(_name)(_command)
