"""Archives: encrypted as WinZip does, hostile, damaged, and interrupted."""

from __future__ import annotations

import base64
import gzip
import io
import os
import tarfile
import time
import zipfile

import numpy as np
import pytest

from histoscribe.core.errors import DataError, StorageError
from histoscribe.io.data import _unpack
from histoscribe.io.data._aes import encrypt_blocks
from histoscribe.io.data._archive import members
from histoscribe.io.data._unpack import Place, recover, unpack

# Written by pyzipper 0.3.6, an independent implementation, with the password "published" and keys of 256 and 128 bits:
# counts/a.txt holds "spot\tGENE\n10x13\t4\n" 20 times, counts/empty.txt nothing.
AES256 = (
    "UEsDBBQAAQBjANBZel0AAAAANQAAAGgBAAAMAAsAY291bnRzL2EudHh0AZkHAAIAQUUDCADlNlpHjJxc8uI/sa4PMN5LNW8CSDyvCRYaGa1NbvLb9l"
    "CSGNJxJQoTn4mt28yyTvw/VZ3TtVBLAwQUAAEAYwDQWXpdAAAAAB4AAAAAAAAAEAALAGNvdW50cy9lbXB0eS50eHQBmQcAAgBBRQMIABwJbDNwvdYt"
    "ewInde9MwjwBFb9AgLNYU3x4xixBKFBLAQIUAxQAAQBjANBZel0AAAAANQAAAGgBAAAMAAsAAAAAAAAAAACAAQAAAABjb3VudHMvYS50eHQBmQcAAg"
    "BBRQMIAFBLAQIUAxQAAQBjANBZel0AAAAAHgAAAAAAAAAQAAsAAAAAAAAAAACAAWoAAABjb3VudHMvZW1wdHkudHh0AZkHAAIAQUUDCABQSwUGAAAA"
    "AAIAAgCOAAAAwQAAAAAA"
)
AES128 = (
    "UEsDBBQAAQBjANBZel0AAAAALQAAAGgBAAAMAAsAY291bnRzL2EudHh0AZkHAAIAQUUBCACxNId5+RnAW6M4FpEzq9p0gsvnnyiFW033QhjmYUv7lw"
    "Tyaxh4lwDKigkOjs9QSwMEFAABAGMA0Fl6XQAAAAAWAAAAAAAAABAACwBjb3VudHMvZW1wdHkudHh0AZkHAAIAQUUBCACdNSH3SH5RBwCY3YU19PMU"
    "bV29UDGtUEsBAhQDFAABAGMA0Fl6XQAAAAAtAAAAaAEAAAwACwAAAAAAAAAAAIABAAAAAGNvdW50cy9hLnR4dAGZBwACAEFFAQgAUEsBAhQDFAABAG"
    "MA0Fl6XQAAAAAWAAAAAAAAABAACwAAAAAAAAAAAIABYgAAAGNvdW50cy9lbXB0eS50eHQBmQcAAgBBRQEIAFBLBQYAAAAAAgACAI4AAACxAAAAAAA="
)
PLAIN = b"spot\tGENE\n10x13\t4\n" * 20


def zip_of(path, files, **options):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tree(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def staging(out):
    return out / ".histoscribe" / "unpack"


@pytest.mark.parametrize(
    ("bits", "cipher"),
    [
        (128, "69c4e0d86a7b0430d8cdb78070b4c55a"),
        (192, "dda97ca4864cdfe06eaf70a0ec0d7191"),
        (256, "8ea2b7ca516745bfeafc49904b496089"),
    ],
)
def test_the_cipher_gives_the_standard_s_own_examples(bits, cipher):
    # FIPS 197, appendix C.1 to C.3.
    plain = np.frombuffer(bytes.fromhex("00112233445566778899aabbccddeeff"), np.uint8).reshape(1, 16)
    assert encrypt_blocks(bytes(range(bits // 8)), plain).tobytes().hex() == cipher


@pytest.mark.parametrize("text", [AES256, AES128])
def test_an_archive_that_another_program_encrypted_opens_with_its_password(tmp_path, out, staging, text):
    archive = tmp_path / "a.zip"
    archive.write_bytes(base64.b64decode(text))
    found = unpack(archive, out, staging=staging, password="published")
    assert tree(out) == {"counts/a.txt": PLAIN, "counts/empty.txt": b""}
    assert found["counts/a.txt"]["size"] == 360


@pytest.mark.parametrize(("password", "words"), [("wrong", "password does not open"), (None, "is encrypted")])
def test_a_wrong_password_is_said_and_leaves_nothing(tmp_path, out, staging, password, words):
    archive = tmp_path / "a.zip"
    archive.write_bytes(base64.b64decode(AES256))
    with pytest.raises(DataError, match=words):
        unpack(archive, out, staging=staging, password=password)
    assert [p for p in out.iterdir() if p.name != ".histoscribe"] == []


def test_an_encrypted_archive_that_was_altered_is_refused(tmp_path, out, staging):
    data = bytearray(base64.b64decode(AES256))
    data[90] ^= 1
    archive = tmp_path / "a.zip"
    archive.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        unpack(archive, out, staging=staging, password="published")


def test_members_go_where_they_are_sent_and_others_stay_out(tmp_path, out, staging):
    files = {"in/A1_selection.tsv.gz": gzip.compress(b"x\ty\n"), "in/A1.tsv.gz": b"kept", "__MACOSX/junk": b"junk"}
    places = [
        Place(r"(?:.*/)?(?P<s>[A-H]\d)_selection\.tsv\.gz", "spots/{s}.tsv", gunzip=True),
        Place(r"(?:.*/)?(?P<s>[A-H]\d)\.tsv\.gz", "counts/{s}.tsv.gz"),
    ]
    unpack(zip_of(tmp_path / "a.zip", files), out, staging=staging, places=places)
    assert tree(out) == {"spots/A1.tsv": b"x\ty\n", "counts/A1.tsv.gz": b"kept"}


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "C:\\evil", "..\\evil", "a\\..\\..\\evil"])
def test_a_path_that_leads_out_of_the_folder_is_refused_and_nothing_is_unpacked(tmp_path, out, staging, name):
    archive = zip_of(tmp_path / "a.zip", {"good.txt": b"good", name: b"evil"})
    with pytest.raises(DataError, match="outside of the folder"):
        unpack(archive, out, staging=staging)
    assert not (out / "good.txt").exists()
    assert not any(p.name == "evil" for p in tmp_path.rglob("*"))


def test_links_are_refused_in_zip_and_tar(tmp_path, out, staging):
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        info = tarfile.TarInfo("link")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    for name in ("a.zip", "a.tar"):
        with pytest.raises(DataError, match="a link or a device"):
            unpack(tmp_path / name, out, staging=staging)


def test_a_tar_archive_keeps_its_folders(tmp_path, out, staging):
    with tarfile.open(tmp_path / "a.tar.gz", "w:gz") as archive:
        info = tarfile.TarInfo("spatial/scalefactors_json.json")
        info.size = 2
        archive.addfile(info, io.BytesIO(b"{}"))
    unpack(tmp_path / "a.tar.gz", out, staging=staging)
    assert tree(out) == {"spatial/scalefactors_json.json": b"{}"}


@pytest.mark.parametrize("cut", [60, 400])
def test_a_truncated_archive_is_damaged_and_leaves_nothing(tmp_path, out, staging, cut):
    archive = zip_of(tmp_path / "a.zip", {"a": os.urandom(500), "b": os.urandom(500)})
    archive.write_bytes(archive.read_bytes()[:-cut])
    with pytest.raises(DataError, match="damaged"):
        unpack(archive, out, staging=staging)
    assert not (out / "a").exists()


def test_an_archive_of_another_layout_is_refused(tmp_path, out, staging):
    with pytest.raises(DataError, match="holds none of the files"):
        unpack(zip_of(tmp_path / "a.zip", {"x": b""}), out, staging=staging, places=[Place("y", "y")])


def test_an_archive_larger_than_the_disk_is_refused(tmp_path, out, staging, monkeypatch):
    archive = zip_of(tmp_path / "a.zip", {"a": bytes(5000)})
    monkeypatch.setattr(_unpack.shutil, "disk_usage", lambda path: type("U", (), {"free": 4000})())
    with pytest.raises(StorageError, match="no room"):
        unpack(archive, out, staging=staging)


def test_a_member_that_holds_more_than_it_says_is_refused(tmp_path, out, staging):
    archive = zip_of(tmp_path / "a.zip", {"a": bytes(5000)})
    data = archive.read_bytes()
    archive.write_bytes(data.replace((5000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(DataError):
        for member in members(archive):
            list(_unpack._counted(member, archive))


def test_an_unpacking_that_was_killed_while_moving_is_finished(tmp_path, out, staging):
    archive = zip_of(tmp_path / "a.zip", {"one/a": b"a", "one/b": b"b", "two/c": b"c"})
    moved = []

    class Killed(BaseException):
        pass

    original = type(out).rename

    def rename(self, target):
        if moved:
            raise Killed
        moved.append(self)
        return original(self, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(out), "rename", rename)
        with pytest.raises(Killed):
            unpack(archive, out, staging=staging)
    assert (out / "one" / "a").exists()
    assert not (out / "two").exists()
    found = recover(staging, out)
    assert sorted(found) == ["one/a", "one/b", "two/c"]
    assert tree(out) == {"one/a": b"a", "one/b": b"b", "two/c": b"c"}
    assert recover(staging, out) is None


def test_a_killed_unpacking_shows_nothing_and_begins_again(tmp_path, out, killed, monkeypatch):
    archive = zip_of(tmp_path / "a.zip", {f"data/{n}": n.encode() * 1000 for n in "abc"})
    write = _unpack._write

    def slow(member, *args, **kwargs):
        about = write(member, *args, **kwargs)
        if member.name == "data/b":
            (tmp_path / "said").touch()
            time.sleep(30)
        return about

    with monkeypatch.context() as patch:
        patch.setattr(_unpack, "_write", slow)
        killed(lambda: unpack(archive, out, staging=out / "staging"), when=(tmp_path / "said").exists)
    assert not (out / "data").exists()
    assert recover(out / "staging", out) is None
    unpack(archive, out, staging=out / "staging")
    assert sorted(tree(out)) == ["data/a", "data/b", "data/c"]
