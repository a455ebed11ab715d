"""What the tests of the queue and of following share: services on the local server, and works on offer."""

from __future__ import annotations

from datetime import date

import pytest

from catalogue.services.replies import atom, crossref, europepmc, openalex
from histoscribe.catalogue.services import make_services
from histoscribe.catalogue.services.relevance import weigh
from histoscribe.catalogue.services.update import update

TODAY = date(2025, 6, 1)
TITLE = "Predicting spatial gene expression from histology"


def services(server, *names):
    return make_services(names, bases={n: f"{server.url}/{n}" for n in ("crossref", "arxiv", "europepmc", "openalex")})


def answer(server, **replies):
    paths = {"crossref": "works", "arxiv": "query", "europepmc": "search", "openalex": "works"}
    empty = {"crossref": crossref(), "arxiv": atom(), "europepmc": europepmc(), "openalex": openalex()}
    server.routes |= {f"/{name}/{paths[name]}": replies.get(name, empty[name]) for name in paths}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "queue.json"


@pytest.fixture
def run(server, web, catalogue, path):
    def go(*names, **options):
        return update(catalogue, path, services(server, *names), web, today=TODAY, **options)

    return go


def offer(queue, catalogue, *works, threshold=40):
    told = [(w, weigh(w, catalogue.vocabulary)) for w in works]
    return queue.offer(told, catalogue, today="2025-06-01", threshold=threshold)
