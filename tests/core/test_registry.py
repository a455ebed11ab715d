"""Names are looked up lazily and misspellings are helped."""

from __future__ import annotations

import pytest

from histoscribe.core.errors import RegistryError
from histoscribe.core.records import RunRecord
from histoscribe.core.registry import Registry


def test_members_are_imported_only_when_asked_for():
    registry = Registry("thing", {"good": "math:pi", "broken": "no.such.module:x"})
    assert registry.get("good") == pytest.approx(3.14159, abs=1e-5)
    assert list(registry) == ["broken", "good"]


def test_a_misspelt_name_gets_a_suggestion():
    with pytest.raises(RegistryError, match="no thing called 'rigde'. Did you mean 'ridge'"):
        Registry("thing", {"ridge": "a:b"}).get("rigde")
    with pytest.raises(RegistryError, match="Choose one of: ridge"):
        Registry("thing", {"ridge": "a:b"}).get("xyz")


def record(**changes):
    facts = {"method": "ridge", "params": {}, "encoder": "colour", "genes": ["A"], "target": {}, "split": {}}
    return RunRecord(**(facts | {"seed": 0, "data": {"S": "d"}, "scores": {}, "n": {}} | changes))


def test_a_record_survives_the_disk(tmp_path):
    saved = record(scores={"ridge": {"pcc_gene": 0.5}})
    path = saved.save(tmp_path)
    assert RunRecord.load(path) == saved
    assert path.stem == saved.id


def test_a_record_is_named_by_what_was_run_not_by_what_came_out():
    assert record().id == record(scores={"ridge": {"pcc_gene": 0.5}}, seconds=3.0).id
    assert record().id != record(seed=1).id
