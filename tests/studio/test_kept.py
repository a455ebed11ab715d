"""Kept answers: made once for a state, again where the state or the file is no longer what it was."""

from __future__ import annotations

import sys

import pytest

from histoscribe.studio import _kept


@pytest.fixture
def made(monkeypatch, tmp_path):
    """An answer of a counter, in a cache of its own: `made(state)` gives how often it was made."""
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path))
    calls = []

    def ask(state):
        return _kept.kept("count", state, lambda: calls.append(state) or {"n": len(calls)})["n"]

    return ask


def test_an_answer_is_made_once_for_each_state(made):
    assert [made("a"), made("a"), made("b"), made("a")] == [1, 1, 2, 1]


def test_an_answer_of_other_code_is_not_taken(made, monkeypatch):
    assert made("a") == 1
    monkeypatch.setattr(_kept, "_code", lambda: "changed")
    assert made("a") == 2


def test_a_damaged_answer_is_made_again(made, tmp_path):
    assert made("a") == 1
    (path,) = tmp_path.rglob("count-*.json")
    path.write_text("{")
    assert [made("a"), made("a")] == [2, 2]


def test_few_answers_stay(made, tmp_path):
    for state in range(3 * _kept._MOST):
        made(str(state))
    assert len(list(tmp_path.rglob("count-*.json"))) == _kept._MOST


def test_papers_and_boards_are_shown_without_torch_once_they_are_kept(tmp_path, monkeypatch):
    from histoscribe.studio import Studio
    from histoscribe.studio._library_out import PaperQuery, papers_out

    def ask():
        studio = Studio.of([], work=tmp_path / "work", results=tmp_path / "results")
        studio.records.boards()
        found = papers_out(studio.library, PaperQuery(), offset=0, limit=5)
        studio.close()
        return found

    first = ask()
    for name in ("histoscribe.bench.studies", "histoscribe.methods.papers"):
        monkeypatch.setitem(sys.modules, name, None)  # an import of it would raise
    assert ask() == first
    assert first["facets"]["implemented"] > 10
