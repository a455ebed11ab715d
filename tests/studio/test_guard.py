"""Hostile use: strangers, paths that climb, oversized and malformed requests, floods."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from histoscribe.studio._limits import Limits
from histoscribe.studio.routes import pages

from .conftest import HOSTS, assert_told


@pytest.mark.parametrize(
    "path",
    [
        *("/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "/assets/../_app.py", "/assets/..%2f..%2f_app.py"),
        *(
            "/assets/%2e%2e/%2e%2e/_app.py",
            "/assets/..%5c_app.py",
            "/assets//etc/passwd",
            "/assets/%00",
            "/assets/c:/x",
        ),
        *("/api/items/..%2f..%2fetc%2fpasswd", "/api/records/..%2f..%2f/x/y", "/api/checks/..%2f..%2fx/overlay"),
        "/api/papers/..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_path_leads_out(client, path):
    answer = client.get(path)
    if not answer.headers["content-type"].startswith("text/html"):  # the page's start, whatever the address
        assert_told(answer, answer.status_code)
        assert answer.status_code in {404, 422}
    assert "root:" not in answer.text
    assert "create_app" not in answer.text


def test_a_link_in_the_pages_folder_is_not_followed(client, monkeypatch, tmp_path):
    static = tmp_path / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<!doctype html>start")
    (static / "assets" / "app-123.js").write_text("let a;")
    (tmp_path / "secret.txt").write_text("secret")
    (static / "assets" / "link.txt").symlink_to(tmp_path / "secret.txt")
    (static / "folder").symlink_to(tmp_path)
    monkeypatch.setattr(pages, "STATIC", static)
    assert_told(client.get("/assets/link.txt"), 404)
    assert "secret" not in client.get("/folder/secret.txt").text
    script = client.get("/assets/app-123.js")
    assert "immutable" in script.headers["cache-control"]
    assert (script.text, script.headers["content-encoding"]) == ("let a;", "gzip")
    plain = client.get("/assets/app-123.js", headers={"accept-encoding": "identity"})
    assert plain.content == b"let a;"
    assert "content-encoding" not in plain.headers
    (static / "assets" / "app-123.js").write_text("let b = 1;")  # built anew
    assert client.get("/assets/app-123.js").text == "let b = 1;"
    for page in ("/", "/slide/abc", "/papers/triplex-2024", "/no/such/page"):
        assert client.get(page).text == "<!doctype html>start"


def test_without_a_built_page_the_start_says_how_to_build_it(client, monkeypatch, tmp_path):
    monkeypatch.setattr(pages, "STATIC", tmp_path)
    assert "npm run build" in client.get("/").text


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8710", "127.0.0.1.evil.example", "", "[::1", "a" * 300])
def test_another_host_name_is_refused(client, host):
    assert_told(client.get("/api/meta", headers={"host": host}), 403)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9999", "[::1]:8710", "LOCALHOST"])
def test_loopback_names_are_served(client, host):
    assert client.get("/api/meta", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8710", "["]
)
def test_another_origin_is_refused(client, origin):
    assert_told(client.get("/api/items", headers={"origin": origin}), 403)
    assert_told(client.post("/api/checks", headers={"origin": origin}, json={}), 403)


def test_its_own_origin_is_served_and_a_link_from_elsewhere_may_be_followed(client):
    assert client.get("/api/items", headers={"origin": HOSTS}).status_code == 200
    followed = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    assert client.get("/", headers=followed).status_code == 200
    embedded = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"}
    assert_told(client.get("/api/items", headers=embedded), 403)


def test_every_answer_restricts_what_the_browser_may_do(client, ids):
    for path in ("/", "/api/items", "/api/nothing", f"/api/items/{ids['slide']}/tile/0/0/0"):
        headers = client.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'self'; img-src 'self' blob: data:;")
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_with_a_token_nothing_is_served_without_it(make_client, files):
    client = make_client(files / "slide.tif", hosts=None, token="t0ken")
    for path in ("/", "/api/meta", "/api/openapi.json"):
        assert_told(client.get(path), 401)
    assert_told(client.get("/api/meta?token=wrong"), 401)
    assert_told(client.get("/api/meta", headers={"cookie": "histoscribe_studio=wrong"}), 401)
    assert client.get("/api/meta", headers={"authorization": "Bearer t0ken"}).status_code == 200
    first = client.get("/slide/abc?token=t0ken&gene=ERBB2", follow_redirects=False)
    assert (first.status_code, first.headers["location"]) == (303, "/slide/abc?gene=ERBB2")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.get("/api/meta").status_code == 200  # the client keeps the cookie


def test_a_token_in_the_address_never_sends_elsewhere(make_client, files):
    client = make_client(files / "slide.tif", hosts=None, token="t0ken")
    first = client.get("http://127.0.0.1:8710//evil.example/x?token=t0ken", follow_redirects=False)
    assert first.headers["location"] == "/evil.example/x"


def test_a_server_for_any_name_needs_a_token(make_client):
    with pytest.raises(ValueError, match="needs a token"):
        make_client(hosts=None).get("/")


def test_oversized_requests_are_refused(make_client, files):
    client = make_client(files / "section.h5ad", limits=Limits(body_bytes=1000, upload_bytes=2000))
    (item,) = client.studio.items
    assert_told(client.post(f"/api/items/{item.id}/markers", content=b"[" + b"1," * 1000), 413)
    assert_told(client.post("/api/uploads", files={"file": ("a.tif", bytes(3000))}), 413)

    def chunks():
        for _ in range(20):
            yield b"1," * 50

    kind = {"content-type": "application/json"}
    assert_told(client.post(f"/api/items/{item.id}/markers", content=chunks(), headers=kind), 413)
    assert_told(client.get("/api/papers?query=" + "a" * 3000), 414)
    assert_told(client.get("/api/" + "a" * 2000), 414)
    assert_told(client.get("/api/papers?query=" + "a" * 400), 422)
    assert_told(client.get("/api/papers?limit=100000"), 422)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"null", b"[]", b'{"indices": "all"}', b'{"indices": [-1]}', b'{"indices": [1e400]}', b"\xff\xfe"],
)
def test_malformed_bodies_are_told(client, ids, body):
    answer = client.post(
        f"/api/items/{ids['section']}/markers", content=body, headers={"content-type": "application/json"}
    )
    assert_told(answer, 422)


def test_a_body_that_a_form_of_another_page_could_send_is_not_read(client, ids):
    body = b'{"indices": [0, 1, 2, 3]}'
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        answer = client.post(f"/api/items/{ids['section']}/markers", content=body, headers={"content-type": kind})
        assert_told(answer, 422)


def test_methods_that_are_not_offered_are_told(client):
    assert_told(client.post("/api/items"), 405)
    assert_told(client.put("/api/meta"), 405)
    assert_told(client.delete("/"), 405)


def test_a_mistake_of_the_server_tells_no_traceback(client, ids, monkeypatch):
    def break_down(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(type(client.studio.items), "values", break_down)
    answer = client.get(f"/api/items/{ids['section']}/genes")
    assert_told(answer, 500)
    assert "secret" not in answer.text


def test_a_flood_is_slowed_down_and_others_are_served(make_client, files):
    client = make_client(files / "slide.tif", limits=Limits(per_second=0.1, burst=5))
    statuses = [client.get("/api/meta").status_code for _ in range(8)]
    assert statuses == [200] * 5 + [429] * 3
    assert client.get("/api/meta").headers["retry-after"] == "1"
    assert asyncio.run(_get(client, "10.0.0.9")) == 200


async def _get(client, address):
    transport = httpx.ASGITransport(client.app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url=HOSTS) as other:
        return (await other.get("/api/meta")).status_code


def test_200_clients_at_once_are_all_answered(client, ids):
    paths = [
        f"/api/items/{ids['slide']}/tile/0/0/0",
        f"/api/items/{ids['section']}/genes/ERBB2?layer=residual",
        f"/api/items/{ids['section']}/genes?query=e",
        f"/api/items/{ids['slide']}/thumbnail?max_px=64",
        "/api/items",
    ]

    async def everyone():
        async def one(number):
            transport = httpx.ASGITransport(client.app, client=(f"10.0.{number // 250}.{number % 250}", 1))
            async with httpx.AsyncClient(transport=transport, base_url=HOSTS, trust_env=False) as own:
                return [(await own.get(path)).status_code for path in paths]

        return await asyncio.gather(*(one(number) for number in range(200)))

    answers = asyncio.run(everyone())
    assert len(answers) == 200
    assert all(statuses == [200] * len(paths) for statuses in answers)


def test_work_that_waits_too_long_in_line_is_turned_away(make_client, files):
    client = make_client(files / "section.h5ad")
    client.studio.slow._most = 0
    (item,) = client.studio.items
    assert_told(client.get(f"/api/items/{item.id}"), 503)
