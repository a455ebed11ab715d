"""The feature run: what it gives, what it caches, and what it does with damage."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from encoders import fakes
from histoscribe import tiles
from histoscribe.core.errors import DataError, SlideError, StorageError
from histoscribe.core.features import Features
from histoscribe.encoders import encode
from histoscribe.encoders._concat import Concatenation
from histoscribe.encoders._store import check_array, load_array, save_array


@pytest.fixture(autouse=True)
def fake_tiles(monkeypatch):
    monkeypatch.setattr(tiles, "read_tiles", fakes.read_tiles, raising=False)


@pytest.fixture
def encoder(tmp_path):
    return fakes.NotingEncoder(tmp_path / "notes.txt")


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "cache"


def direct(section, encoder):
    """The features without run, cache or batches."""
    blocks = [
        encoder.encode(fakes.read_tiles(None, section.grid, side, slice(None))[0]) for side in section.grid.sides_um
    ]
    return np.hstack(blocks)


def matrix(section, encoder):
    return Features.of(section.table, encoder.card.name).matrix


def files(cache):
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def test_features_are_the_encoders_own_for_every_tile_in_order(encoder, cache):
    section = fakes.fake_section(50)
    np.testing.assert_array_equal(
        matrix(encode(section, encoder, cache=cache, batch_size=16), encoder), direct(section, encoder)
    )


def test_blocks_are_sides_outermost_then_parts(tmp_path, cache):
    first, second = (fakes.NotingEncoder(tmp_path / name, name=name) for name in ("p", "q"))
    both = Concatenation([first, second])
    section = fakes.fake_section(9, sides=(112.0, 224.0))
    features = Features.of(encode(section, both, cache=cache).table)
    assert features.spec.blocks == {"p@112um": (0, 3), "q@112um": (3, 6), "p@224um": (6, 9), "q@224um": (9, 12)}
    assert features.spec.encoder == "p+q"
    assert features.spec.fingerprint == both.fingerprint()
    assert features.spec.geometry == section.grid.geometry()
    one = fakes.read_tiles(None, section.grid, 224.0, slice(None))[0]
    np.testing.assert_array_equal(features.matrix[:, 6:9], first.encode(one))


def test_the_section_given_is_not_changed_and_its_arrays_are_shared(encoder, cache):
    section = fakes.fake_section(9)
    section.table.layers["counts"] = np.ones((9, 2), dtype=np.int64)
    encoded = encode(section, encoder, cache=cache)
    assert list(section.table.obsm) == ["spatial"]
    assert "histoscribe" not in section.table.uns
    assert np.shares_memory(encoded.table.layers["counts"], section.table.layers["counts"])


def test_a_second_run_computes_nothing_and_reads_no_tile(encoder, cache, monkeypatch):
    section = fakes.fake_section(50)
    first = matrix(encode(section, encoder, cache=cache), encoder)
    noted = encoder.notes()
    monkeypatch.delattr(tiles, "read_tiles")
    np.testing.assert_array_equal(matrix(encode(section, encoder, cache=cache), encoder), first)
    assert encoder.notes() == noted


def test_a_concatenation_reuses_what_its_part_computed_before(tmp_path, cache):
    first, second = (fakes.NotingEncoder(tmp_path / name, name=name) for name in ("p", "q"))
    section = fakes.fake_section(50)
    encode(section, first, cache=cache)
    n = len(first.notes())
    encode(section, Concatenation([first, second]), cache=cache)
    assert len(first.notes()) == n
    assert len(second.notes()) == n


def test_another_tile_side_computes_only_that_side(encoder, cache):
    encode(fakes.fake_section(50, sides=(112.0,)), encoder, cache=cache)
    encode(fakes.fake_section(50, sides=(112.0, 224.0)), encoder, cache=cache)
    sides = [note.split()[1] for note in encoder.notes()]
    assert sides == ["112", "112", "224", "224"]


@pytest.mark.parametrize("change", ["slide", "centres", "mpp", "fingerprint", "runtime"])
def test_whatever_changes_the_numbers_is_computed_anew(change, encoder, cache, monkeypatch):
    from dataclasses import replace

    section = fakes.fake_section(9)
    encode(section, encoder, cache=cache)
    if change == "slide":
        section = section.replace(slide=fakes.FakeSlide("b"))
    elif change == "centres":
        section = section.replace(grid=replace(section.grid, centres=section.grid.centres + 1e-9))
    elif change == "mpp":
        section = section.replace(grid=replace(section.grid, mpp=0.6))
    else:
        monkeypatch.setattr(encoder, change, lambda: "other")
    encode(section, encoder, cache=cache)
    assert len(encoder.notes()) == 2


def test_the_sections_name_and_donor_do_not_matter_to_the_cache(encoder, cache):
    encode(fakes.fake_section(9), encoder, cache=cache)
    encode(fakes.fake_section(9, name="other").replace(donor="z"), encoder, cache=cache)
    assert len(encoder.notes()) == 1


def test_a_finished_run_leaves_only_the_result_and_its_description(encoder, cache):
    encode(fakes.fake_section(50), encoder, cache=cache, batch_size=8)
    assert files(cache) == ["about.json", "features.npy"]
    about = json.loads(next(cache.rglob("about.json")).read_text())
    assert (about["encoder"], about["side_um"], about["shape"]) == ("noting", 112.0, [50, 3])


def test_numpy_reads_the_cached_file(encoder, cache):
    encoded = encode(fakes.fake_section(9), encoder, cache=cache)
    np.testing.assert_array_equal(np.load(next(cache.rglob("features.npy"))), matrix(encoded, encoder))


class InterruptedRunError(Exception):
    pass


def interrupted_after(encoder, n_batches):
    """Encode for `n_batches`, then stop as by Ctrl-C."""
    done, original = [], encoder.encode

    def counted(tiles):
        if len(done) == n_batches:
            raise InterruptedRunError
        done.append(1)
        return original(tiles)

    return counted


def test_an_interrupted_run_goes_on_where_it_stopped(encoder, cache, monkeypatch):
    section = fakes.fake_section(50)
    with monkeypatch.context() as patch:
        patch.setattr(encoder, "encode", interrupted_after(encoder, 3))
        with pytest.raises(InterruptedRunError):
            encode(section, encoder, cache=cache, batch_size=8)
    assert files(cache) == ["000000.npy", "000001.npy", "000002.npy", "about.json"]
    result = matrix(encode(section, encoder, cache=cache, batch_size=8), encoder)
    assert [int(note.split()[2]) for note in encoder.notes()] == [0, 8, 16, 24, 32, 40, 48]
    np.testing.assert_array_equal(result, direct(section, encoder))


@pytest.mark.parametrize("damage", ["cut", "longer", "flipped", "empty"])
def test_a_damaged_batch_is_reported_and_only_it_computed_again(damage, encoder, cache, monkeypatch):
    section = fakes.fake_section(50)
    with monkeypatch.context() as patch:
        patch.setattr(encoder, "encode", interrupted_after(encoder, 3))
        with pytest.raises(InterruptedRunError):
            encode(section, encoder, cache=cache, batch_size=8)
    spoil(next(cache.rglob("000001.npy")), damage)
    with pytest.warns(UserWarning, match=r"000001\.npy are damaged .* computed again"):
        result = encode(section, encoder, cache=cache, batch_size=8)
    assert sorted(int(note.split()[2]) for note in encoder.notes()) == [0, 8, 8, 16, 24, 32, 40, 48]
    np.testing.assert_array_equal(matrix(result, encoder), direct(section, encoder))


@pytest.mark.parametrize("damage", ["cut", "longer", "flipped", "empty"])
def test_damaged_final_features_are_reported_and_computed_again(damage, encoder, cache):
    section = fakes.fake_section(9)
    first = matrix(encode(section, encoder, cache=cache), encoder)
    spoil(next(cache.rglob("features.npy")), damage)
    with pytest.warns(UserWarning, match=r"features\.npy are damaged"):
        again = encode(section, encoder, cache=cache)
    np.testing.assert_array_equal(matrix(again, encoder), first)
    assert len(encoder.notes()) == 2


def spoil(path: Path, damage: str) -> None:
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-40]
    elif damage == "longer":
        data += b"\0" * 12
    elif damage == "flipped":
        data[140] ^= 1
    else:
        data = b""
    path.write_bytes(data)


def test_a_full_disk_is_one_clear_error_and_finished_batches_are_kept(encoder, cache, monkeypatch):
    section = fakes.fake_section(50)
    real, calls = os.fsync, []

    def full(handle):
        calls.append(handle)
        if len(calls) > 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match=r"cannot write .*No space left on device.*nothing was lost"):
            encode(section, encoder, cache=cache, batch_size=8)
    kept = [name for name in files(cache) if name[0].isdigit()]
    assert kept == ["000000.npy", "000001.npy", "000002.npy"]
    assert not [name for name in files(cache) if name.endswith(".partial")]
    encode(section, encoder, cache=cache, batch_size=8)
    assert [int(note.split()[2]) for note in encoder.notes()] == [0, 8, 16, 24, 24, 32, 40, 48]


def test_a_cache_that_cannot_be_written_is_one_clear_error(encoder, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(StorageError, match="cannot"):
        encode(fakes.fake_section(9), encoder, cache=blocked / "cache")


def test_two_runs_at_once_share_the_work(tmp_path, cache):
    section = fakes.fake_section(50)
    encoders = [fakes.NotingEncoder(tmp_path / "notes.txt") for _ in range(2)]
    results = [None, None]
    start = threading.Barrier(2)

    def run(i):
        start.wait()
        results[i] = matrix(encode(section, encoders[i], cache=cache, batch_size=8), encoders[i])

    threads = [threading.Thread(target=run, args=(i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results[0], results[1])
    assert sorted(int(note.split()[2]) for note in encoders[0].notes()) == [0, 8, 16, 24, 32, 40, 48]


def test_killed_anywhere_and_run_again_gives_the_same_bits_and_repeats_nothing():
    # Every third step: the script by itself, without the number, kills at each.
    script = Path(__file__).with_name("kill_everywhere.py")
    path = os.pathsep.join([str(script.parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, script, "3"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["kills"] >= 30
    assert report["kills_while_a_file_was_half_written"] > 0
    assert report["kills_with_finished_batches"] > 0


@pytest.mark.parametrize(
    ("spoiled", "error", "text"),
    [
        ({"slide": None}, SlideError, "has no slide"),
        ({"grid": None}, DataError, r"has no tiles.*hs\.tile"),
    ],
)
def test_a_section_without_pixels_or_tiles_is_refused(spoiled, error, text, encoder, cache):
    with pytest.raises(error, match=text):
        encode(fakes.fake_section(9).replace(**spoiled), encoder, cache=cache)


def test_tiles_of_another_size_are_refused(encoder, cache):
    encoder.tile_px = 224
    with pytest.raises(DataError, match="tiles of 8 px, but noting expects 224 px"):
        encode(fakes.fake_section(9), encoder, cache=cache)


def test_a_batch_size_of_zero_is_refused(encoder, cache):
    with pytest.raises(DataError, match="batch_size is 0"):
        encode(fakes.fake_section(9), encoder, cache=cache, batch_size=0)


@pytest.mark.parametrize("bad", ["nan", "float64", "shape"])
def test_an_encoder_that_breaks_its_contract_is_named(bad, encoder, cache, monkeypatch):
    values = {
        "nan": lambda t: np.full((len(t), 3), np.nan, dtype=np.float32),
        "float64": lambda t: np.zeros((len(t), 3)),
        "shape": lambda t: np.zeros((len(t), 4), dtype=np.float32),
    }
    monkeypatch.setattr(encoder, "encode", values[bad])
    with pytest.raises(DataError, match="encoder 'noting' gave"):
        encode(fakes.fake_section(9), encoder, cache=cache)


def test_an_error_while_reading_tiles_reaches_the_caller(encoder, cache, monkeypatch):
    def broken(*_args):
        msg = "the file is truncated"
        raise SlideError(msg)

    monkeypatch.setattr(tiles, "read_tiles", broken)
    with pytest.raises(SlideError, match="truncated"):
        encode(fakes.fake_section(9), encoder, cache=cache)


def test_progress_counts_tiles_on_stderr(encoder, cache, capsys):
    section = fakes.fake_section(50)
    encode(section, encoder, cache=cache, show=True)
    assert "50/50 tiles" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (7, 5)])
def test_saved_arrays_come_back_as_they_were(shape, rng, tmp_path):
    array = rng.normal(size=shape).astype(np.float32)
    save_array(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(load_array(tmp_path / "a.npy", shape), array)


def test_an_array_of_another_shape_is_not_loaded(rng, tmp_path):
    save_array(tmp_path / "a.npy", rng.normal(size=(4, 6)))
    with pytest.raises(ValueError, match="shape"):
        load_array(tmp_path / "a.npy", (6, 4))


def test_a_finished_file_gives_its_rows_and_says_when_it_is_gone(rng, tmp_path):
    array = rng.normal(size=(9, 4)).astype(np.float32)
    save_array(tmp_path / "a.npy", array)
    found = check_array(tmp_path / "a.npy", (9, 4))
    np.testing.assert_array_equal(found.read(slice(2, 7)), array[2:7])
    np.testing.assert_array_equal(found.read(slice(None)), array)
    assert found.read(slice(4, 4)).shape == (0, 4)
    (tmp_path / "a.npy").unlink()
    with pytest.raises(StorageError, match="vanished while they were read"):
        found.read(slice(0, 1))
