"""Each service: its documented reply is read, its pages are turned, its faults are told in one line."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogue.services.replies import (
    ATOM,
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
from histoscribe.catalogue.services import SERVICES, ServiceError, guard, make_services
from histoscribe.catalogue.services.work import Work
from histoscribe.core.errors import DataError

#: Path that each service is asked at, and a reply with one work.
PATHS = {"europepmc": "/search", "arxiv": "/query", "crossref": "/works", "openalex": "/works"}
ONE = {
    "europepmc": europepmc(epmc_article()),
    "arxiv": atom(atom_entry()),
    "crossref": crossref(crossref_article()),
    "openalex": openalex(openalex_work()),
}


def make(name, server):
    return make_services([name], bases={name: server.url})[0]


def search(name, server, web, limit=1000):
    return [w for page in make(name, server).search(web, since="2025-01-01", limit=limit) for w in page.works]


@pytest.mark.parametrize("name", SERVICES)
def test_the_documented_reply_is_read(server, web, name):
    server.routes[PATHS[name]] = ONE[name]
    (work,) = search(name, server, web)
    assert work.title == "Predicting spatial gene expression from histology"
    assert work.authors[0] == ("van der Doe, Jane" if name == "arxiv" else "Doe, Jane")
    assert work.year == 2025
    assert work.doi == ("10.48550/arXiv.2501.00001" if name == "arxiv" else "10.1038/s41467-1")
    assert work.venue == ("arXiv" if name == "arxiv" else "Nature Communications")
    assert work.kind == ("preprint" if name == "arxiv" else "article")
    assert (name == "crossref") or "hole slide images" in work.abstract


@pytest.mark.parametrize("name", SERVICES)
def test_a_search_names_the_first_day(server, web, name):
    server.routes[PATHS[name]] = ONE[name]
    search(name, server, web)
    asked = " ".join(v for values in server.asked[0][2].values() for v in values)
    assert ("20250101" if name == "arxiv" else "2025-01-01") in asked


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_found_is_no_error(server, web, name):
    empty = {"europepmc": europepmc(), "arxiv": atom(), "crossref": crossref(), "openalex": openalex()}
    server.routes[PATHS[name]] = empty[name]
    assert search(name, server, web) == []


def many(name, n, start=0):
    rows = range(start, start + n)
    if name == "europepmc":
        return [epmc_article(i + 1, f"Work number {i} of the series") for i in rows]
    if name == "arxiv":
        return [atom_entry(f"2501.{i + 1:05d}", f"Work number {i} of the series") for i in rows]
    if name == "crossref":
        return [crossref_article(f"10.1038/s41467-{i}", f"Work number {i} of the series") for i in rows]
    return [openalex_work(i + 1, f"Work number {i} of the series") for i in rows]


def page(name, entries, *, total, after):
    if name == "europepmc":
        return europepmc(*entries, hits=total, after=after)
    if name == "arxiv":
        return atom(*entries, total=total)
    return crossref(*entries, after=after) if name == "crossref" else openalex(*entries, count=total)


@pytest.mark.parametrize("name", SERVICES)
def test_pages_are_turned_to_the_end(server, web, name):
    server.routes[PATHS[name]] = [
        page(name, many(name, 100), total=130, after="AoE+/=second"),
        page(name, many(name, 30, 100), total=130, after="AoE+/=third"),
    ]
    works = search(name, server, web)
    assert len({w.address for w in works}) == 130
    assert len(server.asked) == 2
    marks = {"europepmc": ("cursorMark", "AoE+/=second"), "arxiv": ("start", "100"), "openalex": ("page", "2")}
    field, value = marks.get(name, ("cursor", "AoE+/=second"))
    assert server.asked[1][2][field] == [value]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_that_repeats_its_page_is_not_asked_for_ever(server, web, name):
    count = iter(range(10**6))

    def again(*_):
        return page(name, many(name, 100), total=10**6, after=f"mark{next(count)}")

    server.routes[PATHS[name]] = again
    with pytest.raises(ServiceError, match="sends the same page again after 100 works"):
        search(name, server, web)
    assert len(server.asked) == 2


@pytest.mark.parametrize("name", SERVICES)
def test_paging_that_never_ends_stops_at_the_limit(server, web, name):
    count = iter(range(10**6))

    def more(*_):
        n = next(count)
        return page(name, many(name, 100, 100 * n), total=10**6, after=f"mark{n}")

    server.routes[PATHS[name]] = more
    assert len(search(name, server, web, limit=200)) == 200
    assert len(server.asked) == 2


FAULTS = {
    "html": (200, {"Content-Type": "text/html"}, b"<html><body>Log in to the hotel's wireless</body></html>"),
    "html as json": (200, JSON, b"<html>down</html>"),
    "html as xml": (200, ATOM, b"<!DOCTYPE html><html><p>down</html>"),
    "no type": (200, {}, b"{}"),
    "cut json": (200, JSON, b'{"message": {"items": [{"DOI": "10.1'),
    "cut xml": (200, ATOM, b"<feed xmlns='http://www.w3.org/2005/Atom'><entry><title>x"),
    "empty": (200, JSON, b""),
    "list": (200, JSON, b"[1, 2]"),
    "null": (200, JSON, b"null"),
    "wrong table": (200, JSON, b'{"resultList": 3, "message": "x", "results": {"a": 1}}'),
    "deep json": (200, JSON, b"[" * 200_000),
    "huge number": (200, JSON, b'{"a": ' + b"9" * 10_000 + b"}"),
    "not utf-8": (200, JSON, b'{"a": "\xff\xfe"}'),
    "deep xml": (200, ATOM, b"<a>" * 5000 + b"</a>" * 5000),
    "other xml": (200, ATOM, b"<rss><channel/></rss>"),
    "entity bomb": (
        200,
        ATOM,
        b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + i + 1, b"&%c;" % (98 + i) * 10) for i in range(8))
        + b"]><feed>&j;</feed>",
    ),
    "file entity": (
        200,
        ATOM,
        b'<!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]><feed><title>&x;</title></feed>',
    ),
    "unknown encoding": (200, ATOM, b'<?xml version="1.0" encoding="no-such"?><feed/>'),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", SERVICES)
def test_a_malformed_or_hostile_reply_is_one_clear_line(server, web, name, fault):
    server.routes[PATHS[name]] = FAULTS[fault]
    with pytest.raises(ServiceError) as caught:
        search(name, server, web)
    line = str(caught.value)
    assert SERVICES[name].label in line
    assert "\n" not in line
    assert line.isprintable()
    assert len(line) < 250


@pytest.mark.parametrize("fault", ["entity bomb", "file entity"])
def test_a_document_type_is_refused_before_any_entity_is_read(server, web, fault):
    server.routes["/query"] = FAULTS[fault]
    with pytest.raises(ServiceError, match="document type"):
        search("arxiv", server, web)


@pytest.mark.parametrize("media", ["text/html", "text/plain", ""])
@pytest.mark.parametrize("name", SERVICES)
def test_a_good_reply_under_a_wrong_content_type_is_refused(server, web, name, media):
    status, _, body = ONE[name]
    server.routes[PATHS[name]] = (status, {"Content-Type": media}, body)
    with pytest.raises(ServiceError, match="answered with .* instead of"):
        search(name, server, web)


def test_a_feed_nested_absurdly_is_refused_by_name(server, web):
    entry = atom_entry().replace("</entry>", "<x>" * 200 + "</x>" * 200 + "</entry>")
    server.routes["/query"] = atom(entry)
    with pytest.raises(ServiceError, match="nested deeper than 100"):
        search("arxiv", server, web)


JUNK = [None, 3, "x", [], {}, {"title": None}, {"title": 7, "id": [], "source": {}, "DOI": 3}, [[["a"]]]]


@pytest.mark.parametrize("name", ["europepmc", "crossref", "openalex"])
def test_entries_of_any_shape_are_skipped_and_counted_while_the_good_ones_are_kept(server, web, name):
    good = many(name, 1)[0]
    # Every field of a good entry in turn holds something it should not; title and identifier make it unreadable.
    spoilt = [{**good, field: junk} for field in good for junk in JUNK]
    server.routes[PATHS[name]] = page(name, [*JUNK, *spoilt, good], total=1, after=None)
    pages = list(make(name, server).search(web, since="2025-01-01", limit=10))
    assert pages[0].works[-1].title == "Work number 0 of the series"
    assert pages[0].skipped >= len(JUNK)
    assert all(isinstance(w.title, str) and isinstance(w.authors, tuple) for w in pages[0].works)
    assert json.dumps([w.to_dict() for w in pages[0].works])


def test_arxiv_errors_come_as_a_feed_and_are_told(server, web):
    entry = (
        "<entry><id>http://arxiv.org/api/errors#incorrect_id_format_for_1234</id><title>Error</title>"
        "<summary>incorrect id format for 1234</summary></entry>"
    )
    server.routes["/query"] = atom(entry)
    with pytest.raises(ServiceError, match="arXiv refuses the query .incorrect id format for 1234"):
        make("arxiv", server).lookup(web, arxivs=["1234.56789"])


def test_europe_pmc_errors_come_with_status_200_and_are_told(server, web):
    server.routes["/search"] = (200, JSON, b'{"version": "6.9", "errCode": 500, "errMsg": "Query syntax"}')
    with pytest.raises(ServiceError, match=r"Europe PMC did not answer the query .Query syntax"):
        search("europepmc", server, web)


def test_arxiv_waits_three_seconds_between_pages(server, web, clock):
    server.routes["/query"] = [
        page("arxiv", many("arxiv", 100), total=130, after=None),
        page("arxiv", many("arxiv", 30, 100), total=130, after=None),
    ]
    search("arxiv", server, web)
    assert clock.slept == [pytest.approx(3.0)]


def test_arxiv_tells_the_article_and_the_withdrawal(server, web):
    server.routes["/query"] = atom(atom_entry(doi="10.1038/S41467-9", comment="This paper has been withdrawn by us"))
    (work,) = search("arxiv", server, web)
    assert work.articles == ("doi:10.1038/s41467-9",)
    assert work.retracted


def test_crossref_tells_relations_and_retractions(server, web):
    related = {"is-preprint-of": [{"id-type": "doi", "id": "10.1038/x-1"}, {"id-type": "uri", "id": "http://x"}]}
    notice = [{"type": "retraction", "DOI": "10.1038/notice-1", "label": "Retraction"}]
    kind = {
        "type": "posted-content",
        "subtype": "preprint",
        "institution": [{"name": "bioRxiv"}],
        "container-title": [],
    }
    server.routes["/works"] = crossref(crossref_article(relation=related, **kind, **{"updated-by": notice}))
    (work,) = search("crossref", server, web)
    assert (work.kind, work.venue) == ("preprint", "bioRxiv")
    assert work.articles == ("doi:10.1038/x-1",)
    assert (work.retracted, work.notice) == (True, "10.1038/notice-1")


def test_a_correction_is_no_retraction(server, web):
    server.routes["/works"] = crossref(crossref_article(**{"updated-by": [{"type": "correction", "DOI": "10.1038/c"}]}))
    assert not search("crossref", server, web)[0].retracted


def test_europe_pmc_tells_relations_and_retractions(server, web):
    links = [{"type": "Preprint of", "source": "MED", "id": "123"}, {"type": "Comment in", "source": "MED", "id": "5"}]
    retracted = epmc_article(2, pubTypeList={"pubType": ["Journal Article", "Retracted Publication"]})
    server.routes["/search"] = europepmc(epmc_preprint(commentCorrectionList={"commentCorrection": links}), retracted)
    first, second = search("europepmc", server, web)
    assert first.articles == ("epmc:MED/123",)
    assert (first.retracted, second.retracted) == (False, True)
    assert first.venue == "bioRxiv"


def test_openalex_sends_its_key_and_no_address_keeps_it(server, web, monkeypatch):
    monkeypatch.setenv("OPENALEX_API_KEY", "sesame")
    server.routes["/works"] = openalex(openalex_work(is_retracted=True))
    (work,) = search("openalex", server, web)
    assert server.asked[0][2]["api_key"] == ["sesame"]
    assert "sesame" not in json.dumps(work.to_dict())
    assert work.retracted


def test_identifiers_are_asked_for_in_groups(server, web):
    server.routes["/works"] = crossref(crossref_article())
    make("crossref", server).lookup(web, dois=[f"10.1038/s41467-{i}" for i in range(45)])
    assert len(server.asked) == 3
    assert server.asked[0][2]["filter"][0].count("doi:") == 20


def test_an_unknown_service_suggests_the_nearest():
    with pytest.raises(DataError, match="europepmc"):
        make_services(["europmc"])


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("<i>In vitro</i> &amp;amp; more", "In vitro & more"),
        ("&lt;b&gt;Bold&lt;/b&gt; claim", "Bold claim"),
        ("two\n\tlines", "two lines"),
        ("\x1b[31mred\x07\u202eevil\u200b", "[31mredevil"),
        ("p < 0.05 and q > 1", "p < 0.05 and q > 1"),
        ("  ", None),
        (7, None),
    ],
)
def test_text_is_plain(given, plain):
    assert guard.text(given) == plain


@given(st.text(max_size=300))
def test_text_is_always_printable_and_bounded(given_text):
    found = guard.text(given_text, 50)
    assert found is None or (found.isprintable() and 0 < len(found) <= 50)


@given(st.one_of(st.text(string.printable, max_size=20), st.integers(), st.lists(st.integers(), max_size=4), st.none()))
def test_dates_and_years_are_of_their_form_or_nothing(value):
    day, year = guard.date(value), guard.year(value)
    assert day is None or (len(day) in {4, 7, 10} and 1900 <= int(day[:4]) <= 2100)
    assert year is None or 1900 <= year <= 2100


def test_a_work_survives_being_written_and_read():
    work = Work("arxiv", "https://arxiv.org/abs/1", "T", authors=("A, B",), articles=("doi:10.1/x",), abstract="long")
    assert Work.from_dict(json.loads(json.dumps(work.to_dict()))) == Work(**{**vars(work), "abstract": ""})
