"""Suites: every shipped one is sound, and a file that is not says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.tiny import write_suite
from histoscribe.bench import suite as suites
from histoscribe.bench.folds import make_folds
from histoscribe.bench.panels import PANELS
from histoscribe.bench.sources import SOURCES, check_data, read_sections
from histoscribe.bench.suite import load_suite, suite_names
from histoscribe.core.errors import DataError, RegistryError
from histoscribe.metrics import METRICS

SHIPPED = sorted(suite_names())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_suite_names_only_what_exists(name):
    suite = load_suite(name)
    assert suite.panel.rule in PANELS
    assert set(suite.metrics) <= set(METRICS)
    assert not suite.data.source or suite.data.source in SOURCES
    assert set(suite.elsewhere) <= set(SHIPPED)
    assert suite.make_target().unit


@pytest.mark.parametrize("name", ["her2st-dev", "kidney-blocks"])
def test_a_suite_of_one_donor_says_so_in_its_heading(name):
    assert "one donor" in load_suite(name).heading.en


def test_an_unknown_key_is_refused_by_name(tmp_path):
    path = write_suite(tmp_path, replace={"[panel]\n": "[panel]\nn_gens = 3\n"})
    with pytest.raises(DataError, match=r"tiny.toml cannot be used: panel.n_gens: Extra inputs.*Correct"):
        load_suite(path)


def test_a_split_without_what_it_needs_is_refused(tmp_path):
    path = write_suite(tmp_path, replace={"k = 2\n": ""})
    with pytest.raises(DataError, match=r"split: .*'donor-folds' takes k"):
        load_suite(path)


def test_a_file_must_be_named_like_its_suite(tmp_path):
    with pytest.raises(DataError, match=r"calls itself 'tiny'. Name the file tiny.toml"):
        load_suite(write_suite(tmp_path, name="other"))


def test_an_unknown_suite_suggests_the_nearest():
    with pytest.raises(RegistryError, match="Did you mean 'her2st-dev'"):
        load_suite("her2st-dav")


def test_missing_files_are_named_with_where_to_get_them_and_nothing_runs(tmp_path, monkeypatch):
    monkeypatch.setenv("HISTOSCRIBE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"needs 108 files .*ST-cnts/A1.tsv.gz.*Zenodo record 3957257.*Nothing was run"):
        check_data(load_suite("her2st-clean"))


def test_other_data_than_the_suite_was_frozen_with_are_refused(tmp_path):
    path = write_suite(tmp_path, replace={"sections = 3\n": "sections = 4\n"})
    with pytest.raises(DataError, match="3 sections instead of 4.*new version"):
        read_sections(load_suite(path))


def test_another_number_of_genes_is_refused(tmp_path):
    suite = load_suite(write_suite(tmp_path, replace={"genes = 7\n": "genes = 8\n"}))
    with pytest.raises(DataError, match="fold 1 has 7 genes"):
        make_folds(suite, read_sections(suite))


def test_words_do_not_change_what_a_suite_asks_but_genes_do(tmp_path):
    plain = load_suite(write_suite(tmp_path)).digest()
    (tmp_path / "a").mkdir()
    worded = write_suite(tmp_path / "a", replace={"3 generated donors": "three generated donors"})
    assert load_suite(worded).digest() == plain
    other = write_suite(tmp_path / "a", replace={'exclude = "^REST"': 'exclude = "^(REST|NULL)"'})
    assert load_suite(other).digest() != plain


def test_a_plug_in_adds_a_suite_but_replaces_none(tmp_path, monkeypatch):
    path = write_suite(tmp_path)

    class Point:
        def __init__(self, name):
            self.name = name

        def load(self):
            return str(path)

    monkeypatch.setattr(suites, "entry_points", lambda group: [Point("tiny"), Point("her2st-dev")])
    assert load_suite("tiny").id == "tiny"
    assert suite_names()["her2st-dev"] != Path(path)
