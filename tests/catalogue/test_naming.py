"""Ids never collide with what is on disk, finished or not; venues are found by name, alias or DOI."""

from __future__ import annotations

import shutil

import pytest

from histoscribe.catalogue import RECORDS, Catalogue
from histoscribe.catalogue.naming import free_id, venue_named, venues_of_doi


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue") / "records"
    shutil.copytree(RECORDS, folder)
    return Catalogue.load(folder)


def test_an_id_that_a_record_or_an_unfinished_draft_has_is_numbered(catalogue):
    assert free_id(catalogue, "nobody-2026") == "nobody-2026"
    assert free_id(catalogue, "triplex-2024") == "triplex-2024-2"
    (catalogue.folder / "papers" / "draft-2026.yaml").write_text("title: unfinished\n", encoding="utf-8")
    assert free_id(catalogue, "draft-2026") == "draft-2026-2"


def test_a_venue_is_found_whatever_the_case_of_its_name(catalogue):
    name = next(iter(catalogue.venues))
    assert venue_named(catalogue, [None, name.upper()]) == name
    assert venue_named(catalogue, ["no such venue"]) is None


def test_the_longest_doi_prefix_decides(catalogue):
    assert "Nature Methods" in venues_of_doi(catalogue, "10.1038/S41592-025-00001-1")
    assert venues_of_doi(catalogue, "10.99999/x") == []
