import errno
from pathlib import Path

import pytest

from histoscribe.catalogue.site._folder import MARKER, replace_folder
from histoscribe.core.errors import DataError, StorageError


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_new_site_takes_the_place_of_the_old_one_whole(tmp_path):
    out = tmp_path / "deep" / "site"
    replace_folder(out, {"a.html": b"1", "x/b.html": b"2"})
    replace_folder(out, {"a.html": b"3"})
    assert set(files(out)) == {"a.html", MARKER}
    assert files(out)["a.html"] == b"3"
    assert list(out.parent.iterdir()) == [out]


def test_an_empty_folder_is_filled(tmp_path):
    replace_folder(tmp_path, {"a.html": b"1"})
    assert files(tmp_path)["a.html"] == b"1"


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(DataError, match=r"was not written by `papers site` \(it holds thesis.tex\)"):
        replace_folder(tmp_path, {"a.html": b"1"})
    assert set(files(tmp_path)) == {"thesis.tex"}


def test_a_file_that_was_put_into_a_site_is_not_lost(tmp_path):
    out = tmp_path / "site"
    replace_folder(out, {"a.html": b"1"})
    (out / "CNAME").write_text("example.org")
    with pytest.raises(DataError, match="holds CNAME, which `papers site` did not write"):
        replace_folder(out, {"a.html": b"2"})
    assert files(out)["a.html"] == b"1"


def test_a_file_is_not_a_folder(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(DataError, match="is a file"):
        replace_folder(tmp_path / "out", {"a.html": b"1"})


def test_a_broken_marker_is_named(tmp_path):
    (tmp_path / MARKER).write_text("{")
    with pytest.raises(DataError, match=f"{MARKER} cannot be read"):
        replace_folder(tmp_path, {"a.html": b"1"})


def test_a_full_disk_leaves_the_old_site_and_nothing_else(tmp_path, monkeypatch):
    out = tmp_path / "site"
    replace_folder(out, {"a.html": b"1"})
    write = Path.write_bytes

    def full(path, data):
        if path.name == "b.html":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="No space left on device"):
        replace_folder(out, {"a.html": b"2", "b.html": b"3"})
    assert files(out)["a.html"] == b"1"
    assert list(tmp_path.iterdir()) == [out]
