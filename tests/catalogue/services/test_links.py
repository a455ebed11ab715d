"""Links: asked once, seldom and slowly; each answer is read for what it says."""

from __future__ import annotations

import json
from datetime import date

import pytest

from histoscribe.catalogue import Catalogue
from histoscribe.catalogue.services.links import addresses, check_links
from histoscribe.catalogue.services.web import ServiceError

DAY = date(2025, 6, 1)


@pytest.fixture
def ask(server, web, tmp_path):
    def go(*paths, today=DAY, **options):
        urls = [p if "://" in p else server.url + p for p in paths]
        return check_links(urls, web, cache=tmp_path / "links.json", today=today, **options)

    return go


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, "alive"), (404, "dead"), (410, "dead"), (403, "refused"), (429, "refused"), (451, "refused"), (500, "down")],
)
def test_each_status_is_read_for_what_it_says(server, ask, status, state):
    server.routes["/a"] = (status, {}, b"")
    (link,) = ask("/a")
    assert (link.state, link.status) == (state, status)


def test_head_is_tried_first_and_get_only_where_it_fails(server, ask):
    server.routes["/a"] = (200, {}, b"x")
    server.routes["/b"] = lambda handler, _: (405 if handler.command == "HEAD" else 200, {}, b"")
    assert [link.state for link in ask("/a", "/b")] == ["alive", "alive"]
    assert (server.count("/a", "HEAD"), server.count("/a", "GET")) == (1, 0)
    assert (server.count("/b", "HEAD"), server.count("/b", "GET")) == (1, 1)


def test_a_server_that_drops_head_is_asked_with_get(server, ask):
    server.routes["/a"] = lambda handler, _: None if handler.command == "HEAD" else (200, {}, b"x")
    assert ask("/a")[0].state == "alive"


def test_a_huge_file_behind_a_link_is_not_loaded(server, ask):
    sent = []

    def huge(handler, _):
        if handler.command == "HEAD":
            return 405, {}, b""
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        try:
            sent.extend(handler.wfile.write(b"x" * 65536) for _ in range(2000))
        except OSError:
            return None

    server.routes["/a"] = huge
    assert ask("/a")[0].state == "alive"
    assert sum(sent) < 65536 * 1000


def test_a_permanent_redirect_is_told_and_a_passing_one_is_not(server, ask):
    server.routes |= {
        "/old": (301, {"Location": "/new"}, b""),
        "/login": (302, {"Location": "/new"}, b""),
        "/new": (200, {}, b"x"),
    }
    old, login = ask("/old", "/login")
    assert (old.state, old.detail) == ("moved", f"{server.url}/new")
    assert login.state == "alive"


@pytest.mark.parametrize("target", ["file:///etc/passwd", "/a"])
def test_a_redirect_that_may_not_be_followed_makes_a_link_unusable(server, ask, target):
    server.routes["/a"] = (301, {"Location": target}, b"")
    (link,) = ask("/a")
    assert link.state == "down"
    assert "redirects" in link.detail


def test_a_good_answer_holds_thirty_days_and_a_dead_one_three(server, ask):
    server.routes |= {"/a": (200, {}, b""), "/b": (404, {}, b"")}
    ask("/a", "/b")
    server.asked.clear()
    ask("/a", "/b", today=date(2025, 6, 3))
    assert not server.asked
    ask("/a", "/b", today=date(2025, 6, 4))
    assert {p for _, p, _, _ in server.asked} == {"/b"}
    server.asked.clear()
    ask("/a", today=date(2025, 7, 2))
    assert {p for _, p, _, _ in server.asked} == {"/a"}


def test_fresh_asks_whatever_the_cache_says(server, ask):
    server.routes["/a"] = (200, {}, b"")
    ask("/a")
    ask("/a", fresh=True)
    assert server.count("/a", "HEAD") == 2


def test_a_known_page_is_asked_whether_it_changed(server, ask):
    server.routes["/a"] = [
        (200, {"ETag": '"v1"', "Last-Modified": "Sun, 01 Jun 2025 00:00:00 GMT"}, b""),
        (304, {}, b""),
    ]
    ask("/a")
    (link,) = ask("/a", fresh=True)
    assert server.asked[1][3]["if-none-match"] == '"v1"'
    assert server.asked[1][3]["if-modified-since"].startswith("Sun")
    assert (link.state, link.etag) == ("alive", '"v1"')


def test_the_first_day_of_a_state_is_kept(server, ask):
    server.routes["/a"] = (404, {}, b"")
    ask("/a")
    (link,) = ask("/a", today=date(2025, 6, 20))
    assert (link.since, link.checked) == ("2025-06-01", "2025-06-20")


def test_addresses_of_one_host_are_asked_a_second_apart(server, ask, clock):
    server.routes |= {f"/{n}": (200, {}, b"") for n in range(3)}
    ask("/0", "/1", "/2")
    assert clock.slept == [pytest.approx(1.0)] * 2


def test_a_repeated_address_is_asked_once(server, ask):
    server.routes["/a"] = (200, {}, b"")
    assert len(ask("/a", "/a")) == 1
    assert len(server.asked) == 1


def test_a_server_that_fails_three_times_is_not_asked_again(server, ask):
    server.routes |= {f"/{n}": (500, {}, b"") for n in range(6)}
    found = ask(*(f"/{n}" for n in range(6)))
    assert {link.state for link in found} == {"down"}
    assert server.count("/3", "HEAD") == 0
    assert "three times" in found[5].detail


def test_without_a_connection_nothing_is_called_dead(server, ask, tmp_path, monkeypatch):
    monkeypatch.setattr("histoscribe.catalogue.services.web.Web._once", _offline)
    with pytest.raises(ServiceError, match="Check this machine's connection"):
        ask(*(f"https://host{n}.example/" for n in range(9)))
    assert not (tmp_path / "links.json").exists()


def _offline(*_, **__):
    raise ServiceError("no route")


def test_an_interruption_keeps_what_was_asked(server, ask, tmp_path):
    server.routes |= {"/0": (200, {}, b""), "/1": (200, {}, b"")}

    def stop(link):
        if link.url.endswith("/1"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ask("/0", "/1", "/2", say=stop)
    kept = json.loads((tmp_path / "links.json").read_text())["links"]
    assert {url[-2:] for url in kept} == {"/0", "/1"}


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"links": 3}', '{"links": {"http://x/": {"state": "odd", "checked": "2025-06-01"}}}']
)
def test_a_damaged_cache_is_asked_again(server, ask, tmp_path, text):
    (tmp_path / "links.json").write_text(text)
    server.routes["/a"] = (200, {}, b"")
    assert ask("/a")[0].state == "alive"


def test_the_addresses_of_the_catalogue_are_collected_once_each():
    found = addresses(Catalogue.load())
    assert len(found) > 500
    assert all(url.startswith("http") and ids for url, ids in found.items())
    assert not [url for url in found if "10.48550/arxiv" in url.lower() and "doi.org" in url]
    assert set(addresses(Catalogue.load(), ["triplex-2024"])["https://arxiv.org/abs/2403.07592"]) == {"triplex-2024"}


def test_a_doi_is_not_followed_to_its_publisher(make_web, tmp_path, monkeypatch):
    asked = []

    def once(self, method, url, headers, gap_s, *, body):
        from histoscribe.catalogue.services.web import Reply

        asked.append(url)
        return Reply(302, url, {"location": "https://publisher.example/refuses-programs"})

    monkeypatch.setattr("histoscribe.catalogue.services.web.Web._once", once)
    (link,) = check_links(["https://doi.org/10.1/x"], make_web(), cache=tmp_path / "c.json", today=DAY)
    assert (link.state, asked) == ("alive", ["https://doi.org/10.1/x"])


def test_servers_that_answer_with_faults_are_reached_all_the_same(make_web, tmp_path, monkeypatch):
    from histoscribe.catalogue.services.web import Reply

    monkeypatch.setattr(
        "histoscribe.catalogue.services.web.Web._once", lambda self, method, url, *_, **__: Reply(500, url, {})
    )
    urls = [f"https://host{n}.example/" for n in range(9)]
    found = check_links(urls, make_web(), cache=tmp_path / "c.json", today=DAY)
    assert [link.state for link in found] == ["down"] * 9
