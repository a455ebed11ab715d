"""The queue: found once, decided once, and never half-written."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.services.replies import (
    JSON,
    atom,
    atom_entry,
    crossref,
    crossref_article,
    epmc_article,
    epmc_preprint,
    europepmc,
    openalex,
    openalex_work,
)
from catalogue.services.study import TITLE, TODAY, answer, offer, path, run
from histoscribe.catalogue.check import check
from histoscribe.catalogue.services.queue import Queue
from histoscribe.catalogue.services.relevance import weigh
from histoscribe.catalogue.services.update import accept
from histoscribe.catalogue.services.work import Work
from histoscribe.catalogue.store import RECORDS, Catalogue, read_record
from histoscribe.core import files
from histoscribe.core.errors import DataError, StorageError

#: A queue that somebody edited: the address is no address, the title is a number.
BAD_WORK = json.dumps(
    {"waiting": [{"key": "abc", "kind": "new", "works": [{"address": "e", "title": 3}]}], "ignored": []}
)

__all__ = ["path", "run"]


def test_one_work_told_by_four_services_waits_once(server, run, path):
    answer(
        server,
        crossref=crossref(crossref_article()),
        arxiv=atom(atom_entry(doi="10.1038/s41467-1")),
        europepmc=europepmc(epmc_article()),
        openalex=openalex(openalex_work()),
    )
    run()
    (entry,) = Queue.load(path).waiting.values()
    assert {w.source for w in entry.works} == {"crossref", "arxiv", "europepmc", "openalex"}
    assert entry.score >= 85
    assert any("spatial expression" in reason for reason in entry.reasons)


def test_a_second_run_finds_nothing_new_and_asks_from_two_weeks_before_the_first(server, run, path):
    answer(server, crossref=crossref(crossref_article()))
    run("crossref")
    (heard,) = run("crossref")
    assert (heard.counts["new"], heard.counts["joined"]) == (0, 1)
    assert heard.since == "2025-05-18"
    assert len(Queue.load(path).waiting) == 1


def test_an_ignored_work_never_returns_under_any_identifier(server, run, path):
    answer(server, europepmc=europepmc(epmc_preprint()))
    run("europepmc")
    queue = Queue.load(path)
    (entry,) = queue.waiting.values()
    queue.ignore(entry, "no histology image in it", today="2025-06-02")
    queue.save()
    # The same title as an article with another DOI; then that DOI with a title that was changed.
    answer(server, europepmc=europepmc(epmc_article(5)))
    assert run("europepmc")[0].counts == {"ignored": 1}
    answer(
        server, crossref=crossref(crossref_article("10.1038/s41467-5", "A wholly new spatial gene expression title"))
    )
    assert run("crossref")[0].counts == {"ignored": 1}
    kept = Queue.load(path)
    assert not kept.waiting
    assert kept.ignored[0]["reason"] == "no histology image in it"


def test_ignoring_needs_a_reason(catalogue, path):
    queue = Queue(path)
    offer(queue, catalogue, Work("arxiv", "https://x.org/a", TITLE))
    (entry,) = queue.waiting.values()
    with pytest.raises(DataError, match="cannot be ignored without a reason"):
        queue.ignore(entry, "  ", today="2025-06-02")
    assert queue.waiting


def test_a_catalogued_work_is_known_by_doi_arxiv_or_title(catalogue, path):
    offer(
        queue := Queue(path),
        catalogue,
        Work("arxiv", "https://x.org/a", TITLE, doi="10.1/x", arxiv="2501.00001", year=2025),
    )
    (entry,) = queue.waiting.values()
    catalogue.save(accept(entry, catalogue, today=TODAY))
    others = [
        Work("x", "https://x.org/1", "Another title with gene expression and histology", doi="10.1/X"),
        Work(
            "x", "https://x.org/2", "Another title with gene expression and histology", doi="10.48550/arXiv.2501.00001"
        ),
        Work("x", "https://x.org/3", "PREDICTING spatial gene-expression from histology."),
    ]
    assert offer(Queue(path), catalogue, *others) == {"known": 3}


def test_a_work_that_was_catalogued_by_hand_leaves_the_queue(catalogue, path):
    queue = Queue(path)
    offer(queue, catalogue, Work("arxiv", "https://x.org/a", TITLE, arxiv="2501.00001"))
    (entry,) = queue.waiting.values()
    catalogue.save(accept(entry, catalogue, today=TODAY))
    offer(queue, catalogue)
    assert not queue.waiting


def test_short_titles_identify_nothing(catalogue, path):
    queue = Queue(path)
    works = [Work("x", f"https://x.org/{n}", "Spatial transcriptomics", doi=f"10.1/{n}") for n in range(2)]
    offer(queue, catalogue, *works, threshold=0)
    assert len(queue.waiting) == 2


def test_a_bridge_joins_two_entries(catalogue, path):
    queue = Queue(path)
    first = Work("crossref", "https://x.org/c", "One title about gene expression and histology", doi="10.1/a")
    second = Work("arxiv", "https://x.org/a", "Other title about gene expression and histology", arxiv="2501.00001")
    bridge = Work(
        "openalex",
        "https://x.org/o",
        "Third title about gene expression and histology",
        doi="10.1/a",
        arxiv="2501.00001",
    )
    offer(queue, catalogue, first, second)
    assert len(queue.waiting) == 2
    assert offer(queue, catalogue, bridge) == {"joined": 1}
    (entry,) = queue.waiting.values()
    assert {w.source for w in entry.works} == {"crossref", "arxiv", "openalex"}


def test_notices_and_other_subjects_stay_out(catalogue, path):
    queue = Queue(path)
    works = [
        Work("x", "https://x.org/1", "Author Correction: Predicting spatial gene expression from histology"),
        Work("x", "https://x.org/2", "Retraction: Predicting spatial gene expression from histology"),
        Work("x", "https://x.org/3", "Harvest forecasts for winter wheat in temperate climates"),
        Work("x", "https://x.org/4", "Correction of batch effects in spatial transcriptomics by histology"),
    ]
    assert offer(queue, catalogue, *works) == {"notice": 2, "off": 1, "new": 1}


def test_relevance_gives_a_reason_for_every_point(catalogue):
    work = Work(
        "x", "https://x.org/1", "A survey of cats", abstract="Spatial transcriptomics from histology with deep learning"
    )
    found = weigh(work, catalogue.vocabulary)
    assert found.score == sum(int(reason.split(" ")[0]) for reason in found.reasons)
    assert found.role == "core"
    assert weigh(Work("x", "https://x.org/1", "A survey of cats"), catalogue.vocabulary).role == "related"


def test_title_counts_more_than_abstract(catalogue):
    title = weigh(Work("x", "https://x.org/1", "Spatial gene expression from histology"), catalogue.vocabulary)
    abstract = weigh(
        Work("x", "https://x.org/1", "-", abstract="Spatial gene expression from histology"), catalogue.vocabulary
    )
    assert title.score > abstract.score > 0


def test_no_abstract_is_written_to_the_file(server, run, path):
    answer(server, europepmc=europepmc(epmc_article(abstractText="Whole slides of secret prose")))
    run("europepmc")
    assert "secret prose" not in path.read_text()


def test_a_service_that_fails_is_told_and_the_others_are_kept(server, run, path):
    answer(server, crossref=(404, {}, b"Resource not found."), arxiv=atom(atom_entry()), europepmc=(200, JSON, b"{"))
    heard = {one.label: one for one in run()}
    assert "status 404" in heard["Crossref"].error
    assert "broken JSON" in heard["Europe PMC"].line()
    queue = Queue.load(path)
    assert len(queue.waiting) == 1
    assert set(queue.read) == {"arxiv", "openalex"}


def test_what_came_before_a_failing_page_is_kept_but_the_days_are_asked_for_again(server, run, path):
    rows = [
        crossref_article(f"10.1038/s41467-{i}", f"Spatial gene expression from histology, part {i}") for i in range(100)
    ]
    answer(server, crossref=[crossref(*rows, after="next"), (200, JSON, b'{"mess')])
    (heard,) = run("crossref")
    assert heard.error
    assert heard.n_read == 100
    queue = Queue.load(path)
    assert len(queue.waiting) == 100
    assert queue.read == {}


def test_an_interruption_keeps_the_services_that_were_done(server, run, path):
    def stop(*_):
        raise KeyboardInterrupt

    answer(server, crossref=crossref(crossref_article()))
    run("crossref")
    before = path.read_bytes()
    web_sleep = [crossref(crossref_article("10.1038/s41467-2", "Other spatial gene expression from histology"))]
    answer(server, crossref=web_sleep)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("histoscribe.catalogue.services.update.weigh", stop)
        with pytest.raises(KeyboardInterrupt):
            run("crossref")
    assert path.read_bytes() == before


def test_a_full_disk_leaves_the_old_queue_whole(server, run, path, monkeypatch):
    answer(server, crossref=crossref(crossref_article()))
    run("crossref")
    before = path.read_bytes()

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StorageError, match="No space left"):
        run("crossref")
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir() if "partial" in p.name] == []


def test_a_decision_taken_while_services_are_asked_stands(server, run, path, catalogue):
    queue = Queue(path)
    offer(queue, catalogue, Work("crossref", "https://x.org/c", TITLE, doi="10.1038/s41467-1"))
    queue.save()

    def decide(*_):
        other = Queue.load(path)
        (entry,) = other.waiting.values()
        other.ignore(entry, "decided in another window", today="2025-06-01")
        other.save()
        return crossref(crossref_article())

    answer(server, crossref=decide)
    assert run("crossref")[0].counts == {"ignored": 1}
    assert not Queue.load(path).waiting


@pytest.mark.parametrize(
    "text",
    ["[]", "{}", '{"waiting": [{"key": "a"}], "ignored": []}', '{"waiting": 3, "ignored": []}', "null", "{", BAD_WORK],
)
def test_a_damaged_queue_file_is_named_and_not_overwritten(path, run, server, text):
    path.write_text(text)
    answer(server)
    with pytest.raises(DataError, match=r"queue.json is (no queue file|not valid JSON)"):
        run("crossref")
    assert path.read_text() == text
    assert not server.asked


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.booleans()), max_size=12))
def test_order_and_repetition_never_duplicate_or_resurrect(steps):
    """Whatever is offered or ignored: no two waiting entries share a key, and none shares one with the ignored."""
    queue, empty = Queue(Path("unused")), Catalogue(RECORDS)
    for doi, arxiv, ignore in steps:
        work = Work("x", f"https://x.org/{doi}-{arxiv}", "t", doi=f"10.1/{doi}", arxiv=f"2501.0000{arxiv}")
        offer(queue, empty, work, threshold=0)
        if ignore and queue.waiting:
            queue.ignore(next(iter(queue.waiting.values())), "not for us", today="2025-06-01")
        keys = [k for e in queue.waiting.values() for k in e.keys]
        assert len(keys) == len(set(keys))
        assert not set(keys) & {k for i in queue.ignored for k in i["keys"]}


def test_an_accepted_work_is_a_record_that_the_check_finds_clean(server, run, path, catalogue):
    answer(
        server,
        crossref=crossref(
            crossref_article(title="HistPred: predicting spatial gene expression from histology in breast")
        ),
        arxiv=atom(atom_entry("2412.00001", "HistPred: predicting spatial gene expression from histology in breast")),
    )
    run()
    queue = Queue.load(path)
    (entry,) = queue.waiting.values()
    written = catalogue.save(accept(entry, catalogue, today=TODAY))
    paper = read_record(written)
    assert paper.id == "histpred-2025"
    assert (paper.method.name, paper.status, paper.venue.name) == ("HistPred", "published", "Nature Communications")
    assert (paper.doi, paper.arxiv, paper.year, paper.pages) == ("10.1038/s41467-1", "2412.00001", 2025, "12-20")
    assert (paper.tasks, paper.provenance["tasks"]) == (["expression-prediction"], ["title"])
    assert paper.modality.organs == ["breast"]
    assert [v.kind for v in paper.versions] == ["preprint", "article"]
    assert paper.provenance["title"] == ["https://api.crossref.org/works/10.1038/s41467-1"]
    assert paper.provenance["arxiv"] == ["https://arxiv.org/abs/2412.00001"]
    report = check(Catalogue.load(catalogue.folder, collect=True))
    assert [f.line() for f in report.findings] == []


def test_an_entry_is_found_by_key_doi_or_arxiv(catalogue, path):
    queue = Queue(path)
    offer(
        queue, catalogue, Work("arxiv", "https://x.org/a", TITLE, doi="10.48550/arXiv.2501.00001", arxiv="2501.00001")
    )
    (entry,) = queue.waiting.values()
    for name in (entry.key, entry.key[:4], "2501.00001", "10.48550/ARXIV.2501.00001"):
        assert queue.find(name) is entry
    with pytest.raises(DataError, match="is not waiting"):
        queue.find("nothing")


def test_the_file_survives_reading_and_writing(server, run, path):
    answer(server, crossref=crossref(crossref_article()), arxiv=atom(atom_entry()))
    run()
    before = json.loads(path.read_text())
    Queue.load(path).save()
    assert json.loads(path.read_text()) == before


def test_a_thousand_works_meet_a_large_queue_in_linear_time(catalogue, path):
    """Comparing each work with each entry would be eight million set operations; that many take over ten seconds."""
    works = [Work("x", f"https://x.org/{n}", "t", doi=f"10.1/{n}") for n in range(5000)]
    queue = Queue(path, ignored=[{"keys": [f"doi:10.2/{n}"], "title": "t", "reason": "r"} for n in range(9000)])
    start = time.process_time()
    assert offer(queue, catalogue, *works[:4000], threshold=0) == {"new": 4000}
    assert offer(queue, catalogue, *works[3000:], threshold=0) == {"joined": 1000, "new": 1000}
    assert time.process_time() - start < 5
