"""The commands: what a person sees, and the exit status."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from catalogue.services.replies import atom, atom_entry, crossref, crossref_article, europepmc, openalex, openalex_work
from histoscribe.catalogue.services.web import Web
from histoscribe.cli import papers_update
from histoscribe.core.errors import DataError


@pytest.fixture
def papers(server, catalogue, monkeypatch):
    # The commands make their own client; a test must not wait for its manners.
    monkeypatch.setattr(Web, "_keep_distance", lambda *_: None)
    server.routes |= {
        "/crossref/works": crossref(crossref_article()),
        "/arxiv/query": atom(atom_entry("2501.00009", "Whole slide images and Visium: a survey")),
        "/europepmc/search": europepmc(),
        "/openalex/works": openalex(),
    }
    app = typer.Typer()
    for name, command in papers_update.COMMANDS.items():
        app.command(name)(command)
    mirrors = [f"--mirror={n}={server.url}/{n}" for n in ("crossref", "arxiv", "europepmc", "openalex")]

    def run(command, *arguments):
        online = mirrors if command in {"update", "add"} else []
        result = CliRunner().invoke(app, [command, *arguments, f"--records={catalogue.folder}", *online])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def test_update_then_accept_one_and_ignore_the_other(papers, catalogue):
    told = papers("update", "--follow")
    assert told.exit_code == 0
    assert "Crossref: 1 read since" in told.output
    assert "Crossref: 0 catalogued works followed up" in told.output
    assert "2 waiting" in told.output
    entries = json.loads(papers("queue", "--json").output)
    wanted, other = entries
    shown = papers("queue", "show", wanted["key"]).output
    assert "+40 spatial expression" in shown
    assert "https://api.crossref.org" in shown
    accepted = papers("queue", "accept", wanted["key"], "--task", "expression-prediction")
    assert "wrote" in accepted.output
    assert "tasks: [here]" in next((catalogue.folder / "papers").iterdir()).read_text()
    ignored = papers("queue", "ignore", other["key"], "--reason", "a survey of another field")
    assert ignored.output.startswith("ignored: Whole slide")
    assert papers("queue").output == "0 of 0 waiting, 1 ignored.\n"
    assert "1 known" in papers("update").output
    assert [p.stem for p in (catalogue.folder / "papers").iterdir()] == [
        "predicting-spatial-gene-expression-from-histolog-2025"
    ]


def test_a_failing_service_gives_status_1_and_one_line(papers, server):
    server.routes["/crossref/works"] = (403, {}, b"")
    told = papers("update", "--json")
    assert told.exit_code == 1
    errors = [one["error"] for one in json.loads(told.output) if one["error"]]
    assert len(errors) == 1
    assert "status 403" in errors[0]


def test_add_writes_a_record_or_prints_it(papers, server, catalogue):
    printed = papers("add", "10.1038/s41467-1", "--online", "--dry-run").output
    assert "doi: 10.1038/s41467-1" in printed
    assert not list((catalogue.folder / "papers").iterdir())
    server.routes["/openalex/works"] = openalex(openalex_work(publication_year=2024))
    told = papers("add", "10.1038/s41467-1", "--online").output
    assert "services disagree on year" in told
    assert len(list((catalogue.folder / "papers").iterdir())) == 1
    with pytest.raises(DataError, match="is catalogued as predicting-spatial"):
        papers("add", "10.1038/s41467-1", "--online")


def test_add_without_online_asks_nobody(papers, server, catalogue):
    assert "would write" in papers("add", "10.1038/s41467-1", "--dry-run").output
    assert not server.asked


def test_the_group_knows_the_commands():
    from histoscribe.cli.papers import papers as group

    named = {info.name: info.callback for info in group.registered_commands}
    assert {name: named.get(name) for name in papers_update.COMMANDS} == papers_update.COMMANDS


def test_links_tells_what_is_dead_and_gives_status_1(papers, server, catalogue, tmp_path):
    (catalogue.folder / "papers" / "x.yaml").write_text(
        f"id: x\nurl: {server.url}/gone\ntitle: A title\nyear: 2025\nvenue: null\nstatus: preprint\n"
        "role: core\ntasks: [other]\n"
    )
    told = papers("links", f"--cache={tmp_path / 'links.json'}")
    assert told.exit_code == 1
    assert told.output == f"dead {server.url}/gone: x\n1 addresses: 1 dead\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["queue", "accep", "abc"], "Did you mean 'accept'"),
        (["queue", "accept"], "names no entry"),
        (["queue", "accept", "abcd"], "is not waiting"),
        (["update", "--since", "yesterday"], "is no day"),
        (["update", "--mirror", "arxiv=file:///etc"], "is not name=address"),
        (["update", "--mirror", "axriv=http://127.0.0.1:1/"], "is no service"),
        (["update", "--contact", "nobody"], "is no e-mail address"),
        (["links", "nothing-here"], "no paper called"),
        (["add", "TRIPLEX", "--online"], "neither a DOI nor an arXiv id"),
    ],
)
def test_a_mistake_is_one_line_and_changes_nothing(papers, server, catalogue, arguments, line):
    with pytest.raises(DataError, match=line):
        papers(*arguments)
    assert not server.asked
    assert not (catalogue.folder / "queue.json").exists()
