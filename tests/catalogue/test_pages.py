"""Generated pages: complete, up to date, and refused where edited by hand."""

from pathlib import Path

import pytest

from histoscribe.catalogue import Catalogue
from histoscribe.catalogue.ladder import ladder
from histoscribe.catalogue.pages import MARKERS, papers_page, project_pages, readme_table, with_table
from histoscribe.catalogue.project import check_citation, check_pages
from histoscribe.core.errors import DataError
from histoscribe.methods.papers import stored_ladder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


@pytest.fixture(scope="module")
def places(catalogue):
    return ladder(catalogue.papers)


@pytest.mark.skipif(not (ROOT / "PAPERS.md").exists(), reason="only a source checkout has pages")
def test_the_pages_of_this_checkout_are_what_the_records_give(catalogue):
    pages = project_pages(catalogue, ROOT, ladder=stored_ladder(catalogue, None))
    assert [f.line() for f in check_pages(ROOT, pages)] == []
    assert [f.line() for f in check_citation(ROOT, "HistoScribe")] == []


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_paper_has_one_row_and_the_founding_ones_come_first(catalogue, places, lang):
    rows = [line for line in papers_page(catalogue, ladder=places, lang=lang).splitlines() if line.startswith("| ")]
    rows = [row for row in rows if not row.startswith(("| Year", "| 年份"))]
    assert len(rows) == len(catalogue.papers)
    founding = sorted((p for p in catalogue.papers.values() if p.founding), key=lambda p: p.founding)
    for paper, row in zip(founding, rows, strict=False):
        assert paper.title in row


def test_a_paper_known_to_have_no_code_says_so(catalogue, places):
    row = next(r for r in readme_table(catalogue, ladder=places).splitlines() if "Deep Regression" in r)
    assert "| none released | 0 |" in row


def test_a_table_goes_between_its_markers_and_text_around_it_stays():
    text = f"before\n{MARKERS[0]}\nold\n{MARKERS[1]}\nafter\n"
    assert with_table(text, "new") == f"before\n{MARKERS[0]}\nnew\n{MARKERS[1]}\nafter\n"
    assert with_table(with_table(text, "new"), "new") == with_table(text, "new")
    with pytest.raises(DataError, match="lacks its markers"):
        with_table("no markers", "new")


def test_a_readme_with_markers_is_generated_and_one_without_is_left_alone(catalogue, places, tmp_path):
    (tmp_path / "README.md").write_text(f"{MARKERS[0]}\n{MARKERS[1]}\n")
    (tmp_path / "README.zh.md").write_text("nothing\n")
    pages = project_pages(catalogue, tmp_path, ladder=places)
    assert sorted(pages) == ["PAPERS.md", "PAPERS.zh.md", "README.md"]
    assert "ASIGN" in pages["README.md"]


def test_a_page_edited_by_hand_is_named_with_its_line(catalogue, places, tmp_path):
    text = papers_page(catalogue, ladder=places)
    lines = text.splitlines(keepends=True)
    lines[30] = "| 2030 | Smuggled in |\n"
    (tmp_path / "PAPERS.md").write_text("".join(lines))
    (finding,) = check_pages(tmp_path, {"PAPERS.md": text})
    assert "first in line 31" in finding.line()
    (absent,) = check_pages(tmp_path, {"PAPERS.zh.md": text})
    assert "does not exist" in absent.line()
