"""Articles of preprints and retractions: proposed, and accepted by a person."""

from __future__ import annotations

import pytest

from catalogue.services.replies import (
    crossref,
    crossref_article,
    epmc_article,
    epmc_preprint,
    europepmc,
    openalex,
    openalex_work,
)
from catalogue.services.study import TITLE, TODAY, answer, offer, path, run, services
from histoscribe.catalogue.check import check
from histoscribe.catalogue.services.queue import Queue
from histoscribe.catalogue.services.update import accept, follow
from histoscribe.catalogue.services.work import Work
from histoscribe.catalogue.store import Catalogue

__all__ = ["path", "run"]


@pytest.fixture
def preprint(catalogue, path):
    queue = Queue(path)
    work = Work(
        "europepmc",
        "https://x.org/e",
        TITLE,
        doi="10.1101/2024.01.01.000007",
        year=2024,
        venue="bioRxiv",
        kind="preprint",
    )
    offer(queue, catalogue, work)
    (entry,) = queue.waiting.values()
    paper = accept(entry, catalogue, today=TODAY)
    catalogue.save(paper)
    return paper


def test_crossref_links_the_article_of_a_preprint_and_accepting_it_cites_it(server, web, catalogue, path, preprint):
    related = {"is-preprint-of": [{"id-type": "doi", "id": "10.1038/s41467-9"}]}
    told = crossref_article(preprint.doi, type="posted-content", subtype="preprint", relation=related)
    answer(server, crossref=[crossref(told), crossref(crossref_article("10.1038/s41467-9"))])
    (heard,) = follow(catalogue, path, services(server, "crossref"), web, today=TODAY)
    assert heard.counts == {"version": 1}
    queue = Queue.load(path)
    (entry,) = queue.waiting.values()
    assert (entry.kind, entry.about) == ("version", preprint.id)
    assert catalogue.paper(preprint.id).status == "preprint"
    only = accept(entry, catalogue, today=TODAY)
    assert [v.doi for v in only.versions] == [preprint.doi, "10.1038/s41467-9"]
    assert only.status == "preprint"
    cited = accept(entry, catalogue, today=TODAY, cite=True)
    assert (cited.status, cited.doi, cited.year) == ("published", "10.1038/s41467-9", 2025)
    assert cited.venue.name == "Nature Communications"
    assert cited.provenance["doi"] == ["https://api.crossref.org/works/10.1038/s41467-9"]
    catalogue.save(cited)
    assert check(Catalogue.load(catalogue.folder, collect=True)).findings == []


def test_europe_pmc_links_by_its_own_numbers(server, web, catalogue, path, preprint):
    links = {"commentCorrection": [{"type": "Preprint of", "source": "MED", "id": "9"}]}
    first = europepmc(epmc_preprint(commentCorrectionList=links))
    answer(server, europepmc=[first, europepmc(epmc_article(9))])
    (heard,) = follow(catalogue, path, services(server, "europepmc"), web, today=TODAY)
    assert heard.counts == {"version": 1}
    assert "EXT_ID:9 AND SRC:MED" in server.asked[1][2]["query"][0]
    (entry,) = Queue.load(path).waiting.values()
    assert entry.works[0].doi == "10.1038/s41467-9"


def test_a_retraction_is_proposed_once_and_accepted_into_the_record(server, web, catalogue, path, preprint):
    told = openalex_work(doi=f"https://doi.org/{preprint.doi}", is_retracted=True)
    answer(server, openalex=openalex(told))
    for _ in range(2):
        follow(catalogue, path, services(server, "openalex"), web, today=TODAY)
    (entry,) = Queue.load(path).waiting.values()
    assert entry.kind == "retraction"
    assert accept(entry, catalogue, today=TODAY).status == "retracted"
    assert catalogue.paper(preprint.id).status == "preprint"


def test_an_ignored_retraction_is_not_proposed_again(server, web, catalogue, path, preprint):
    answer(server, openalex=openalex(openalex_work(doi=f"https://doi.org/{preprint.doi}", is_retracted=True)))
    follow(catalogue, path, services(server, "openalex"), web, today=TODAY)
    queue = Queue.load(path)
    queue.ignore(next(iter(queue.waiting.values())), "the service mixed up two papers", today="2025-06-02")
    queue.save()
    (heard,) = follow(catalogue, path, services(server, "openalex"), web, today=TODAY)
    assert heard.counts == {}


def test_an_article_with_the_title_of_a_preprint_is_proposed_as_its_version(server, run, path, preprint):
    answer(server, crossref=crossref(crossref_article("10.1038/s41467-9")))
    assert run("crossref")[0].counts == {"version": 1}
    assert run("crossref")[0].counts == {"known": 1}
    (entry,) = Queue.load(path).waiting.values()
    assert (entry.kind, entry.about) == ("version", preprint.id)
