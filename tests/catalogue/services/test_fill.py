"""A record from a DOI or arXiv id: each field with its source, disagreement kept."""

from __future__ import annotations

import pytest

from catalogue.services.replies import (
    JSON,
    atom,
    atom_entry,
    crossref,
    crossref_article,
    epmc_article,
    europepmc,
    openalex,
    openalex_work,
)
from histoscribe.catalogue.services import ServiceError, make_services
from histoscribe.catalogue.services.fill import canonical_venue, known_as, look_up, new_id, paper_from
from histoscribe.catalogue.services.work import Work
from histoscribe.core.errors import DataError

DOI = "10.1038/s41467-1"


@pytest.fixture
def services(server):
    server.routes |= {
        "/crossref/works": crossref(crossref_article()),
        "/arxiv/query": atom(),
        "/europepmc/search": europepmc(epmc_article()),
        "/openalex/works": openalex(openalex_work()),
    }
    names = ("crossref", "arxiv", "europepmc", "openalex")
    return make_services(bases={n: f"{server.url}/{n}" for n in names})


def record(works, catalogue, **options):
    return paper_from(works, catalogue, today="2025-06-01", **options)


@pytest.mark.parametrize("given", [DOI, f"https://doi.org/{DOI}", f"doi:{DOI}."])
def test_a_doi_in_any_form_finds_the_work(services, web, given):
    assert {w.source for w in look_up(given, services, web)} == {"crossref", "europepmc", "openalex"}


@pytest.mark.parametrize("given", ["2501.00001", "arXiv:2501.00001v3", "https://arxiv.org/abs/2501.00001"])
def test_an_arxiv_id_in_any_form_finds_the_work(server, services, web, given):
    server.routes["/arxiv/query"] = atom(atom_entry())
    assert [w.source for w in look_up(given, services, web)] == ["arxiv"]
    assert next(q for _, p, q, _ in server.asked if p == "/arxiv/query")["id_list"] == ["2501.00001"]


def test_every_field_names_where_it_was_read(services, web, catalogue):
    paper = record(look_up(DOI, services, web), catalogue)
    told = [
        "https://api.crossref.org/works/10.1038/s41467-1",
        "https://europepmc.org/article/MED/1",
        "https://openalex.org/W1",
    ]
    assert paper.provenance["title"] == told
    assert paper.provenance["volume"] == told
    assert paper.provenance["authors"] == told[:1] or paper.provenance["authors"] == told
    for field in ("title", "authors", "year", "venue", "doi", "volume", "pages", "url", "tasks"):
        assert paper.provenance[field], field
    assert paper.conflicts == []
    assert paper.last_verified == "2025-06-01"


def test_what_services_disagree_on_is_kept_and_left_open(services, server, web, catalogue):
    server.routes["/europepmc/search"] = europepmc(epmc_article(title="A different title altogether", pubYear="2024"))
    paper = record(look_up(DOI, services, web), catalogue)
    assert (paper.year, paper.title) == (2025, "Predicting spatial gene expression from histology")
    (title, year) = paper.conflicts
    assert (title.field, year.field) == ("title", "year")
    assert {(c.source, c.value) for c in year.claims} >= {("https://europepmc.org/article/MED/1", 2024)}
    assert year.decided is None
    assert "https://europepmc.org/article/MED/1" not in paper.provenance["year"]


def test_an_answer_about_another_work_does_not_fill_the_record(services, server, web):
    server.routes["/crossref/works"] = crossref(crossref_article("10.1038/other-9", "Something else entirely"))
    assert {w.source for w in look_up(DOI, services, web)} == {"europepmc", "openalex"}


def test_services_that_fail_are_told_and_the_others_suffice(services, server, web):
    server.routes["/crossref/works"] = (200, JSON, b"{")
    lines = []
    assert len(look_up(DOI, services, web, say=lines.append)) == 2
    assert "Crossref answered with broken JSON" in lines[0]


def test_not_found_is_not_claimed_while_services_fail(services, server, web):
    server.routes = {path: (404, {}, b"") for path in server.routes}
    with pytest.raises(ServiceError, match="was not found, and 3 of 4 services failed"):
        look_up(DOI, services, web)


def test_when_no_service_knows_it_says_so(services, server, web):
    server.routes |= {
        "/crossref/works": crossref(),
        "/europepmc/search": europepmc(),
        "/openalex/works": openalex(),
    }
    with pytest.raises(DataError, match="no service knows 10.1038/s41467-1"):
        look_up(DOI, services, web)


def test_what_is_no_identifier_is_refused_before_anybody_is_asked(services, server, web):
    with pytest.raises(DataError, match="neither a DOI nor an arXiv id"):
        look_up("the paper on TRIPLEX", services, web)
    assert not server.asked


def test_a_catalogued_paper_is_recognised(services, web, catalogue):
    works = look_up(DOI, services, web)
    assert known_as(works, catalogue) is None
    catalogue.save(record(works, catalogue))
    assert known_as(works, catalogue) == "predicting-spatial-gene-expression-from-histolog-2025"


@pytest.mark.parametrize(
    ("work", "venue"),
    [
        (Work("x", "", "t", venue="Nat. Commun."), "Nature Communications"),
        (Work("x", "", "t", venue="nature METHODS"), "Nature Methods"),
        (Work("x", "", "t", doi="10.1038/s41592-024-1", venue="NMETH", kind="article"), "Nature Methods"),
        (Work("x", "", "t", doi="10.1101/2024.01.01.1", kind="preprint"), "bioRxiv or medRxiv"),
        (Work("x", "", "t", doi="10.64898/2026.01.01.1", venue="bioRxiv", kind="preprint"), "bioRxiv"),
        (Work("x", "", "t", venue="2024 IEEE/CVF Conference on Computer Vision (CVPR)"), "CVPR"),
        (Work("x", "", "t", doi="10.1101/2024.1", venue="bioRxiv (Cold Spring Harbor Laboratory)"), "bioRxiv"),
        (Work("x", "", "t", doi="10.9999/x", venue="A New Journal", kind="article"), "A New Journal"),
        (Work("x", "", "t"), None),
    ],
)
def test_venues_get_their_canonical_name(catalogue, work, venue):
    assert canonical_venue(work, catalogue) == venue


@pytest.mark.parametrize(
    ("title", "name", "key"),
    [
        ("BLEEP: bi-modal learning", "BLEEP", "bleep-2025"),
        ("Hist2ST \u2013 a title", "Hist2ST", "hist2st-2025"),
        ("stMCDI: masked diffusion", "stMCDI", "stmcdi-2025"),
        ("Histology: a primer", None, "histology-a-primer-2025"),
        ("Mapping of expression: HisToGene", None, "mapping-of-expression-histogene-2025"),
        ("\u57fa\u56e0", None, "paper-2025"),
    ],
)
def test_method_and_id_come_from_the_title(catalogue, title, name, key):
    paper = record([Work("arxiv", "https://arxiv.org/abs/2501.00001", title, year=2025, kind="preprint")], catalogue)
    assert (paper.method.name if paper.method else None) == name
    assert paper.id == key


def test_an_id_in_use_gets_a_number(catalogue):
    for key in ("spade-2025", "spade-2025-2"):
        work = Work("arxiv", "https://arxiv.org/abs/2501.00001", f"SPADE: work {key}", year=2025, kind="preprint")
        paper = record([work], catalogue)
        assert paper.id == key
        catalogue.add(paper)
    assert new_id("SPADE", 2025, catalogue) == "spade-2025-3"


def test_facts_of_two_articles_are_not_mixed(catalogue):
    title = "Predicting spatial gene expression from histology"
    talk = Work("crossref", "https://x.org/1", title, doi="10.1109/cvpr.1", year=2024, venue="CVPR", kind="article")
    journal = Work("openalex", "https://x.org/2", title, doi="10.1016/j.media.1", year=2025, volume="9", kind="article")
    paper = record([journal, talk], catalogue)
    assert (paper.doi, paper.year, paper.volume, paper.conflicts) == ("10.1109/cvpr.1", 2024, None, [])
    assert [v.doi for v in paper.versions] == ["10.1109/cvpr.1", "10.1016/j.media.1"]


@pytest.mark.parametrize("title", ["RETRACTED: a work", "Withdrawn article: a work"])
def test_a_title_that_says_retracted_counts(catalogue, title):
    work = Work("crossref", "https://x.org/1", title, doi="10.1/x", kind="article")
    assert record([work], catalogue).status == "retracted"


def test_a_retracted_work_is_marked_so(catalogue):
    work = Work("crossref", "https://api.crossref.org/works/10.1/x", "T", doi="10.1/x", kind="article", retracted=True)
    paper = record([work], catalogue)
    assert paper.status == "retracted"
    assert paper.provenance["status"] == [work.address]
