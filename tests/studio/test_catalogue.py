"""Boards, papers and data sets: the stored records and the catalogue of the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .conftest import assert_told
from .test_words import words

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A client without items on the stored runs of the checkout."""
    from starlette.testclient import TestClient

    from histoscribe.studio import Studio, create_app

    studio = Studio.of([], work=tmp_path_factory.mktemp("work"), results=ROOT / "results")
    yield TestClient(create_app(studio), base_url="http://127.0.0.1", raise_server_exceptions=False)
    studio.close()


def test_every_board_can_be_opened_and_every_record_behind_it(stored):
    boards = stored.get("/api/boards").json()["boards"]
    assert {"her2st-dev", "synthetic-planted", "synthetic-composition"} <= {b["id"] for b in boards}
    for line in boards:
        board = stored.get(f"/api/boards/{line['id']}").json()
        assert {k: board[k] for k in line} == line
        names = {m["name"] for m in board["metrics"]}
        for table in board["tables"]:
            for row in table["rows"]:
                assert set(row["scores"]) <= names
        first = board["tables"][0]["rows"][0]["records"][0]
        record = stored.get(f"/api/records/{first['benchmark']}/{first['method']}/{first['id']}").json()
        assert record["id"] == first["id"]


def test_scores_and_cases_of_every_board_have_chinese_words(stored):
    known = [re.sub(r"\\{\w+\\}", ".+?", re.escape(english)) for english in words()]
    boards = [stored.get(f"/api/boards/{b['id']}").json() for b in stored.get("/api/boards").json()["boards"]]
    said = {metric["summary"] for board in boards for metric in board["metrics"]} - {""}
    headings = [table["heading"] for board in boards for table in board["tables"] if table["heading"]]
    said |= {heading["en"] for heading in headings if heading["zh"] == heading["en"]}
    assert len(said) > 30
    assert [text for text in sorted(said) if not any(re.fullmatch(one, text) for one in known)] == []


def test_controls_that_win_are_told_as_numbers(stored):
    board = stored.get("/api/boards/her2st-dev").json()
    assert board["unit"] in {"section", "donor"}
    for win in board["wins"]:
        assert win["controls"]
    assert board["fixes"]["split"]
    assert any(d["role"] == "best control" for d in board["differences"])
    assert_told(stored.get("/api/boards/no-such-board"), 404)


def test_papers_are_searched_and_counted(stored):
    everything = stored.get("/api/papers").json()
    assert everything["total"] > 100
    assert len(everything["papers"]) == 25
    ours = stored.get("/api/papers?implemented=true&sort=oldest").json()
    assert ours["total"] == everything["facets"]["implemented"]
    years = [p["year"] for p in ours["papers"]]
    assert years == sorted(years)
    task = next(iter(everything["facets"]["task"]))
    assert stored.get(f"/api/papers?task={task}").json()["total"] == everything["facets"]["task"][task]
    assert stored.get("/api/papers?query=triplex").json()["papers"][0]["key"] == "triplex-2024"


def test_a_paper_has_its_ladder_results_and_bibtex(stored):
    paper = stored.get("/api/papers/triplex-2024").json()
    assert paper["bibtex"].startswith("@")
    assert [r["rung"] for r in paper["ladder"]] == [1, 2, 3, 4, 5, 6]
    assert paper["implemented"] == ["triplex"]
    assert any(r["measured"] is not None for r in paper["results"])
    assert_told(stored.get("/api/papers/no-such-paper"), 404)


def test_data_sets_name_their_users_and_what_they_overlap(stored):
    lines = stored.get("/api/datasets").json()
    assert lines["total"] == len(lines["datasets"]) > 10
    found = stored.get("/api/datasets/her2st").json()
    assert any(p["key"] == "triplex-2024" for p in found["papers"])
    assert found["contained_in"] or found["overlaps"]
    assert stored.get("/api/datasets?query=her2st").json()["datasets"][0]["key"] == "her2st"
    assert_told(stored.get("/api/datasets/no-such-set"), 404)


def test_words_have_labels_in_both_languages(stored):
    words = stored.get("/api/vocabulary").json()
    assert words["task"]["expression-prediction"]["zh"]
