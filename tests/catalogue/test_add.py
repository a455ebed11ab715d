"""Starting a record: from an identifier, from a file; what is missing is said."""

import pytest

from histoscribe.catalogue import Catalogue
from histoscribe.catalogue.add import draft_entry, draft_identifier, save_draft
from histoscribe.catalogue.check import check
from histoscribe.catalogue.formats import Entry, bibtex
from histoscribe.core.errors import DataError


@pytest.fixture
def catalogue(tmp_path):
    (tmp_path / "papers").mkdir()
    (tmp_path / "datasets").mkdir()
    return Catalogue(tmp_path)


@pytest.mark.parametrize("text", ["2501.09999", "arXiv:2501.09999v3", "https://arxiv.org/pdf/2501.09999v1.pdf"])
def test_an_arxiv_id_gives_year_address_and_version(catalogue, text):
    draft = draft_identifier(catalogue, text)
    assert draft.values["arxiv"] == "2501.09999"
    assert draft.values["year"] == 2025
    assert draft.values["venue"] == {"name": "arXiv"}
    assert draft.values["status"] == "preprint"
    assert draft.missing == ["title", "role", "tasks"]


def test_a_doi_gives_its_venue(catalogue):
    draft = draft_identifier(catalogue, "https://doi.org/10.1093/bib/bbaf999")
    assert draft.values["venue"] == {"name": "Briefings in Bioinformatics"}
    assert draft.values["status"] == "published"
    assert "title" in draft.missing


def test_what_the_authority_table_knows_is_filled_in(catalogue):
    draft = draft_identifier(catalogue, "10.1038/s41467-023-43256-5")
    assert draft.values["title"].startswith("Dimension-agnostic")
    assert draft.values["year"] == 2023


def test_the_check_names_every_field_that_a_draft_lacks(catalogue):
    path = save_draft(catalogue, draft_identifier(catalogue, "2501.09999"))
    report = check(Catalogue.load(catalogue.folder, collect=True))
    assert {f.about for f in report.findings} == {"title", "role", "tasks"}
    assert all(path.name in f.line() for f in report.findings)


def test_an_imported_entry_becomes_a_record_with_one_gap(catalogue):
    (entry,) = bibtex.read(
        "@article{x, title={Spatial domain identification with {FOO}}, author={Doe, Jane}, year={2024},"
        " journal={Nat. Commun.}, doi={10.1038/s41467-024-99999-9}}"
    )
    draft = draft_entry(catalogue, entry, source="https://example.org/refs.bib")
    assert draft.values["tasks"] == ["spatial-domains"]
    assert draft.values["venue"] == {"name": "Nature Communications"}
    assert draft.missing == ["role"]
    save_draft(catalogue, draft)
    (finding,) = check(Catalogue.load(catalogue.folder, collect=True)).findings
    assert "field 'role'" in finding.line()


@pytest.mark.parametrize("text", ["10.1126/sciadv.add9818", "arXiv:2403.07592", "10.48550/arXiv.2412.03026"])
def test_a_paper_that_is_there_is_not_added_twice(text):
    with pytest.raises(DataError, match="has this paper already, as"):
        draft_identifier(Catalogue.load(), text)


def test_a_title_that_is_there_is_not_added_twice():
    entry = Entry(key="x", kind="article", title="stpath: a generative FOUNDATION model for integrating spatial")
    full = Catalogue.load().paper("stpath-2025").title.upper()
    with pytest.raises(DataError, match="'stpath-2025'"):
        draft_entry(Catalogue.load(), Entry(key="x", kind="article", title=full), source="here")
    assert draft_entry(Catalogue.load(), entry, source="here").missing


def test_two_papers_of_one_name_get_two_ids(catalogue):
    entry = Entry(key="x", kind="article", title="SPADE: one", year=2025)
    first = draft_entry(catalogue, entry, source="here").values["id"]
    assert first == "spade-2025"
    full = Catalogue.load()
    taken = Entry(key="x", kind="article", title="STPath: a different paper altogether", year=2025)
    assert draft_entry(full, taken, source="here").values["id"] == "stpath-2025-2"


def test_what_is_no_identifier_is_refused(catalogue):
    with pytest.raises(DataError, match="neither a DOI"):
        draft_identifier(catalogue, "TRIPLEX")
