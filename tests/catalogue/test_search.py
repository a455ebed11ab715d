"""Search: ranking, filters, two languages, speed."""

import statistics
import time

import pytest

from histoscribe.catalogue import RECORDS, Catalogue
from histoscribe.catalogue.index import Index, fingerprint, open_index
from histoscribe.catalogue.query import Filters, year_range
from histoscribe.core.errors import DataError


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


@pytest.fixture(scope="module")
def index(catalogue):
    return Index.build(catalogue)


def keys(hits):
    return [hit.key for hit in hits]


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("triplex", "triplex-2024"),
        ("TRIPLEX", "triplex-2024"),
        ("iStar", "istar-2024"),
        ("stimage 1k4m", "stimage-1k4m-2024"),
        ("Gustafsson deep regression", "evaluating-deep-regression-models-for-wsi-based-2024"),
        ("10.1126/sciadv.add9818", "polaris-2023"),
        ("2403.07592", "triplex-2024"),
        ('"gene names, expression values"', "comtip-2025"),
    ],
)
def test_the_paper_that_is_meant_comes_first(index, query, first):
    assert keys(index.search(query, Filters(kind="paper")))[0] == first


@pytest.mark.parametrize(
    ("chinese", "english"),
    [
        ("空间域", "spatial domains"),
        ("空间域识别", "spatial domain identification"),
        ("乳腺癌的表达预测", "expression prediction in breast cancer"),
        ("对比学习 超分辨率", "contrastive learning super-resolution"),
        ("图神经网络解卷积", "graph neural network deconvolution"),
        ("病理基础模型", "pathology foundation model"),
        ("单细胞 扩散模型", "single cell diffusion model"),
        ("三维配准", "3d registration"),
        ("TRIPLEX 表达预测", "TRIPLEX expression prediction"),
        ("综述", "survey"),
    ],
)
def test_a_chinese_query_finds_what_its_english_twin_finds(index, chinese, english):
    found = keys(index.search(chinese, limit=500))
    assert found == keys(index.search(english, limit=500))
    assert found


def test_both_labels_of_every_term_stand_for_the_same_terms(catalogue):
    words = catalogue.vocabulary
    for term in words.terms.values():
        english, rest_en = words.parse(term.en)
        chinese, rest_zh = words.parse(term.zh)
        assert (english, rest_en) == (chinese, rest_zh), term.key
        assert any(term in group for group in english), term.key


def test_every_word_must_be_met_and_any_is_enough_where_nothing_meets_all(index):
    both = keys(index.search("contrastive hypergraph", limit=500))
    assert both
    for word in ("contrastive", "hypergraph"):
        assert set(both) <= set(keys(index.search(word, limit=500)))
    assert keys(index.search("triplex zzqqy"))[0] == "triplex-2024"
    assert index.search("zzqqy") == []


def test_the_last_word_may_be_unfinished(index):
    assert "histospace-2024" in keys(index.search("histosp"))


@pytest.mark.parametrize("query", ['"', "'", "a OR", "NEAR(", "x*y", "title:", "-", "(", "%_;--", "\x00", "日本語"])
def test_signs_that_mean_something_to_the_database_do_no_harm(index, query):
    index.search(query)


def test_filters_narrow_and_are_counted(index):
    filters = Filters(kind="paper", years=(2024, 2025), tasks=("空间域",), has_code=True)
    hits = index.search("", filters, limit=500)
    assert hits
    assert len(hits) == index.count("", filters)
    for hit in hits:
        assert 2024 <= hit.body["year"] <= 2025
        assert "spatial-domains" in hit.body["tasks"]
        assert hit.body["code"]["url"]


def test_organs_and_platforms_of_a_papers_data_find_the_paper(index):
    assert "asign-2025" in keys(index.search("", Filters(organs=("乳腺癌",), platforms=("st",)), limit=500))


def test_licences_are_found_by_what_they_allow(index):
    permissive = index.search("", Filters(kind="paper", licence="permissive"), limit=500)
    closed = index.search("", Filters(kind="paper", licence="non-commercial"), limit=500)
    assert {"MIT", "Apache-2.0"} <= {hit.body["code"]["licence"] for hit in permissive}
    assert all("NC" in hit.body["code"]["licence"] for hit in closed)
    assert not set(keys(permissive)) & set(keys(closed))


def test_an_unknown_term_is_answered_with_the_nearest(index):
    with pytest.raises(DataError, match="'visum' is no platform of the vocabulary. Did you mean 'visium'"):
        index.search("", Filters(platforms=("visum",)))


@pytest.mark.parametrize(
    ("text", "years"),
    [("2024", (2024, 2024)), ("2022..2024", (2022, 2024)), ("2024..", (2024, None)), ("..9", (None, 9))],
)
def test_years_are_read(text, years):
    assert year_range(text) == years


@pytest.mark.parametrize("text", ["soon", "2024..2022"])
def test_a_wrong_year_is_refused(text):
    with pytest.raises(DataError, match=r"Give"):
        year_range(text)


def test_the_cache_follows_the_records(catalogue, tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "records"
    (folder / "papers").mkdir(parents=True)
    (folder / "datasets").mkdir()
    store = Catalogue(folder)
    store.save(catalogue.paper("triplex-2024"))
    before = fingerprint(folder)
    assert len(open_index(folder)) == 1
    assert len(list((tmp_path / "cache" / "catalogue").glob("*.sqlite"))) == 1
    store.save(catalogue.paper("asign-2025"))
    assert fingerprint(folder) != before
    assert keys(open_index(folder).search("asign")) == ["asign-2025"]


def test_a_damaged_cache_is_made_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path))
    n = len(open_index())
    (path,) = (tmp_path / "catalogue").glob("*.sqlite")
    path.write_bytes(b"not a database at all, but long enough to be opened as one" * 40)
    assert len(open_index()) == n


def test_a_place_that_cannot_be_written_is_searched_from_memory(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path / "file"))
    assert keys(open_index().search("triplex"))[0] == "triplex-2024"


def test_searching_this_catalogue_takes_less_than_50_ms(index):
    for query in ("spatial", "spatial transcriptomics", "空间域 对比学习", "breast cancer expression prediction"):
        times = []
        for _ in range(9):
            start = time.perf_counter()
            index.search(query)
            times.append(time.perf_counter() - start)
        assert statistics.median(times) < 0.05


def test_opening_the_index_again_costs_less_than_reading_the_records(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_CACHE", str(tmp_path))
    open_index(RECORDS).close()
    start = time.perf_counter()
    open_index(RECORDS).search("triplex")
    warm = time.perf_counter() - start
    assert warm < 0.2
