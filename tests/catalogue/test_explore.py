"""Neighbours, comparison, advice, leaks, counts."""

import pytest

from histoscribe.catalogue import Catalogue, Dataset
from histoscribe.catalogue.ladder import ladder
from histoscribe.catalogue.leak import leaks
from histoscribe.catalogue.similar import compare, similar
from histoscribe.catalogue.stats import stats
from histoscribe.catalogue.which import Need, which
from histoscribe.core.errors import DataError


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


@pytest.fixture(scope="module")
def places(catalogue):
    return ladder(catalogue.papers)


def test_the_nearest_of_triplex_is_the_one_built_on_it(catalogue):
    (first, score, why), *_ = similar(catalogue, "triplex-2024")
    assert first.id == "bg-triplex-2024"
    assert 0 < score < 1
    assert why


def test_similarity_is_mutual(catalogue):
    ab = {p.id: s for p, s, _ in similar(catalogue, "triplex-2024", limit=500)}["stem-2025"]
    ba = {p.id: s for p, s, _ in similar(catalogue, "stem-2025", limit=500)}["triplex-2024"]
    assert ab == ba


def test_a_comparison_has_a_column_for_each_paper_and_no_empty_row(catalogue, places):
    header, rows = compare(catalogue, ["triplex-2024", "polaris-2023"], ladder=places)
    assert header == ["", "TRIPLEX", "POLARIS"]
    assert all(len(row) == 3 and any(row[1:]) for row in rows)
    assert {r[0]: r[1:] for r in rows}["licence"] == ["none", "MIT"]


def test_without_an_image_no_method_that_needs_one_is_advised(catalogue, places):
    assert which(catalogue, Need(task="expression-prediction"), ladder=places) == []
    fits = which(catalogue, Need(task="deconvolution"), ladder=places, limit=100)
    assert fits
    assert all(f.paper.modality.histology != "required" for f in fits)


def test_code_without_the_licence_asked_for_is_not_advised(catalogue, places):
    need = Need(platform="st", mpp=0.5, donors=8, licence="permissive")
    fits = which(catalogue, need, ladder=places, limit=500)
    assert fits
    for fit in fits:
        known = fit.paper.code.licence if fit.paper.code else None
        assert known is None or known.startswith(("MIT", "Apache", "LicenseRef-BSD"))
        assert known is not None or "licence" in fit.unread
    assert "triplex-2024" not in [f.paper.id for f in fits]


def test_a_coarse_image_speaks_against_single_cell_methods(catalogue, places):
    need = {"mpp": 2.0, "resolution": "single-cell"}
    fits = which(catalogue, Need(**need), ladder=places, limit=500)
    cell = [f for f in fits if "single-cell" in f.paper.modality.resolution]
    assert cell
    assert all(any("2 um/px" in text for text in f.contra) for f in cell)


def test_surveys_and_benchmarks_are_not_advised(catalogue, places):
    fits = which(catalogue, Need(mpp=0.5), ladder=places, limit=500)
    assert not {"survey", "benchmark", "dataset"} & {f.paper.tasks[0] for f in fits}


def test_known_leaks_are_found(catalogue):
    pairs = {(leak.first, leak.second): leak.how for leak in leaks(catalogue)}
    assert pairs["her2st", "hest-1k"] == "contains"
    assert pairs["hest-1k", "stimage-1k4m"] == "common part"
    assert pairs["hest-1k", "stp-bench"] == "common part"
    assert pairs["hest-1k", "hest-visium-virtual-single-cell"] == "predicted"
    assert ("dlpfc", "her2st") not in pairs


def test_what_a_part_holds_leaks_through_the_whole(catalogue):
    small = Catalogue(catalogue.folder)
    for key, contains in (("a", ["b"]), ("b", ["c"]), ("c", []), ("d", ["c"])):
        small.add(Dataset(id=key, name=key.upper(), kind="cohort", contains=contains))
    found = {(leak.first, leak.second): leak.how for leak in leaks(small)}
    assert found == {
        ("a", "b"): "contains",
        ("a", "c"): "contains",
        ("a", "d"): "common part",
        ("b", "c"): "contains",
        ("b", "d"): "common part",
        ("c", "d"): "contains",
    }


def test_leaks_are_asked_for_one_or_among_several(catalogue):
    assert all("cscc" in {leak.first, leak.second} for leak in leaks(catalogue, ["cscc"]))
    assert leaks(catalogue, ["dlpfc", "her2st"]) == []
    with pytest.raises(DataError, match="no data set called 'her2sd'"):
        leaks(catalogue, ["her2sd"])


def test_counts_add_up(catalogue, places):
    found = stats(catalogue, ladder=places)
    assert found["papers"] == len(catalogue.papers)
    assert sum(found["by_year"].values()) == found["papers"]
    assert sum(found["by_level"].values()) == found["papers"]
    assert sum(found["by_status"].values()) == found["papers"]
    assert found["coverage"]["core with code link"] >= 118
