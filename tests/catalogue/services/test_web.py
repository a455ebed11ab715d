"""The client: manners towards servers, and no trust in them."""

from __future__ import annotations

import contextlib
import time
from email.utils import formatdate

import pytest

from histoscribe.catalogue.services.web import ServiceError, Web, _allow, shown
from histoscribe.core.errors import DataError

TEXT = {"Content-Type": "text/plain"}


def test_requests_to_one_host_keep_their_distance(server, web, clock):
    server.routes["/a"] = (200, TEXT, b"x")
    for _ in range(3):
        web.get(f"{server.url}/a", gap_s=3.0)
    assert clock.slept == [pytest.approx(3.0)] * 2


def test_the_user_agent_names_project_and_contact(server, make_web):
    server.routes["/a"] = (200, TEXT, b"x")
    make_web(contact="me@example.org").get(f"{server.url}/a")
    agent = server.asked[0][3]["user-agent"]
    assert agent.startswith("HistoScribe/")
    assert "mailto:me@example.org" in agent
    assert "https://" in agent


@pytest.mark.parametrize("contact", ["nobody", "a@b\r\nX-Evil: 1", "a@b c", "<a@b>"])
def test_a_contact_that_is_no_address_is_refused(contact):
    with pytest.raises(DataError, match="is no e-mail address"):
        Web(contact=contact)


def test_429_waits_as_long_as_it_asks(server, web, clock):
    server.routes["/a"] = [(429, {"Retry-After": "7"}, b""), (200, TEXT, b"ok")]
    assert web.get(f"{server.url}/a", gap_s=0).body == b"ok"
    assert clock.slept == [7.0]


def test_retry_after_may_be_a_date(server, web, clock):
    server.routes["/a"] = [(503, {"Retry-After": formatdate(clock.time + 9, usegmt=True)}, b""), (200, TEXT, b"ok")]
    web.get(f"{server.url}/a", gap_s=0)
    assert clock.slept == [pytest.approx(9.0, abs=1.0)]


@pytest.mark.parametrize("value", ["soon", "-5", "1e9", "", "\xb2"])
def test_a_retry_after_that_cannot_be_read_falls_back_to_doubling(server, web, clock, value):
    server.routes["/a"] = [(429, {"Retry-After": value}, b""), (503, {}, b""), (200, TEXT, b"ok")]
    web.get(f"{server.url}/a", gap_s=0)
    assert clock.slept == [1.0, 2.0]


def test_a_server_that_asks_for_an_hour_is_left_alone(server, web, clock):
    server.routes["/a"] = (429, {"Retry-After": "3600"}, b"")
    with pytest.raises(ServiceError, match="asks to wait 3600 s"):
        web.get(f"{server.url}/a")
    assert server.count("/a") == 1
    assert clock.slept == []


def test_it_gives_up_after_four_tries_with_the_status(server, web, clock):
    server.routes["/a"] = (500, {}, b"")
    with pytest.raises(ServiceError, match="status 500. It is overloaded or down") as caught:
        web.get(f"{server.url}/a", gap_s=0)
    assert caught.value.status == 500
    assert clock.slept == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(("status", "advice"), [(404, "does not know"), (403, "wants a key"), (400, "the query")])
def test_a_final_refusal_is_asked_once(server, web, status, advice):
    server.routes["/a"] = (status, {}, b"")
    with pytest.raises(ServiceError, match=advice):
        web.get(f"{server.url}/a")
    assert server.count("/a") == 1


def test_messages_never_hold_the_query_where_keys_stand(server, web):
    with pytest.raises(ServiceError) as caught:
        web.get(f"{server.url}/none", {"api_key": "secret"})
    assert "secret" not in str(caught.value)
    assert shown("https://user:pw@host/a?key=1") == "https://host/a"
    assert "\x1b" not in shown("https://host/\x1b[31m")


def test_a_body_that_declares_itself_too_large_is_not_read(server, make_web):
    server.routes["/a"] = (200, {**TEXT, "Content-Length": str(10**12)}, b"x")
    with pytest.raises(ServiceError, match="sends more than 1000 bytes"):
        make_web(max_bytes=1000).get(f"{server.url}/a")


def test_a_body_without_length_is_cut_off_at_the_limit(server, make_web):
    sent = []

    def endless(handler, _):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        with contextlib.suppress(OSError):
            sent.extend(handler.wfile.write(b"x" * 65536) for _ in range(2000))

    server.routes["/a"] = endless
    with pytest.raises(ServiceError, match="sends more than 100000 bytes"):
        make_web(max_bytes=100_000).get(f"{server.url}/a")
    assert sum(sent) < 65536 * 1000


def test_a_body_that_breaks_off_is_tried_again_and_never_returned(server, web):
    server.routes["/a"] = (200, {**TEXT, "Content-Length": "100"}, b"half")
    with pytest.raises(ServiceError, match="broke off after 4 of 100 bytes"):
        web.get(f"{server.url}/a")
    assert server.count("/a") == 4


def test_a_broken_chunk_is_an_error(server, make_web):
    def chunked(handler, _):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")

    server.routes["/a"] = chunked
    with pytest.raises(ServiceError, match="cannot be read"):
        make_web(tries=1).get(f"{server.url}/a")


def test_a_server_that_drips_is_dropped_after_the_total_time(server):
    def drip(handler, _):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        try:
            for _ in range(1000):
                handler.wfile.write(b"x")
                time.sleep(0.002)
        except OSError:
            pass

    server.routes["/a"] = drip
    with pytest.raises(ServiceError, match="took longer than 0.02 s"):
        Web(total_s=0.02, tries=1).get(f"{server.url}/a")


def test_packed_content_is_refused(server, web):
    server.routes["/a"] = (200, {**TEXT, "Content-Encoding": "gzip"}, b"\x1f\x8b")
    with pytest.raises(ServiceError, match="packed content"):
        web.get(f"{server.url}/a")


@pytest.mark.parametrize(
    "greeting", [b"SSH-2.0-OpenSSH\r\n", b"", b"HTTP/1.1 999999 x\r\n\r\n", b"HTTP/1.1 2OO OK\r\n\r\n"]
)
def test_what_is_no_http_is_one_clear_line(server, make_web, greeting):
    server.routes["/a"] = lambda handler, _: handler.wfile.write(greeting) and None
    with pytest.raises(ServiceError, match=r"cannot be read|answers status") as caught:
        make_web(tries=1).get(f"{server.url}/a")
    assert "\n" not in str(caught.value)


def test_a_closed_port_says_that_the_connection_failed(server, make_web):
    url = server.url
    server.http.server_close()
    with pytest.raises(ServiceError, match="cannot be read .*Check the connection"):
        make_web(tries=1).get(f"{url}/a")


def test_redirects_within_the_host_are_followed(server, web):
    server.routes |= {"/a": (302, {"Location": "/b c"}, b""), "/b%20c": (200, TEXT, b"ok")}
    assert web.get(f"{server.url}/a").body == b"ok"


def test_a_redirect_circle_ends(server, web):
    server.routes |= {"/a": (302, {"Location": "/b"}, b""), "/b": (302, {"Location": "/a"}, b"")}
    with pytest.raises(ServiceError, match="redirects in a circle"):
        web.get(f"{server.url}/a")


def test_an_endless_chain_of_redirects_ends(server, web):
    server.routes |= {f"/{n}": (302, {"Location": f"/{n + 1}"}, b"") for n in range(50)}
    with pytest.raises(ServiceError, match="redirects more than 5 times"):
        web.get(f"{server.url}/0")
    assert len(server.asked) == 6


@pytest.mark.parametrize(
    ("target", "what"),
    [
        ("file:///etc/passwd", "a file: address"),
        ("ftp://127.0.0.1/x", "a ftp: address"),
        ("javascript:alert(1)", "a javascript: address"),
        ("http://example.org/x", "another host"),
    ],
)
def test_redirects_to_elsewhere_are_not_followed(server, web, target, what):
    server.routes["/a"] = (302, {"Location": target}, b"")
    with pytest.raises(ServiceError, match=f"redirects to {what}"):
        web.get(f"{server.url}/a")
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "inside",
    ["127.0.0.1", "10.1.2.3", "169.254.169.254", "192.168.0.1", "[::1]", "localhost", "printer.local", "0.0.0.0"],
)
def test_a_public_server_cannot_send_us_into_the_private_network(inside):
    with pytest.raises(ServiceError, match="private network"):
        _allow("https://doi.example/x", f"http://{inside}/admin", stay=False)


def test_a_service_cannot_take_off_the_encryption():
    with pytest.raises(ServiceError, match="an unprotected address"):
        _allow("https://api.example/x", "http://api.example/y", stay=True)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://x/", "http://", "http:///a", "ftp://host/a", "data:,x"]
)
def test_only_web_addresses_are_asked(web, url):
    with pytest.raises(ServiceError, match="is no http or https address"):
        web.get(url)
