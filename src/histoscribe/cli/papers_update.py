"""`histoscribe papers update, queue, links, add`: what needs the network, and the decisions on what it brought."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from histoscribe.cli._catalogue import AsJson, Records, load

if TYPE_CHECKING:
    from datetime import date

    from histoscribe.catalogue import Catalogue, Paper
    from histoscribe.catalogue.services import Service, Web
    from histoscribe.catalogue.services.queue import Entry, Queue

__all__ = ["COMMANDS", "add_from_services", "links", "queue", "update"]

Services = Annotated[
    list[str] | None, typer.Option("--service", help="Ask only this one: crossref, arxiv, europepmc, openalex; repeat.")
]
Mirrors = Annotated[
    list[str] | None, typer.Option("--mirror", help="Other address of a service, e.g. arxiv=https://...; repeat.")
]
Contact = Annotated[
    str | None,
    typer.Option("--contact", envvar="HISTOSCRIBE_CONTACT", help="Your e-mail address, which services may write to."),
]
QueueFile = Annotated[Path | None, typer.Option("--queue", help="Queue file; default queue.json beside the records.")]
Tasks = Annotated[
    list[str] | None, typer.Option("--task", help="Task of the vocabulary, in place of the guess; repeat.")
]
Role = Annotated[str | None, typer.Option("--role", help="core, related or background, in place of the guess.")]


def update(
    records: Records = None,
    queue_file: QueueFile = None,
    service: Services = None,
    mirror: Mirrors = None,
    contact: Contact = None,
    since: Annotated[
        str | None,
        typer.Option(help="First day, YYYY-MM-DD; default where the last run stopped, at first 90 days back."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Most works read from one service.")] = 1000,
    threshold: Annotated[int, typer.Option(min=0, max=100, help="Least score that enters the queue.")] = 40,
    follow: Annotated[
        bool, typer.Option("--follow", help="Also ask for articles of preprints and retractions of catalogued papers.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask Europe PMC, arXiv, OpenAlex and Crossref for new papers, and fill the queue.

    Nothing enters the catalogue before a person accepts it with `papers queue accept`.
    Exit status: 0 every service answered, 1 some failed (what the others brought is kept).
    """
    from histoscribe.catalogue.services import update as updating

    catalogue = load(records)
    path = _queue_path(queue_file, catalogue)
    services, web = _ask(service, mirror, contact)
    today = _today()
    heard = updating.update(
        catalogue,
        path,
        services,
        web,
        today=today,
        since=_day(since) if since else None,
        limit=limit,
        threshold=threshold,
    )
    if follow:
        heard += updating.follow(catalogue, path, services, web, today=today)
    if as_json:
        values = [vars(one) | {"counts": dict(one.counts)} for one in heard]
        typer.echo(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        for one in heard:
            typer.echo(one.line())
        n = len(_open(path).waiting)
        typer.echo(f"{n} waiting in {path}. See them with `histoscribe papers queue`.")
    if any(one.error for one in heard):
        raise typer.Exit(1)


def queue(
    action: Annotated[str, typer.Argument(help="list, show, accept or ignore.")] = "list",
    entries: Annotated[list[str] | None, typer.Argument(help="Keys, DOIs or arXiv ids of waiting entries.")] = None,
    records: Records = None,
    queue_file: QueueFile = None,
    reason: Annotated[str, typer.Option(help="Why it is ignored; kept, so that it never returns.")] = "",
    task: Tasks = None,
    role: Role = None,
    cite: Annotated[
        bool, typer.Option("--cite", help="Accepting the article of a preprint: cite the article from now on.")
    ] = False,
    kind: Annotated[str | None, typer.Option(help="List only new, version or retraction.")] = None,
    least: Annotated[int, typer.Option("--least", min=0, max=100, help="List only from this score.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Decide on what `papers update` found: accept writes the record, ignore keeps it out for good."""
    from histoscribe.core.errors import DataError
    from histoscribe.core.registry import did_you_mean

    catalogue = load(records)
    waiting = _open(_queue_path(queue_file, catalogue))
    actions = ["list", "show", "accept", "ignore"]
    if action not in actions:
        msg = f"{action!r} is no action. {did_you_mean(action, actions)}"
        raise DataError(msg)
    if action == "list":
        _list(waiting, kind, least, as_json=as_json)
        return
    if not entries:
        msg = f"{action} names no entry. Give keys as `papers queue` lists them."
        raise DataError(msg)
    # All names are looked up before the first decision is taken, so that a typing mistake changes nothing.
    chosen = list({e.key: e for e in map(waiting.find, entries)}.values())
    for entry in chosen:
        if action == "show":
            _show(entry, as_json=as_json)
        elif action == "ignore":
            waiting.ignore(entry, reason, today=_today().isoformat())
            waiting.save()
            typer.echo(f"ignored: {entry.works[0].title}")
        else:
            _accept(entry, waiting, catalogue, task or [], role, cite=cite)


def links(
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of records; default all.")] = None,
    records: Records = None,
    contact: Contact = None,
    cache: Annotated[Path | None, typer.Option(help="File of earlier answers; default in the user's cache.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask again whatever the cache says.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask whether the addresses of the records are alive; slow on purpose, one request a second to each server.

    Answers are kept: 30 days for good ones, 3 for dead ones, 1 for servers that are down.
    Exit status: 0 none is dead, 1 some are.
    """
    from histoscribe.catalogue.services import Web
    from histoscribe.catalogue.services.links import addresses, check_links
    from histoscribe.core.files import cache_dir

    catalogue = load(records)
    for key in ids or []:
        if key not in catalogue.datasets:
            catalogue.paper(key)
    named = addresses(catalogue, ids or [])
    path = cache or cache_dir() / "catalogue" / "links.json"
    found = check_links(named, Web(contact=contact, timeout_s=15.0), cache=path, today=_today(), fresh=fresh)
    if as_json:
        typer.echo(json.dumps([vars(link) | {"records": named[link.url]} for link in found], indent=2))
    else:
        for link in found:
            if link.state != "alive":
                tail = f" -> {link.detail}" if link.state == "moved" else f" ({link.detail})" if link.detail else ""
                typer.echo(f"{link.state} {link.url}{tail}: {', '.join(named[link.url])}")
        counts = {state: sum(link.state == state for link in found) for state in dict.fromkeys(k.state for k in found)}
        typer.echo(f"{len(found)} addresses: {', '.join(f'{n} {state}' for state, n in counts.items())}")
    if any(link.state == "dead" for link in found):
        raise typer.Exit(1)


def add_from_services(
    identifier: Annotated[str, typer.Argument(help="DOI, arXiv id, or an address that holds one.")],
    online: Annotated[
        bool, typer.Option("--online", help="Ask Crossref, arXiv, Europe PMC and OpenAlex for the fields.")
    ] = False,
    records: Records = None,
    service: Services = None,
    mirror: Mirrors = None,
    contact: Contact = None,
    task: Tasks = None,
    role: Role = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the record instead of writing it.")] = False,
) -> None:
    """Write the record of a paper from its DOI or arXiv id; --online fills it, each field with its source."""
    from histoscribe.catalogue.services.fill import known_as, look_up, paper_from
    from histoscribe.catalogue.store import plain
    from histoscribe.catalogue.yamlfile import dump_yaml
    from histoscribe.cli.papers_records import add
    from histoscribe.core.errors import DataError

    if not online:
        add(identifier, dry_run=dry_run, records=records)
        return
    catalogue = load(records)
    services, web = _ask(service, mirror, contact)
    works = look_up(identifier, services, web, say=lambda line: typer.echo(f"failed: {line}", err=True))
    known = known_as(works, catalogue)
    if known:
        msg = f"{identifier} is catalogued as {known}. Mend {catalogue.path(catalogue.papers[known]).name} instead."
        raise DataError(msg)
    paper = paper_from(works, catalogue, today=_today().isoformat(), tasks=task or [], role=_role(role))
    if dry_run:
        typer.echo(dump_yaml(plain(paper)), nl=False)
    else:
        _write(paper, catalogue)


def _ask(service: list[str] | None, mirror: list[str] | None, contact: str | None) -> tuple[list[Service], Web]:
    from histoscribe.catalogue.services import Web, make_services
    from histoscribe.core.errors import DataError

    bases = {}
    for item in mirror or []:
        key, _, base = item.partition("=")
        if not base.startswith(("http://", "https://")):
            msg = f"mirror {item!r} is not name=address. Give e.g. arxiv=https://mirror.example.org/api/."
            raise DataError(msg)
        bases[key] = base
    return make_services(service or [], bases=bases), Web(contact=contact)


def _queue_path(given: Path | None, catalogue: Catalogue) -> Path:
    return given or catalogue.folder / "queue.json"


def _open(path: Path) -> Queue:
    from histoscribe.catalogue.services.queue import Queue

    return Queue.load(path)


def _today() -> date:
    from datetime import UTC, datetime

    return datetime.now(UTC).date()


def _day(text: str) -> date:
    from datetime import date

    from histoscribe.core.errors import DataError

    try:
        return date.fromisoformat(text)
    except ValueError as err:
        msg = f"{text!r} is no day. Give it as YYYY-MM-DD."
        raise DataError(msg) from err


def _role(role: str | None) -> Any:
    from histoscribe.core.errors import DataError

    if role not in {None, "core", "related", "background"}:
        msg = f"{role!r} is no role. Give core, related or background."
        raise DataError(msg)
    return role


def _list(waiting: Queue, kind: str | None, least: int, *, as_json: bool) -> None:
    chosen = sorted(waiting.waiting.values(), key=lambda e: (-e.score, e.key))
    chosen = [e for e in chosen if e.score >= least and kind in {None, e.kind}]
    if as_json:
        typer.echo(json.dumps([e.to_dict() for e in chosen], indent=2, ensure_ascii=False))
        return
    for entry in chosen:
        typer.echo(entry.line())
    typer.echo(f"{len(chosen)} of {len(waiting.waiting)} waiting, {len(waiting.ignored)} ignored.")


def _show(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(entry.to_dict(), indent=2, ensure_ascii=False))
        return
    typer.echo(entry.line())
    for line in (*entry.reasons, *(f"{w.source}: {w.address}" for w in entry.works)):
        typer.echo(f"  {line}")


def _accept(
    entry: Entry, waiting: Queue, catalogue: Catalogue, tasks: list[str], role: str | None, *, cite: bool
) -> None:
    from histoscribe.catalogue.services.update import accept

    paper = accept(entry, catalogue, today=_today(), tasks=tasks, role=_role(role), cite=cite)
    _write(paper, catalogue)
    # The record is written first: if this is cut short, the next update finds the entry catalogued and drops it.
    del waiting.waiting[entry.key]
    waiting.save()


def _write(paper: Paper, catalogue: Catalogue) -> None:
    """Write a record and say what `papers check` would say of it."""
    from histoscribe.catalogue.check import check

    path = catalogue.save(paper)
    typer.echo(f"wrote {path}")
    for finding in check(catalogue).findings:
        if paper.id in {finding.record, finding.about}:
            typer.echo(f"  {finding.line()}")
    if paper.conflicts:
        typer.echo(f"  services disagree on {', '.join(c.field for c in paper.conflicts)}; decide under `conflicts`.")


#: Name of a command to its function; `add` takes the place of the one without network, which it calls by default.
COMMANDS = {"add": add_from_services, "update": update, "queue": queue, "links": links}
