"""Studies of stacks on generated donors: the same code, small."""

from pathlib import Path

import numpy as np
import pytest

from histoscribe.bench.studies import STUDIES, _stacks, her2st_3d, her2st_3d_asign
from histoscribe.core import keys
from histoscribe.testing import make_stack

ROOT = Path("nowhere")


@pytest.fixture
def donors(monkeypatch):
    stacks = {d: make_stack(d, n_sections=3, side=5, n_genes=13).stack for d in ("A", "C", "E")}
    for module in (her2st_3d, her2st_3d_asign, _stacks):
        monkeypatch.setattr(module, "her2st_stacks", lambda root: stacks)
        if hasattr(module, "_N_GENES"):
            monkeypatch.setattr(module, "_N_GENES", 6)
    monkeypatch.setattr(her2st_3d_asign, "asign_panel", her2st_3d_asign.asign_panel.__wrapped__)
    monkeypatch.setattr(_stacks, "_ceiling", _stacks._ceiling.__wrapped__)
    return stacks


def entry(study, label):
    return next(e for e in study.entries if e.label == label)


def test_the_published_protocol_correlates_over_genes_and_averages_over_donors(donors):
    study = STUDIES.get("her2st-3d-asign-protocol")()
    (record,) = study.run(entry(study, "own section's mean"), seed=0, root=ROOT)
    panel, wanted = record.genes, []
    for stack in donors.values():
        logs = []
        for section in stack.sections:
            counts = section.table[:, panel].layers[keys.COUNTS].toarray() + 1.0
            logs.append(np.log(counts / counts.sum(1, keepdims=True)))
        wanted.append(np.mean([np.corrcoef(y, logs[0].mean(0))[0, 1] for part in logs[1:] for y in part]))
    assert record.scores["own section's mean"]["pcc_spot"] == pytest.approx(np.mean(wanted), abs=1e-4)
    assert record.scores["own section's mean"]["pcc_gene"] == 0
    assert (record.protocol, record.kind, record.n["sections"]) == ("asign-2025", "control", 6)


def test_the_panel_of_the_published_protocol_is_by_mean_of_section_means(donors):
    sections = [s for stack in donors.values() for s in stack.sections]
    mean = np.mean([s.table.to_df().mean() for s in sections], axis=0)
    names = list(sections[0].table.var_names)
    assert her2st_3d_asign.asign_panel(ROOT) == [names[i] for i in np.argsort(-mean)[:6]]


def test_the_clean_study_has_two_cases_and_a_ceiling(donors):
    study = STUDIES.get("her2st-3d")()
    records = list(study.run(entry(study, "stack-scribe"), seed=0, root=ROOT))
    assert [r.split["case"] for r in records] == ["first section labelled", "first and last section labelled"]
    assert [r.n["sections"] for r in records] == [6, 3]
    for record in records:
        assert record.protocol == "clean"
        assert 0 < record.scores["stack-scribe"]["pcc_gene"] < record.ceiling["pcc_gene"]
        assert set(record.per_donor) == set(donors)
        assert "90 % intervals hold" in record.notes[0]


def test_the_clean_panel_does_not_look_at_the_donor_that_is_left_out(donors):
    before = her2st_3d._panel(donors, "A")
    for section in donors["A"].sections:
        section.table.layers[keys.COUNTS] = section.table.layers[keys.COUNTS][:, ::-1]
    assert her2st_3d._panel(donors, "A") == before


@pytest.mark.shared
def test_the_synovium_stands_in_one_frame(shared_data):
    from histoscribe.bench.studies.ra3d import _stacks as stacks_of

    stacks = stacks_of(shared_data)
    assert {d: len(s) for d, s in stacks.items()} == {"RA1": 4, "RA2": 3}
    for stack in stacks.values():
        for xy in stack.xy_um:
            # Turned, not stretched: neighbours on the array are 200 um apart in both directions.
            nearest = np.sort(np.linalg.norm(xy[:, None] - xy, axis=-1), axis=1)[:, 1]
            assert np.median(nearest) == pytest.approx(200.0)
            assert (xy.min(0) + xy.max(0)) == pytest.approx(0, abs=1e-6)
