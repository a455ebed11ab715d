"""Jobs: watched, cancelled, killed; their results become items."""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time

import numpy as np
import pytest

from histoscribe.studio.jobs import _jobs, _work
from histoscribe.studio.jobs._job import FINAL

from .conftest import assert_told


def wait(client, key, *, states=FINAL, seconds=90.0):
    """Return the job once it is in one of `states`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        job = client.get(f"/api/jobs/{key}").json()
        if job["state"] in states:
            return job
        time.sleep(0.05)
    pytest.fail(f"the job is still {job['state']}: {job['message']}")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle that predicts training means: fitted in no time."""
    from histoscribe.methods.train import fit
    from histoscribe.testing import make_section

    sections = [make_section(donor, size_um=500.0) for donor in range(2)]
    path = tmp_path_factory.mktemp("bundle") / "means.bundle"
    return fit(sections, "mean", genes=5, show=False).save(path)


@pytest.fixture
def working(make_client, files, bundle):
    """A client on a slide and a bundle."""
    client = make_client(files / "slide.tif", bundle)
    (item,) = client.studio.items
    client.item, client.bundle = item.id, client.get("/api/bundles").json()["bundles"][0]
    return client


def test_bundles_are_listed_with_what_they_are(working):
    assert working.bundle["method"] == "mean"
    assert working.bundle["n_genes"] == 5
    assert working.bundle["name"] == "means"


def test_a_check_finds_what_does_not_fit_and_draws_the_places(working):
    found = working.post("/api/checks", json={"item": working.item, "bundle": working.bundle["id"]}).json()
    assert found["ok"] in {"ok", "warn", "wrong"}
    assert found["findings"]
    if found["overlay"]:
        picture = working.get(found["overlay"])
        assert picture.headers["content-type"] == "image/png"


def test_a_prediction_becomes_an_item_and_its_job_can_be_watched(working):
    asked = {"kind": "predict", "item": working.item, "bundle": working.bundle["id"]}
    started = working.post("/api/jobs", json=asked)
    assert started.status_code == 201
    key = started.json()["id"]
    with working.stream("GET", f"/api/jobs/{key}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        told = [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]
    assert told[-1]["state"] == "done", told[-1]
    item = working.get(f"/api/items/{told[-1]['result_item']}").json()
    assert (item["kind"], item["n_genes"]) == ("prediction", 5)
    assert item["slide"]["width_px"] == 1500
    assert not list((working.studio.work / "predictions").glob(".*"))


#: Stands in for `begin` in a process that starts in no time: says that it sleeps, or fails.
STAND_IN = """
import time
def begin(kind, given, pipe):
    if kind == "run":
        pipe.send(("failed", "bundle /nowhere/x.bundle does not exist. Check the path."))
    else:
        pipe.send(("progress", {"message": "asleep", "unit": "s", "done": 1, "total": 60}))
        time.sleep(60)
"""


@pytest.fixture
def stand_in(working, monkeypatch, tmp_path):
    """Jobs whose process is the stand-in."""
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(_jobs, "begin", importlib.import_module("stand_in").begin)
    yield working.studio.jobs
    sys.modules.pop("stand_in")


@pytest.fixture
def sleeping(working, stand_in):
    """A job that would run for a minute and has begun."""
    job = stand_in.add("predict", {}, title="sleeper", finish=dict)
    until = time.monotonic() + 60
    while stand_in.get(job.id).message != "asleep" and time.monotonic() < until:
        time.sleep(0.02)
    return job


def test_a_job_that_fails_says_what_is_wrong_and_nothing_of_the_machine(working, stand_in):
    told = wait(working, stand_in.add("run", {}, title="t", finish=dict).id)
    assert told["state"] == "failed"
    assert told["error"]["what"] == "bundle x.bundle does not exist."
    assert told["error"]["todo"] == "Check the path."


def test_a_cancelled_job_ends_at_once_and_the_next_one_runs(working, sleeping):
    second = working.studio.jobs.add("predict", {}, title="second", finish=dict)
    assert working.delete(f"/api/jobs/{sleeping.id}").status_code == 200
    assert wait(working, sleeping.id)["state"] == "cancelled"
    assert wait(working, second.id, states={"running"})
    working.delete(f"/api/jobs/{second.id}")
    assert wait(working, second.id)["state"] == "cancelled"


def test_a_killed_job_is_told_as_failed(working, sleeping):
    one = working.studio.jobs._all[sleeping.id]
    os.kill(one.process.pid, signal.SIGKILL)
    told = wait(working, sleeping.id)
    assert told["state"] == "failed"
    assert "SIGKILL" in told["error"]["what"]
    assert working.get("/api/jobs").json()["jobs"][0]["id"] == sleeping.id


def test_jobs_that_make_no_sense_are_refused(working, client, ids):
    assert_told(working.get("/api/jobs/0123456789abcdef"), 404)
    assert_told(working.post("/api/jobs", json={"kind": "predict", "item": working.item, "bundle": "0" * 16}), 404)
    assert_told(working.post("/api/jobs", json={"kind": "dance"}), 422)
    swapped = {"kind": "evaluate", "prediction": ids["section"], "section": ids["prediction"]}
    assert_told(client.post("/api/jobs", json=swapped), 409)
    assert_told(client.post("/api/papers/no-such-paper/run"), 404)


def test_too_many_jobs_are_turned_away(working, sleeping):
    working.studio.jobs._most = 0
    asked = {"kind": "predict", "item": working.item, "bundle": working.bundle["id"]}
    assert_told(working.post("/api/jobs", json=asked), 503)


def test_a_slide_without_scale_asks_for_it(make_client, files, bundle):
    client = make_client(files / "flat.png", bundle)
    (item,) = client.studio.items
    key = client.get("/api/bundles").json()["bundles"][0]["id"]
    error = assert_told(client.post("/api/checks", json={"item": item.id, "bundle": key}), 409)
    assert "mpp" in error["todo"]
    assert client.post("/api/checks", json={"item": item.id, "bundle": key, "mpp": 0.5}).status_code == 200


def test_an_evaluations_scores_are_numbers(monkeypatch, files, tmp_path):
    given = {
        "prediction": str(files / "prediction.h5ad"),
        "spec": str(files / "section.h5ad"),
        "out": str(tmp_path / "e"),
    }
    found = _work._evaluate(given)
    assert np.isfinite(found["scores"]["pcc_gene"])
    assert (tmp_path / "e" / "evaluation.json").is_file()
