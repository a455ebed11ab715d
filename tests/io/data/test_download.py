"""Downloads against a server that does everything wrong."""

from __future__ import annotations

import errno
import hashlib
import os

import pytest

from histoscribe.core.errors import DataError, StorageError
from histoscribe.io.data import _download
from histoscribe.io.data._download import Remote, Transfer, download

CONTENT = bytes(range(256)) * 400  # 102,400 bytes
SHA = hashlib.sha256(CONTENT).hexdigest()


def sha(data):
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@pytest.fixture
def target(tmp_path):
    return tmp_path / "data" / "file.bin"


def nothing_half(target):
    return not target.exists() and not list(target.parent.glob("*.partial"))


def test_a_file_arrives_whole_and_leaves_nothing_beside_it(server, transfer, target):
    url = server.serve("/f", CONTENT)
    got = download(Remote(url, len(CONTENT), sha(CONTENT)), target, transfer=transfer)
    assert target.read_bytes() == CONTENT
    assert (got.size, got.sha256, got.note) == (len(CONTENT), SHA, "")
    assert [p.name for p in target.parent.iterdir()] == ["file.bin"]


def test_an_empty_file_is_a_file(server, transfer, target):
    assert download(Remote(server.serve("/f", b"")), target, transfer=transfer).size == 0
    assert target.read_bytes() == b""


@pytest.mark.parametrize("fault", [("cut", 40_000), ("stall", 40_000)])
def test_a_broken_connection_goes_on_where_it_stopped(server, transfer, target, sleeps, fault):
    url = server.serve("/f", CONTENT, faults=[fault, fault])
    download(Remote(url, len(CONTENT), sha(CONTENT)), target, transfer=transfer)
    assert target.read_bytes() == CONTENT
    assert server.asked("Range") == [None, "bytes=40000-", "bytes=80000-"]
    assert server.asked("If-Range") == [None, '"1"', '"1"']
    assert sleeps == [1.0, 2.0]


def test_a_server_that_ignores_ranges_makes_it_start_anew(server, transfer, target):
    url = server.serve("/f", CONTENT, ranges=False, faults=[("cut", 30_000)])
    seen = []
    download(Remote(url, None, sha(CONTENT)), target, transfer=transfer, advance=seen.append)
    assert target.read_bytes() == CONTENT
    assert sum(seen) == len(CONTENT), "progress takes back what is thrown away"


def test_content_that_changes_between_requests_is_never_mixed(server, transfer, target):
    url = server.serve("/f", b"a" * 50_000, faults=[("cut", 20_000)])
    served = server.files["/f"]

    def change(seconds):
        served.content, served.etag = b"b" * 60_000, '"2"'

    download(Remote(url), target, transfer=Transfer(timeout_s=0.2, attempts=3, sleep=change))
    assert target.read_bytes() == b"b" * 60_000


def test_content_that_changes_behind_the_same_etag_is_found_by_its_checksum_and_fetched_anew(server, target):
    url = server.serve("/f", b"a" * 50_000, faults=[("cut", 20_000)])
    served = server.files["/f"]
    wanted = sha(b"b" * 50_000)

    def change(seconds):
        served.content = b"b" * 50_000

    download(Remote(url, 50_000, wanted), target, transfer=Transfer(timeout_s=0.2, attempts=3, sleep=change))
    assert target.read_bytes() == b"b" * 50_000
    assert server.asked("Range") == [None, "bytes=20000-", None]


def test_without_a_mark_of_the_version_nothing_is_continued(server, transfer, target):
    url = server.serve("/f", CONTENT, etag=None, faults=[("cut", 40_000)])
    download(Remote(url), target, transfer=transfer)
    assert server.asked("Range") == [None, None]
    assert target.read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server, transfer, target):
    url = server.serve("/f", CONTENT)
    with pytest.raises(DataError, match="has the checksum sha256:.* instead of sha256:.*Nothing was kept"):
        download(Remote(url, len(CONTENT), sha(b"other")), target, transfer=transfer)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("kind", ["md5", "git-sha1"])
def test_other_kinds_of_checksum_are_checked(server, transfer, target, kind):
    # `git hash-object` of the six bytes "hello\n" is ce013625...; md5sum gives b1946ac9....
    known = {"md5": "b1946ac92492d2347c6235b4d2611184", "git-sha1": "ce013625030ba8dba906f756967f9e9ca394464a"}
    url = server.serve("/f", b"hello\n")
    download(Remote(url, 6, f"{kind}:{known[kind]}"), target, transfer=transfer)
    server.files["/f"].content = b"jello\n"
    with pytest.raises(DataError, match=f"checksum {kind}:"):
        download(Remote(url, 6, f"{kind}:{known[kind]}"), target.with_name("g"), transfer=transfer)


def test_a_size_other_than_the_known_one_is_refused_before_anything_is_downloaded(server, transfer, target):
    url = server.serve("/f", CONTENT)
    with pytest.raises(DataError, match=f"has {len(CONTENT)} bytes at the source instead of 7"):
        download(Remote(url, 7), target, transfer=transfer)
    assert nothing_half(target)


def test_a_server_that_announces_more_than_it_has_is_given_up(server, transfer, target, sleeps):
    url = server.serve("/f", CONTENT, always=("lie", len(CONTENT) + 10))
    with pytest.raises(DataError, match="times in a row"):
        download(Remote(url), target, transfer=transfer)
    assert nothing_half(target)
    assert len(server.log) == 4


def test_a_server_that_announces_less_than_it_has_is_found_by_the_checksum(server, transfer, target):
    url = server.serve("/f", CONTENT, always=("lie", 50_000))
    with pytest.raises(DataError, match="Nothing was kept"):
        download(Remote(url, None, sha(CONTENT)), target, transfer=transfer)
    assert nothing_half(target)


def test_a_part_of_the_file_that_was_not_asked_for_is_thrown_away(server, transfer, target):
    url = server.serve("/f", CONTENT, faults=[("cut", 40_000), ("wrong-range",)])
    download(Remote(url), target, transfer=transfer)
    assert target.read_bytes() == CONTENT


def test_a_file_that_became_shorter_is_fetched_anew(server, target):
    url = server.serve("/f", b"a" * 50_000, faults=[("cut", 20_000)])
    served = server.files["/f"]

    def shrink(seconds):
        served.content = b"b" * 100  # behind the same ETag: a 416

    download(Remote(url), target, transfer=Transfer(timeout_s=0.2, attempts=4, sleep=shrink))
    assert target.read_bytes() == b"b" * 100


def test_a_file_without_a_length_comes_with_a_note(server, transfer, target):
    url = server.serve("/f", CONTENT, length=False)
    assert "states no length" in download(Remote(url), target, transfer=transfer).note
    assert download(Remote(url, None, sha(CONTENT)), target, transfer=transfer).note == ""


def test_a_truncated_file_without_a_length_is_found_by_its_known_size(server, transfer, target):
    url = server.serve("/f", CONTENT, length=False, faults=[("cut", 40_000)])
    download(Remote(url, len(CONTENT)), target, transfer=transfer)
    assert target.read_bytes() == CONTENT


def test_a_web_page_in_place_of_a_file_is_refused(server, transfer, target):
    url = server.serve("/f.zip", b"<html>log in</html>", kind="text/html; charset=utf-8")
    with pytest.raises(DataError, match="is a web page now, not a file"):
        download(Remote(url), target, transfer=transfer)


def test_a_busy_server_is_waited_for_as_long_as_it_asks(server, transfer, target, sleeps):
    faults = [("status", 429, {"Retry-After": "7"}), ("status", 503), ("status", 500)]
    download(Remote(server.serve("/f", CONTENT, faults=faults)), target, transfer=transfer)
    assert sleeps == [7.0, 2.0, 4.0]
    assert target.read_bytes() == CONTENT


def test_a_server_that_asks_for_an_hour_is_left_for_later(server, transfer, target):
    url = server.serve("/f", CONTENT, always=("status", 429, {"Retry-After": "3600"}))
    with pytest.raises(DataError, match="asks to come back in 3600 s"):
        download(Remote(url), target, transfer=transfer)


def test_attempts_are_bounded(server, transfer, target, sleeps):
    url = server.serve("/f", CONTENT, always=("status", 500))
    with pytest.raises(DataError, match="the server answers 500, 4 times in a row"):
        download(Remote(url), target, transfer=transfer)
    assert sleeps == [1.0, 2.0, 4.0]


def test_megabytes_between_two_failures_start_the_count_anew(server, target, monkeypatch):
    monkeypatch.setattr(_download, "_PROGRESS", 20_000)
    url = server.serve("/f", CONTENT, faults=[("cut", 20_000)] * 4)
    download(Remote(url), target, transfer=Transfer(timeout_s=0.2, attempts=2, sleep=lambda s: None))
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("code", "words"),
    [(401, "wants to know who you are"), (403, "may not have this file"), (404, "does not exist any more")],
)
def test_refusals_say_what_to_do_and_are_not_repeated(server, transfer, target, code, words):
    url = server.serve("/f", CONTENT, always=("status", code))
    with pytest.raises(DataError, match=words):
        download(Remote(url, hint="Accept the form."), target, transfer=transfer)
    assert len(server.log) == 1


def test_no_connection_is_said_plainly(transfer, target):
    with pytest.raises(DataError, match="no connection"):
        download(Remote("http://127.0.0.1:9/f"), target, transfer=transfer)


def test_redirects_are_followed_and_a_circle_is_left(server, transfer, target):
    url = server.serve("/a", always=("redirect", server.serve("/b", CONTENT)))
    download(Remote(url), target, transfer=transfer)
    assert target.read_bytes() == CONTENT
    circle = server.serve("/c", always=("redirect", "/c"))
    with pytest.raises(DataError, match="turns in a circle"):
        download(Remote(circle), target, transfer=transfer)
    assert [path for path, _ in server.log].count("/c") == 9


def test_a_token_stays_with_its_host_and_out_of_every_message(server, transfer, target):
    elsewhere = server.url("/there", host="localhost")
    server.serve("/there", CONTENT, faults=[None])
    server.serve("/same", CONTENT)
    secret = {"Authorization": "Bearer hf_secret"}
    away = server.serve("/away", always=("redirect", f"{elsewhere}?signature=hidden"))
    near = server.serve("/near", always=("redirect", "/same"))
    download(Remote(away, headers=secret), target, transfer=transfer)
    download(Remote(near, headers=secret), target, transfer=transfer)
    assert server.asked("Authorization", "/there?signature=hidden") == [None]
    assert server.asked("Authorization", "/same") == ["Bearer hf_secret"]
    server.files["/there"].always = ("status", 403)
    with pytest.raises(DataError) as caught:
        download(Remote(away, headers=secret), target, transfer=transfer)
    assert "hf_secret" not in str(caught.value) + repr(Remote(away, headers=secret))
    assert "hidden" not in str(caught.value)


def test_a_redirect_to_another_protocol_is_refused(server, transfer, target):
    url = server.serve("/f", always=("redirect", "file:///etc/passwd"))
    with pytest.raises(DataError):
        download(Remote(url), target, transfer=transfer)
    with pytest.raises(DataError, match="no http"):
        download(Remote("ftp://host/f"), target, transfer=transfer)


def test_a_full_disk_is_seen_before_and_during_a_download_and_what_came_stays(server, transfer, target, monkeypatch):
    url = server.serve("/f", CONTENT, faults=[("cut", 40_000), ("status", 404)])
    remote = Remote(url, len(CONTENT), sha(CONTENT))
    with pytest.raises(DataError):
        download(remote, target, transfer=transfer)
    part = target.with_name("file.bin.part")
    assert part.stat().st_size == 40_000
    with monkeypatch.context() as patch:
        patch.setattr(_download.shutil, "disk_usage", lambda path: type("U", (), {"free": 10})())
        with pytest.raises(StorageError, match="GB free, but .* needs"):
            download(remote, target, transfer=transfer)
    with monkeypatch.context() as patch:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        patch.setattr(_download.Checksums, "update", lambda self, data: (_ for _ in ()).throw(full))
        with pytest.raises(StorageError, match="the disk is full"):
            download(remote, target, transfer=transfer)
    assert part.exists()
    download(remote, target, transfer=transfer)
    assert target.read_bytes() == CONTENT


def test_bytes_of_another_address_are_not_used(server, transfer, target):
    server.serve("/old", CONTENT, faults=[("cut", 40_000), ("status", 404)])
    with pytest.raises(DataError):
        download(Remote(server.url("/old")), target, transfer=transfer)
    download(Remote(server.serve("/new", b"n" * 70_000)), target, transfer=transfer)
    assert target.read_bytes() == b"n" * 70_000


def test_a_killed_download_goes_on_in_the_next_run(server, transfer, target, killed):
    url = server.serve("/f", CONTENT, faults=[("stall", 70_000)])
    part = target.with_name("file.bin.part")
    killed(
        lambda: download(Remote(url), target, transfer=Transfer(timeout_s=30)),
        when=lambda: part.exists() and part.stat().st_size == 70_000,
    )
    assert nothing_half(target)
    download(Remote(url), target, transfer=transfer)
    assert target.read_bytes() == CONTENT
    assert server.asked("Range") == [None, "bytes=70000-"]
