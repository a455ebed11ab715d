"""Studies: running, resuming, boards; over a tiny study whose scores are known."""

from __future__ import annotations

from typing import ClassVar

import pytest

from histoscribe.bench.studies import STUDIES, Entry, Study
from histoscribe.bench.studies._board import make_study_boards
from histoscribe.bench.studies._metrics import metric_facts
from histoscribe.bench.studies._run import choose_entries, run_study
from histoscribe.bench.studies._text import study_markdown, study_scores, study_sentences
from histoscribe.bench.suite import Heading
from histoscribe.core.errors import DataError, RegistryError
from histoscribe.core.records import RunRecord
from histoscribe.reports import board_page


class Tiny(Study):
    id = "tiny-study"
    family = "volume"
    heading = Heading(en="Two donors | made up", zh="两名虚构供者")
    notes = (Heading(en="A note", zh="一条注"),)
    metrics = ("pcc_gene", "own_error")
    own_metrics: ClassVar = {"own_error": ("lower", "Made up.")}
    unit = "donor"
    seeds = (0, 1)
    entries = (
        Entry("good", "m-good"),
        Entry("bad, once", "m-bad", {"times": 1}),
        Entry("constant", "m-constant", control=True),
        Entry("long", "m-long", slow=True),
        Entry("broken", "m-broken", slow=True),
    )
    values: ClassVar = {"good": (0.5, 0.7), "bad, once": (0.1, 0.2), "constant": (0.2, 0.3), "long": (0.9, 0.9)}
    runs: ClassVar[list] = []

    def run(self, entry, *, seed, root):
        del root
        self.runs.append((entry.label, seed))
        if entry.label == "broken":
            msg = "no such thing"
            raise DataError(msg)
        for case, shift in (("first", 0.0), ("second", 0.01)):
            rows = [
                {"donor": donor, "section": f"{donor}1", "pcc_gene": v + shift + seed / 100, "own_error": 1 - v}
                for donor, v in zip("AB", self.values[entry.label], strict=True)
            ]
            scores = {m: sum(r[m] for r in rows) / 2 for m in self.metrics}
            yield RunRecord(
                benchmark=self.id,
                method=entry.method,
                params=entry.params,
                encoder="none",
                genes=["A"],
                target={},
                split={"case": case},
                seed=seed,
                data={},
                scores={entry.label: scores},
                n={"donors": 2},
                per_section=rows,
                kind="control" if entry.control else "method",
                synthetic=True,
            )


@pytest.fixture
def study():
    Tiny.runs.clear()
    return Tiny()


def test_a_second_run_repeats_nothing_and_changed_parameters_do(study, tmp_path):
    first = run_study(study, out=tmp_path, show=False)
    assert [(d.entry.label, d.seed, d.earlier) for d in first][:2] == [("good", 0, False), ("bad, once", 0, False)]
    assert len(Tiny.runs) == 6
    assert len(list((tmp_path / "tiny-study").glob("*/*.json"))) == 12
    again = run_study(study, out=tmp_path, show=False)
    assert len(Tiny.runs) == 6
    assert all(d.earlier and len(d.records) == 2 for d in again)
    run_study(study, methods=["good"], out=tmp_path, fresh=True, show=False)
    assert len(Tiny.runs) == 8


def test_a_failure_is_told_and_stops_nothing(study, tmp_path):
    done = run_study(study, slow=True, seeds=[0], out=tmp_path, show=False)
    assert {d.entry.label: d.failure for d in done if d.failure} == {"broken": "no such thing"}
    assert [d.entry.label for d in done] == [e.label for e in Tiny.entries]


def test_rows_are_chosen_by_label_or_method(study):
    assert [e.label for e in choose_entries(study)] == ["good", "bad, once", "constant"]
    assert [e.label for e in choose_entries(study, ["bad, once", "m-long"])] == ["bad, once", "long"]
    with pytest.raises(RegistryError, match="'good'"):
        choose_entries(study, ["goood"])


def test_the_board_averages_donors_over_seeds_and_says_which_control_wins(study, tmp_path):
    run_study(study, out=tmp_path, show=False)
    (board,) = make_study_boards([study], tmp_path)
    first, second = board.tables
    assert (first.case, second.case) == ("first", "second")
    assert [r.label for r in first.rows] == ["good", "bad, once", "constant"]
    value = first.rows[0].value("pcc_gene")
    # Two donors, each the mean of two seeds: .505 and .705; the Student factor of two values is 12.706.
    assert value.mean == pytest.approx(0.605)
    assert value.upper - value.mean == pytest.approx(12.7062 * 0.2 / 2, rel=1e-4)
    (win,) = first.wins
    assert (win.method, win.controls) == ("bad, once", (("constant", pytest.approx(0.255)),))
    differences = {(d.method, d.role): d for d in first.differences}
    assert differences["good", "best control"].mean == pytest.approx(0.35)
    assert differences["bad, once", "best method"].mean == pytest.approx(-0.45)
    assert study_scores(board, first).header[1:3] == ["pcc_gene ↑ 1", "own_error ↓"]
    assert study_sentences(board, first)[0].startswith("Controls beat bad, once in pcc_gene, which reaches 0.1550")


def test_pages_hold_every_number_in_both_languages(study, tmp_path):
    run_study(study, out=tmp_path, show=False)
    boards = make_study_boards([study], tmp_path)
    text = study_markdown(boards)
    assert "## tiny-study, version 1" in text
    assert "| good | 0.6050 ± 1.2706 |" in text
    assert "### Second" in text
    page = board_page([], boards, path=tmp_path / "board.html").read_text(encoding="utf-8")
    for said in ("两名虚构供者", "Two donors | made up", "一条注", "0.6050", "bad, once", "对照"):
        assert said in page
    assert page.startswith("<!doctype html>")
    assert "[SYNTHETIC]" in page


def test_records_of_another_version_are_not_shown(study, tmp_path, monkeypatch):
    run_study(study, out=tmp_path, show=False)
    monkeypatch.setattr(Tiny, "version", "2")
    assert make_study_boards([study], tmp_path) == []


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_complete(name):
    study = STUDIES.get(name)()
    assert study.id == name
    assert study.family in {"composition", "volume", "slide-level"}
    labels = [e.label for e in study.entries]
    assert len(set(labels)) == len(labels)
    assert any(e.control for e in study.entries)
    assert not all(e.control for e in study.entries)
    assert bool(study.files) == bool(study.how_to_get)
    for metric in study.metrics:
        assert metric_facts(study, metric).direction in {"higher", "lower", "nearer"}
    for heading in (study.heading, *study.notes):
        assert any("一" <= c <= "鿿" for c in heading.zh)
