"""Whole data sets: from addresses and from a hub, selected, recorded, killed, continued and verified."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from io import BytesIO

import pytest

from histoscribe.core.errors import DataError, RegistryError, StorageError
from histoscribe.io.data import Choice, Manifest, data_set, data_sets, fetch, plan_files, verify
from histoscribe.io.data._fetch import locked
from histoscribe.io.data._manifest import WORK
from histoscribe.io.data._registry import parse_data_set

TOY = """
id = "toy"
title = "A toy"
licence = "CC0-1.0"
licence_source = "here"
homepage = "http://127.0.0.1/toy"
platform = ["st"]
read = ["st-array:{dir}?section={sample}"]
samples = ["A1", "B1"]
default = ["counts", "spots"]

[[files]]
part = "counts"
url = "URL/{sample}.tsv"
to = "counts/{sample}.tsv"

[files.checksums]
A1 = "sha256:SHA_A1"

[[files]]
part = "spots"
url = "URL/spots.zip"
unpack = true
place = [{ member = '.*/(?P<s>[AB]1)\\.tsv', to = "spots/{s}.tsv" }]

[[files]]
part = "images"
url = "URL/images.zip"
unpack = true
into = "images"
"""


def zipped(files):
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def toy(server):
    server.serve("/A1.tsv", b"counts of A1")
    server.serve("/B1.tsv", b"counts of B1")
    server.serve("/spots.zip", zipped({"in/A1.tsv": b"spots A1", "in/B1.tsv": b"spots B1"}))
    server.serve("/images.zip", zipped({"A1.jpg": b"image"}))
    sha = hashlib.sha256(b"counts of A1").hexdigest()
    return parse_data_set(TOY.replace("URL", server.url("")).replace("SHA_A1", sha), where="toy.toml")


@pytest.fixture
def get(tmp_path, transfer):
    """Plan and fetch in one."""

    def run(entry, *, folder=tmp_path / "toy", choice=None, **options):
        plan = plan_files(entry, choice or Choice(), scratch=tmp_path / "scratch", transfer=transfer)
        return fetch(plan, folder, transfer=transfer, show=False, **options)

    return run


def test_every_entry_of_the_registry_is_whole_and_names_what_exists():
    from histoscribe.catalogue import Catalogue

    catalogue = Catalogue.load()
    assert {"her2st", "hest-1k", "hest-bench", "stimage-1k4m", "dlpfc"} <= set(data_sets())
    for name, entry in data_sets().items():
        assert not entry.catalogue or entry.catalogue in catalogue.datasets, name
        assert not entry.paper or entry.paper in catalogue.papers, name
        assert set(entry.donors) <= set(entry.samples), name
        for file in entry.files:
            assert set(file.checksums) <= set(entry.samples), name
            assert set(file.sizes) <= set(entry.samples), name


def test_every_entry_is_read_by_a_reader_with_options_that_it_has():
    from inspect import signature

    from histoscribe.io import READERS, parse_spec

    for entry in data_sets().values():
        for spec in entry.read:
            reader, _, options = parse_spec(re.sub(r"\{[a-z]+\}", "x", spec))
            assert set(options) <= set(signature(READERS.get(reader)).parameters), entry.id


def test_a_data_set_that_does_not_exist_suggests_the_nearest():
    with pytest.raises(RegistryError, match="hest-1k"):
        data_set("hest1k")


def test_a_mistake_in_an_entry_is_named():
    text = TOY.replace("URL", "http://127.0.0.1")
    with pytest.raises(DataError, match="toy.toml: files.0.checksum"):
        parse_data_set(text.replace('to = "counts/{sample}.tsv"', 'to = "c"\nchecksum = "sha256:1"'), where="toy.toml")
    with pytest.raises(DataError, match="is not valid TOML"):
        parse_data_set("id =", where="toy.toml")


def test_a_fetch_brings_the_default_parts_and_records_them(get, toy, tmp_path):
    fetched = get(toy)
    folder = tmp_path / "toy"
    names = ["counts/A1.tsv", "counts/B1.tsv", "spots/A1.tsv", "spots/B1.tsv"]
    assert sorted(fetched.new) == names
    files = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())
    assert files == sorted([*names, "histoscribe.json"])
    body = json.loads((folder / "histoscribe.json").read_text())
    assert (body["licence"], body["tool"].split()[0], body["data_set"]) == ("CC0-1.0", "histoscribe", "toy")
    assert body["files"]["counts/A1.tsv"]["checked"] == "registry"
    assert body["files"]["counts/B1.tsv"]["checked"] == "first download"
    assert body["files"]["spots/A1.tsv"]["sha256"] == hashlib.sha256(b"spots A1").hexdigest()
    assert body["files"]["counts/B1.tsv"]["source"].endswith("/B1.tsv")
    assert body["licence_shown"].endswith("Z")


def test_a_second_fetch_asks_the_server_for_nothing(get, toy, server):
    get(toy)
    asked = len(server.log)
    again = get(toy)
    assert len(server.log) == asked
    assert len(again.present) == 4
    assert again.new == []


def test_parts_and_samples_choose_files_and_more_can_come_later(get, toy, tmp_path):
    assert get(toy, choice=Choice(parts=("counts",), samples=("A*",))).new == ["counts/A1.tsv"]
    assert get(toy, choice=Choice(parts=("images",))).new == ["images/A1.jpg"]
    with pytest.raises(DataError, match="no part 'pictures'"):
        get(toy, choice=Choice(parts=("pictures",)))
    with pytest.raises(DataError, match="no sample 'Z1'"):
        get(toy, choice=Choice(samples=("Z1",)))
    with pytest.raises(DataError, match="takes no --where"):
        get(toy, choice=Choice(where="organ == 1"))


def test_a_lost_or_shortened_file_is_brought_again(get, toy, tmp_path):
    get(toy)
    (tmp_path / "toy/counts/A1.tsv").write_bytes(b"short")
    (tmp_path / "toy/spots/B1.tsv").unlink()
    get(toy)
    assert (tmp_path / "toy/counts/A1.tsv").read_bytes() == b"counts of A1"
    assert (tmp_path / "toy/spots/B1.tsv").read_bytes() == b"spots B1"


def test_a_file_that_changed_at_the_source_since_the_first_download_is_refused_until_accepted(
    get, toy, server, tmp_path
):
    get(toy)
    server.files["/B1.tsv"].content = b"other counts"
    with pytest.raises(DataError, match="another file than at its first download"):
        get(toy, folder=tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere/counts/B1.tsv").exists()
    get(toy, folder=tmp_path / "elsewhere", accept_changed=True)
    assert (tmp_path / "elsewhere/counts/B1.tsv").read_bytes() == b"other counts"


def test_a_file_that_the_user_put_there_is_adopted_if_its_checksum_is_right_and_else_left_alone(
    get, toy, server, tmp_path
):
    counts = tmp_path / "toy/counts"
    counts.mkdir(parents=True)
    (counts / "A1.tsv").write_bytes(b"counts of A1")
    get(toy, choice=Choice(parts=("counts",), samples=("A1",)))
    assert server.log == []
    (counts / "B1.tsv").write_bytes(b"my own")
    with pytest.raises(StorageError, match="Move it away, or give --again"):
        get(toy, choice=Choice(parts=("counts",)))
    assert (counts / "B1.tsv").read_bytes() == b"my own"
    assert get(toy, choice=Choice(parts=("counts",)), again=True).replaced == ["counts/A1.tsv", "counts/B1.tsv"]


def test_a_failure_keeps_what_came_and_the_next_run_brings_the_rest(get, toy, server, tmp_path):
    server.files["/spots.zip"].always = ("status", 404)
    with pytest.raises(DataError, match="spots.zip does not exist any more"):
        get(toy, jobs=1)
    assert (tmp_path / "toy/counts/B1.tsv").exists()
    server.files["/spots.zip"].always = None
    assert sorted(get(toy).new) == ["spots/A1.tsv", "spots/B1.tsv"]


def test_an_archive_is_not_downloaded_twice_when_the_run_ends_before_it_is_unpacked(
    get, toy, server, tmp_path, monkeypatch
):
    from histoscribe.io.data import _fetch

    class Killed(BaseException):
        pass

    def killed(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(_fetch, "unpack", killed)
        with pytest.raises(Killed):
            get(toy)
    assert not (tmp_path / "toy/spots").exists()
    get(toy)
    assert (tmp_path / "toy/spots/A1.tsv").exists()
    assert [path for path, _ in server.log].count("/spots.zip") == 1
    assert not (tmp_path / "toy" / WORK).exists()


def test_a_file_in_place_but_not_recorded_is_recognised_by_the_next_run(get, toy, server, tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*args, **kwargs):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Manifest, "add", killed)
        with pytest.raises(Killed):
            get(toy, choice=Choice(parts=("counts",), samples=("B1",)))
    assert (tmp_path / "toy/counts/B1.tsv").exists()
    again = get(toy, choice=Choice(parts=("counts",), samples=("B1",)))
    assert again.present == ["counts/B1.tsv"]
    assert len(server.log) == 1


def test_files_of_the_user_are_not_replaced_by_those_of_an_archive(get, toy, tmp_path):
    spots = tmp_path / "toy/spots"
    spots.mkdir(parents=True)
    (spots / "A1.tsv").write_bytes(b"spots A1")
    (spots / "B1.tsv").write_bytes(b"my own")
    with pytest.raises(StorageError, match=r"holds 1 files that HistoScribe did not bring.*spots/B1.tsv"):
        get(toy)
    assert (spots / "B1.tsv").read_bytes() == b"my own"
    get(toy, again=True)
    assert (spots / "B1.tsv").read_bytes() == b"spots B1"


def test_a_damaged_file_of_the_same_size_is_brought_anew_where_asked(get, toy, tmp_path):
    get(toy)
    for name in ("counts/B1.tsv", "spots/B1.tsv"):
        path = tmp_path / "toy" / name
        path.write_bytes(b"X" * path.stat().st_size)
    assert get(toy).new == []
    get(toy, check=True)
    assert verify(tmp_path / "toy").ok


def test_two_fetches_into_one_folder_are_refused(get, toy, tmp_path):
    with locked(tmp_path / "toy"), pytest.raises(StorageError, match="another process is fetching"):
        get(toy)


def test_a_folder_of_another_data_set_is_refused(get, toy, tmp_path):
    get(toy)
    other = toy.model_copy(update={"id": "other"})
    with pytest.raises(DataError, match="holds 'toy', not 'other'"):
        get(other)


def test_verify_finds_damaged_missing_outdated_and_extra_files(get, toy, tmp_path):
    folder = tmp_path / "toy"
    get(toy)
    plan = plan_files(toy, Choice(), scratch=tmp_path)
    assert verify(folder, plan).ok
    (folder / "counts/B1.tsv").write_bytes(b"counts of XX")  # the same size
    (folder / "spots/A1.tsv").unlink()
    (folder / "notes.txt").write_text("mine")
    found = verify(folder)
    assert (found.damaged, found.missing, found.extra, found.good) == (
        ["counts/B1.tsv"], ["spots/A1.tsv"], ["notes.txt"], 2,
    )  # fmt: skip
    newer = parse_data_set(TOY.replace("SHA_A1", "0" * 64).replace("URL", "http://127.0.0.1"), where="newer")
    assert verify(folder, plan_files(newer, Choice(), scratch=tmp_path)).outdated == ["counts/A1.tsv"]
    with pytest.raises(DataError, match="holds no histoscribe.json"):
        verify(tmp_path)


def test_a_damaged_archive_is_downloaded_anew_by_the_next_run(get, toy, server, tmp_path):
    good = server.files["/spots.zip"].content
    server.files["/spots.zip"].content = good.replace(b"spots B1", b"spots XX")
    with pytest.raises(DataError, match="spots|is damaged"):
        get(toy)
    assert not (tmp_path / "toy/spots").exists()
    server.files["/spots.zip"].content = good
    get(toy)
    assert (tmp_path / "toy/spots/A1.tsv").read_bytes() == b"spots A1"


def test_a_size_that_no_server_says_stays_unknown(toy, tmp_path, transfer):
    plan = plan_files(toy, Choice(), scratch=tmp_path).with_sizes(transfer)  # the toy's server knows no HEAD
    assert (plan.size, plan.unknown) == (0, len(plan.items))
