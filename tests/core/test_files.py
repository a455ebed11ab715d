"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os

import pytest

from histoscribe.core import files
from histoscribe.core.errors import DataError, StorageError


def test_a_file_is_replaced_only_when_the_block_ends_well(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), files.atomic_path(path) as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_one_clear_error_and_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": 1})

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device.*nothing was lost"):
        files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_new_files_have_ordinary_permissions(tmp_path):
    files.write_json(tmp_path / "a.json", {})
    (tmp_path / "b").touch()
    assert (tmp_path / "a.json").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_nan_never_reaches_a_json_file(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(tmp_path / "a.json", {"a": float("nan")})
    assert not (tmp_path / "a.json").exists()


def test_damaged_and_missing_json_say_what_to_do(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON.*again"):
        files.read_json(tmp_path / "a.json")
    with pytest.raises(DataError, match="does not exist"):
        files.read_json(tmp_path / "b.json")


def test_digest_tells_apart_how_parts_are_cut():
    assert files.digest("ab", "c") != files.digest("a", "bc")
    assert files.digest("a") == files.digest(b"a")


def test_folder_digest_sees_names_and_content(tmp_path):
    (tmp_path / "x").write_text("1")
    before = files.file_digest(tmp_path)
    (tmp_path / "x").rename(tmp_path / "y")
    assert files.file_digest(tmp_path) != before
