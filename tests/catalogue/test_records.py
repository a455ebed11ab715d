"""The records themselves: what was imported, what is complete, what the schema says."""

import pytest

from histoscribe.catalogue import RECORDS, Catalogue, Paper, json_schema
from histoscribe.catalogue.store import plain, read_record
from histoscribe.core.errors import DataError

FOUNDING = [
    "asign-2025",
    "histospace-2024",
    "triplex-2024",
    "polaris-2023",
    "hest-1k-2024",
    "stimage-1k4m-2024",
    "bg-triplex-2024",
    "evaluating-deep-regression-models-for-wsi-based-2024",
]


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


def test_all_imported_records_are_there(catalogue):
    assert sum(p.role != "background" for p in catalogue.papers.values()) >= 494
    assert len(catalogue.datasets) >= 54
    read = [p for p in catalogue.papers.values() if p.code and p.code.status in {"read", "incomplete"}]
    assert len({p.code.url.lower() for p in read}) >= 59  # every repository of the audit has its paper


def test_the_eight_founding_papers_are_complete(catalogue):
    founding = sorted((p for p in catalogue.papers.values() if p.founding), key=lambda p: p.founding)
    assert [p.id for p in founding] == FOUNDING
    for paper in founding:
        assert paper.authors, paper.id
        assert paper.year, paper.id
        assert paper.venue, paper.id
        assert paper.doi or paper.arxiv, paper.id
        assert paper.code is not None, paper.id
        assert paper.provenance, paper.id


def test_the_two_wrong_code_links_of_the_founding_list_are_mended_and_recorded(catalogue):
    polaris = catalogue.paper("polaris-2023")
    assert polaris.code.url == "https://github.com/JiawenChenn/POLARIS"
    assert any("CODAIT/deep-histopath" in text for text in polaris.mended)
    study = catalogue.paper("evaluating-deep-regression-models-for-wsi-based-2024")
    assert study.code.status == "none"
    assert study.code.url is None
    assert any("TANGLE" in text for text in study.mended)
    assert catalogue.paper("tangle-2024").code.url == "https://github.com/mahmoodlab/TANGLE"


def test_sources_that_disagree_are_both_kept(catalogue):
    (conflict,) = catalogue.paper("molf-2026").conflicts
    assert {claim.value for claim in conflict.claims} == {"ICLR 2026", "ICML 2026"}
    assert conflict.decided is None


def test_every_record_survives_being_written_and_read(catalogue, tmp_path):
    copy = Catalogue(tmp_path)
    (tmp_path / "papers").mkdir()
    (tmp_path / "datasets").mkdir()
    for record in [*catalogue.papers.values(), *catalogue.datasets.values()]:
        assert read_record(copy.save(record)) == record


def test_files_are_written_as_the_store_writes_them(catalogue):
    from histoscribe.catalogue.yamlfile import dump_yaml

    for record in [*catalogue.papers.values(), *catalogue.datasets.values()]:
        assert catalogue.path(record).read_text(encoding="utf-8") == dump_yaml(plain(record)), record.id


def test_an_unknown_id_is_answered_with_the_nearest(catalogue):
    with pytest.raises(DataError, match=r"no paper called 'triplex-2023'\. Did you mean 'triplex-2024'"):
        catalogue.paper("triplex-2023")
    with pytest.raises(DataError, match="Did you mean 'her2st'"):
        catalogue.dataset("her2")


def test_every_term_has_a_chinese_label_and_every_task_a_definition(catalogue):
    for term in catalogue.vocabulary.terms.values():
        assert term.zh, term.key
        if term.facet == "task":
            assert term.means, term.key
            assert term.means_zh, term.key


def test_the_json_schema_demands_what_the_model_demands():
    schema = json_schema()
    required = {name for name, info in Paper.model_fields.items() if info.is_required()}
    assert set(schema["$defs"]["Paper"]["required"]) == required
    assert schema["$defs"]["Paper"]["additionalProperties"] is False


def test_facts_are_public_domain():
    assert "CC0 1.0" in (RECORDS / "LICENSE").read_text(encoding="utf-8")


def test_every_registered_card_names_a_paper_of_the_catalogue(catalogue):
    from histoscribe.encoders import ENCODERS
    from histoscribe.methods import EXPRESSION

    for registry in (EXPRESSION, ENCODERS):
        for name in registry:
            card = registry.get(name).card
            # Some foundation models have no record yet; their cards say what to cite.
            assert card.paper in catalogue.papers or (not card.paper and card.reference), name
