"""Many slides: found, encoded, skipped, reported; locks; workers that die."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import histoscribe as hs
from encoders.batch_slides import always_dies, dies_once, paint
from histoscribe.core.errors import DataError
from histoscribe.core.features import Features
from histoscribe.encoders.batch import (
    Executor,
    LostSchedulerError,
    Settings,
    encode_many,
    find_slides,
    jobs_of,
    listed_slides,
    perform,
)
from histoscribe.encoders.batch._lock import HeldError, WorkLock
from histoscribe.io.bags import read_bags
from histoscribe.slide import write_tiff

SETTINGS = Settings(encoder="colour", sides_um=(100.0,))


@pytest.fixture
def slides(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "cache"))
    for i in range(3):
        paint(tmp_path / "slides" / f"s{i}.png", seed=i)
    return tmp_path / "slides"


def jobs(slides, tmp_path, settings=SETTINGS, **options):
    return jobs_of(find_slides(slides), settings, tmp_path / "out", mpp=1.0, **options)


def states(report):
    return {o.name: o.state for o in report.outcomes}


def test_each_slide_becomes_a_file_with_the_features_that_encode_gives(slides, tmp_path):
    report = encode_many(jobs(slides, tmp_path), tmp_path / "out")
    assert states(report) == {"s0": "done", "s1": "done", "s2": "done"}
    got = hs.read("h5ad", tmp_path / "out" / "s1.h5ad")
    alone = hs.encode(hs.tile(hs.read("slide", slides / "s1.png", mpp=1.0), 100.0), "colour")
    np.testing.assert_array_equal(Features.of(got.table).matrix, Features.of(alone.table).matrix)
    np.testing.assert_array_equal(got.xy, alone.xy)
    assert Features.of(got.table).spec == Features.of(alone.table).spec
    assert got.mpp == 1.0
    bags = read_bags(tmp_path / "out")
    assert [(b.name, b.donor, b.encoder) for b in bags] == [(f"s{i}", f"s{i}", "colour") for i in range(3)]
    np.testing.assert_array_equal(bags[1].features, Features.of(alone.table).matrix)
    np.testing.assert_array_equal(bags[1].xy_um, alone.xy_um)


def test_finished_slides_are_skipped_and_other_settings_are_refused(slides, tmp_path):
    encode_many(jobs(slides, tmp_path), tmp_path / "out")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.h5ad")}
    assert set(states(encode_many(jobs(slides, tmp_path), tmp_path / "out")).values()) == {"skipped"}
    assert before == {p.name: p.stat().st_mtime_ns for p in (tmp_path / "out").glob("*.h5ad")}
    other = encode_many(jobs(slides, tmp_path, Settings(encoder="colour", sides_um=(150.0,))), tmp_path / "out")
    assert set(states(other).values()) == {"failed"}
    assert (
        "made with another sides_um (sides_um: [100.0] there, [150.0] now). Give --overwrite" in other.failed[0].error
    )
    again = Settings(encoder="colour", sides_um=(150.0,), overwrite=True)
    assert set(states(encode_many(jobs(slides, tmp_path, again), tmp_path / "out")).values()) == {"done"}


def test_a_slide_that_was_replaced_is_not_taken_for_finished(slides, tmp_path):
    encode_many(jobs(slides, tmp_path), tmp_path / "out")
    paint(slides / "s0.png", seed=9)
    found = states(encode_many(jobs(slides, tmp_path), tmp_path / "out"))
    assert found == {"s0": "failed", "s1": "skipped", "s2": "skipped"}


def test_a_copy_of_the_same_slide_is_skipped_and_its_facts_stay_in_the_report(slides, tmp_path):
    first = encode_many(jobs(slides, tmp_path), tmp_path / "out").outcomes[0]
    os.utime(slides / "s0.png", (1, 1))
    again = perform(jobs(slides, tmp_path)[0])
    assert again.state == "skipped"
    facts = ("n_tiles", "dim", "tissue_mm2", "mpp", "mpp_from")
    assert [getattr(again, f) for f in facts] == [getattr(first, f) for f in facts]
    assert first.tissue_mm2 == pytest.approx(np.pi * 240 * 200 / 1e6, rel=0.1)  # the ellipse, at 1 um/px


def test_a_scale_that_is_given_serves_slides_that_state_none_and_must_agree_with_the_others(slides, tmp_path):
    path = hs.open_slide(slides / "s0.png")
    write_tiff(path, slides / "stated.tif", mpp=1.0)
    found, *_ = jobs_of(find_slides(slides, match="*.tif"), SETTINGS, tmp_path / "out", mpp=1.02)
    outcome = perform(found)
    assert (outcome.state, outcome.mpp, outcome.mpp_from) == ("done", pytest.approx(1.0), "file")
    assert perform(replace(found, mpp=None)).state == "skipped"
    assert "with another mpp" in perform(replace(found, mpp=2.0)).error
    Path(found.out).unlink()
    assert "mpp=2 was given, but the file states 1 um/px" in perform(replace(found, mpp=2.0)).error


def test_one_broken_slide_stops_no_other_and_the_report_says_why(slides, tmp_path):
    (slides / "broken.svs").write_bytes(b"no slide")
    report = encode_many(jobs(slides, tmp_path), tmp_path / "out")
    assert states(report) == {"broken": "failed", "s0": "done", "s1": "done", "s2": "done"}
    value = json.loads((tmp_path / "out" / "report.json").read_text())
    assert value["slides"] == {"done": 3, "skipped": 0, "failed": 1, "locked": 0, "to do": 0}
    assert value["new_tiles"] == sum(o["n_tiles"] or 0 for o in value["outcomes"]) > 12
    text = (tmp_path / "out" / "report.md").read_text()
    assert "**broken** (failed): " in text
    assert "| s0 | done |" in text
    assert {p.name for p in (tmp_path / "out" / "pictures").iterdir()} == {"s0.png", "s1.png", "s2.png"}


def test_stop_on_error_begins_no_other_slide(slides, tmp_path):
    (slides / "a.svs").write_bytes(b"no slide")
    report = encode_many(jobs(slides, tmp_path), tmp_path / "out", stop_on_error=True)
    assert report.counts() == {"done": 0, "skipped": 0, "failed": 1, "locked": 0, "to do": 3}


def test_a_scale_that_nobody_states_is_an_error_of_its_slide(slides, tmp_path):
    report = encode_many(jobs_of(find_slides(slides), SETTINGS, tmp_path / "out"), tmp_path / "out")
    assert set(states(report).values()) == {"failed"}
    assert "no um/px" in report.failed[0].error


def test_slides_of_one_name_get_outputs_of_their_own(slides, tmp_path):
    paint(slides / "deep" / "s0.png")
    paint(slides / "s0.jpg")
    names = [j.name for j in jobs_of(find_slides(slides, nested=True), SETTINGS, tmp_path)]
    assert sorted(names) == ["deep_s0_png", "s0_jpg", "s1", "s2", "slides_s0_png"]


def test_a_list_names_slides_their_scale_and_donors(slides, tmp_path):
    (slides / "list.csv").write_text("path,mpp,name,donor\ns0.png,1.0,first,A\ns1.png,,,\n")
    first, second = jobs_of(listed_slides(slides / "list.csv"), SETTINGS, tmp_path / "out")
    assert (first.name, first.mpp, first.donor, second.name, second.mpp) == ("first", 1.0, "A", "s1", None)
    (slides / "list.csv").write_text("path,mppp\ns0.png,1.0\n")
    with pytest.raises(DataError, match="has the column 'mppp'"):
        listed_slides(slides / "list.csv")


def test_a_held_lock_is_left_alone_and_one_of_a_dead_process_taken_over(tmp_path):
    path = tmp_path / "locks" / "s.lock"
    with WorkLock(path), pytest.raises(HeldError, match="works on s since"), WorkLock(path):
        pass
    assert not path.exists()
    code = (
        f"import os,time\nfrom histoscribe.encoders.batch._lock import WorkLock\nWorkLock({str(path)!r}).__enter__()\n"
    )
    child = subprocess.run([sys.executable, "-c", code + "os._exit(9)"], check=False)
    assert child.returncode == 9
    assert path.exists()
    with WorkLock(path) as lock:
        assert lock.taken_from.endswith("which is gone")


def test_the_lock_of_another_host_is_taken_over_when_it_gives_no_sign_of_life(tmp_path):
    path = tmp_path / "s.lock"
    path.write_text(json.dumps({"id": "x", "host": "elsewhere", "pid": 1, "since": "then"}))
    with pytest.raises(HeldError, match="elsewhere, process 1"), WorkLock(path, max_age_s=60):
        pass
    os.utime(path, (time.time() - 61, time.time() - 61))
    with WorkLock(path, max_age_s=60) as lock:
        assert lock.taken_from.startswith("elsewhere:1")


def test_who_slept_over_his_lock_writes_nothing(slides, tmp_path, monkeypatch):
    job = jobs(slides, tmp_path)[0]
    lock = tmp_path / "out" / ".locks" / "s0.lock"

    def taken_over_meanwhile(*_args, **_options):
        lock.write_text(json.dumps({"id": "x", "host": "elsewhere", "pid": 1, "since": "now"}))

    monkeypatch.setattr("histoscribe.encoders.batch._job.write_picture", taken_over_meanwhile)
    outcome = perform(job)
    assert outcome.state == "locked"
    assert "elsewhere, process 1, took over s0" in outcome.error
    assert not Path(job.out).exists()
    assert json.loads(lock.read_text())["host"] == "elsewhere"


def test_a_container_of_the_same_name_is_another_host(tmp_path, monkeypatch):
    path = tmp_path / "s.lock"
    with WorkLock(path):
        monkeypatch.setattr("histoscribe.encoders.batch._lock._pid_space", lambda: "another")
        monkeypatch.setattr("histoscribe.encoders.batch._lock._started", lambda pid: "gone")
        with pytest.raises(HeldError), WorkLock(path):
            pass


def test_a_lock_of_a_lost_worker_of_the_same_run_is_taken_over_at_once(tmp_path):
    path = tmp_path / "s.lock"
    path.write_text(json.dumps({"id": "x", "run": "r1", "host": "elsewhere", "pid": 1, "since": "now"}))
    with pytest.raises(HeldError), WorkLock(path, run="r2"):
        pass
    with pytest.raises(HeldError), WorkLock(path):
        pass
    with WorkLock(path, run="r1") as lock:
        assert lock.taken_from.startswith("elsewhere:1")


def test_a_locked_slide_is_reported_and_not_encoded_twice(slides, tmp_path):
    first = jobs(slides, tmp_path)[0]
    with WorkLock(tmp_path / "out" / ".locks" / "s0.lock"):
        outcome = perform(first)
    assert outcome.state == "locked"
    assert not Path(first.out).exists()
    assert perform(first).state == "done"


def test_a_killed_worker_loses_no_slide(slides, tmp_path):
    report = encode_many(jobs(slides, tmp_path), tmp_path / "out", executor=Executor(workers=2, work=dies_once))
    assert states(report) == {"s0": "done", "s1": "done", "s2": "done"}
    assert any("took over the lock" in o.note for o in report.outcomes)


def test_a_slide_that_kills_its_worker_each_time_fails_alone(slides, tmp_path):
    report = encode_many(jobs(slides, tmp_path)[:2], tmp_path / "out", executor=Executor(workers=2, work=always_dies))
    assert states(report) == {"s0": "done", "s1": "failed"}
    assert "died (killed, or out of memory) 4 times" in report.failed[0].error


def test_workers_end_when_the_run_is_killed(tmp_path):
    out = tmp_path / "out"
    code = f"""
if __name__ == "__main__":
    from encoders.batch_slides import notes_itself
    from histoscribe.encoders.batch import Executor, Settings, SlideJob
    jobs = [SlideJob("x", n, {str(out)!r} + "/" + n + ".h5ad", None, None, Settings("colour")) for n in "ab"]
    list(Executor(workers=2, work=notes_itself).run(jobs))
"""
    (tmp_path / "run.py").write_text(code)
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    run = subprocess.Popen([sys.executable, tmp_path / "run.py"], env=os.environ | {"PYTHONPATH": path})
    workers = wait_for(lambda: [p.read_text() for p in out.glob("*.pid")], lambda found: len(found) == 2 and all(found))
    run.kill()
    run.wait()
    wait_for(lambda: [pid for pid in workers if running(int(pid))], lambda found: not found)


def wait_for(look, enough, seconds=30.0):
    until = time.monotonic() + seconds
    while not enough(found := look()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)
    return found


def running(pid):
    try:
        os.kill(pid, 0)
        # A zombie that nobody waits for has ended.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_no_scheduler_is_one_clear_error(slides, tmp_path):
    pytest.importorskip("distributed")
    with pytest.raises(LostSchedulerError, match="no Dask scheduler answers at nowhere"):
        list(Executor(scheduler="nowhere").run(jobs(slides, tmp_path)))
