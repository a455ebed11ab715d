"""`histoscribe papers check|pages|schema|export|import|add`: keep the records right, and move them in and out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from histoscribe.cli._catalogue import AsJson, Records, Results

if TYPE_CHECKING:
    from collections.abc import Iterable

    from histoscribe.catalogue.finding import Finding
    from histoscribe.catalogue.store import Catalogue

__all__ = ["COMMANDS"]


def check(
    rule: Annotated[list[str] | None, typer.Option("--rule", help="Apply only this rule; several times.")] = None,
    show_waived: Annotated[bool, typer.Option("--waived", help="Show accepted findings and their reasons.")] = False,
    list_rules: Annotated[bool, typer.Option("--rules", help="List the rules and stop.")] = False,
    records: Records = None,
    results: Results = None,
    as_json: AsJson = False,
) -> None:
    """Check every record offline; one line a finding, exit status 1 where something is open."""
    from histoscribe.catalogue.check import check as apply
    from histoscribe.catalogue.rules import RULES
    from histoscribe.cli._catalogue import load
    from histoscribe.core.errors import DataError
    from histoscribe.core.registry import did_you_mean

    if list_rules:
        for name, function in RULES.items():
            typer.echo(f"{name:<18}{(function.__doc__ or '').splitlines()[0]}")
        return
    for name in rule or ():
        if name not in RULES:
            msg = f"there is no rule called {name!r}. {did_you_mean(name, list(RULES))}"
            raise DataError(msg)
    catalogue = load(records, collect=True)
    extra = [] if rule or records else list(_project_findings(catalogue, results))
    report = apply(catalogue, rules=rule, extra=extra)
    if as_json:
        typer.echo(json.dumps(report.to_dict(), ensure_ascii=False))
    else:
        for finding in [*report.findings, *(report.waived if show_waived else [])]:
            typer.echo(finding.line())
        typer.echo(report.summary())
    if not report.ok:
        raise typer.Exit(1)


def _checkout(catalogue: Catalogue) -> Path | None:
    """Return the source checkout that the records lie in, if they do."""
    folder = catalogue.folder.resolve()
    return next((p for p in folder.parents if (p / "pyproject.toml").exists() and (p / "src").is_dir()), None)


def _project_findings(catalogue: Catalogue, results: Path | None) -> Iterable[Finding]:
    """Look at pages and citation of a source checkout; an installed package has none."""
    from histoscribe.catalogue.pages import project_pages
    from histoscribe.catalogue.project import check_citation, check_pages
    from histoscribe.methods.papers import stored_ladder

    project = _checkout(catalogue)
    # Pages are made from records that can be read; what cannot be read is a finding already.
    if project is None or catalogue.problems:
        return
    pages = project_pages(catalogue, project, ladder=stored_ladder(catalogue, results))
    yield from check_pages(project, pages)
    yield from check_citation(project, "HistoScribe")


def pages(
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder; default the source checkout.")] = None,
    records: Records = None,
    results: Results = None,
) -> None:
    """Write PAPERS.md, PAPERS.zh.md and the table of each README again from the records."""
    from histoscribe.catalogue.pages import project_pages
    from histoscribe.cli._catalogue import load
    from histoscribe.core.errors import DataError
    from histoscribe.core.files import atomic_path
    from histoscribe.methods.papers import stored_ladder

    catalogue = load(records)
    folder = out or _checkout(catalogue)
    if folder is None:
        msg = "these records lie in no source checkout. Say with --out where the pages belong."
        raise DataError(msg)
    for name, text in project_pages(catalogue, folder, ladder=stored_ladder(catalogue, results)).items():
        with atomic_path(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {folder / name}")


def schema() -> None:
    """Print the JSON Schema of the records."""
    from histoscribe.catalogue import json_schema

    typer.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))


def export(
    keys: Annotated[list[str] | None, typer.Argument(help="Ids; none: all, or what --query finds.")] = None,
    form: Annotated[
        str, typer.Option("--format", "-f", help="bibtex, ris, csl-json, csv, markdown or atom.")
    ] = "bibtex",
    query: Annotated[str | None, typer.Option(help="Export what this search finds.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File; default the terminal.")] = None,
    records: Records = None,
    results: Results = None,
) -> None:
    """Write papers for another tool."""
    from histoscribe.catalogue.formats import export as write
    from histoscribe.catalogue.query import Filters
    from histoscribe.cli._catalogue import load
    from histoscribe.core.files import atomic_path
    from histoscribe.methods.papers import open_search

    catalogue = load(records)
    if query:
        index = open_search(records, results)
        keys = [h.key for h in index.search(query, Filters(kind="paper"), limit=len(index) or 1)]
    papers = [catalogue.paper(key) for key in keys] if keys is not None else list(catalogue.papers.values())
    text = write(catalogue, papers, form)
    if out is None:
        typer.echo(text, nl=False)
        return
    with atomic_path(out) as temporary:
        temporary.write_text(text, encoding="utf-8")
    typer.echo(f"wrote {len(papers)} papers to {out}")


def import_(
    path: Annotated[Path, typer.Argument(help="BibTeX, RIS or CSL-JSON file.")],
    source: Annotated[str, typer.Option(help="Where its facts come from: an address, or a key of sources.yaml.")],
    form: Annotated[str | None, typer.Option("--format", "-f", help="bibtex, ris or csl-json.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, write nothing.")] = False,
    records: Records = None,
) -> None:
    """Start a record for each paper of a file that the catalogue does not have yet."""
    from histoscribe.catalogue.add import draft_entry, known_paper
    from histoscribe.catalogue.formats import read_entries
    from histoscribe.cli._catalogue import load

    catalogue = load(records, collect=True)
    started = 0
    for entry in read_entries(path, form):
        there = known_paper(catalogue, doi=entry.doi, arxiv=entry.arxiv, title=entry.title)
        if there is not None:
            typer.echo(f"known  {there}: {entry.title}")
            continue
        draft = draft_entry(catalogue, entry, source=source)
        started += 1
        _tell(catalogue, draft, write=not dry_run)
    typer.echo(f"{started} records {'would be ' if dry_run else ''}started.")


def add(
    identifier: Annotated[str, typer.Argument(help="DOI or arXiv id.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be written, write nothing.")] = False,
    records: Records = None,
) -> None:
    """Start the record of one paper from its DOI or arXiv id; no network is used."""
    from histoscribe.catalogue.add import draft_identifier
    from histoscribe.cli._catalogue import load

    catalogue = load(records, collect=True)
    _tell(catalogue, draft_identifier(catalogue, identifier), write=not dry_run)


def _tell(catalogue: Catalogue, draft: object, *, write: bool) -> None:
    """Write a draft and say in two lines what it still lacks."""
    from histoscribe.catalogue.add import Draft, save_draft

    assert isinstance(draft, Draft)
    where = save_draft(catalogue, draft) if write else catalogue.folder / "papers" / f"{draft.values['id']}.yaml"
    typer.echo(f"{'wrote' if write else 'would write'}  {where}")
    if draft.missing:
        typer.echo(f"  fill in: {', '.join(draft.missing)}")
    if draft.wished:
        typer.echo(f"  worth adding: {', '.join(draft.wished)}")


#: Name of a command to its function.
COMMANDS = {"check": check, "export": export, "import": import_, "add": add, "pages": pages, "schema": schema}
