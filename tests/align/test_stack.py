"""Stacks: chained and consistent motions, written to a folder and read again."""

from __future__ import annotations

import json

import numpy as np
import pytest

import histoscribe as hs
from align.made import PITCH, cut, in_tissue, motion
from histoscribe.align import fit_rigid, motions_of, read_stack, transform_from_dict, write_stack
from histoscribe.core.errors import CoordinateError, DataError, StorageError

PLANTED = [motion(), motion(-50, -300, 900), motion(170, 2000, 0)]


@pytest.fixture(scope="module")
def sections():
    return [cut(in_tissue, m, i, name=f"s{i + 1}") for i, m in enumerate(PLANTED)]


@pytest.fixture(scope="module")
def aligned(sections):
    return hs.align_stack(sections, z_um=[0, 16, 80])


def errors(stack, reference):
    """Median distance of each section from its tissue in the reference's frame, pitch."""
    found = []
    for section, xy, planted in zip(stack.sections, stack.xy_um, PLANTED, strict=True):
        aim = PLANTED[reference](planted.inverse()(section.xy_um))
        found.append(float(np.median(np.linalg.norm(xy - aim, axis=1))) / PITCH)
    return np.array(found)


def test_sections_meet_in_the_frame_of_the_first(aligned, sections):
    stack, reports = aligned
    np.testing.assert_allclose(stack.xy_um[0], sections[0].xy_um, atol=1e-9)
    assert errors(stack, 0).max() < 0.3
    assert stack.z_um.tolist() == [0, 16, 80]
    assert [(r.moving, r.fixed) for r in reports] == [("s2", "s1"), ("s3", "s2")]
    assert {r.quality.verdict for r in reports} == {"ok"}


def test_the_middle_can_be_the_reference(sections):
    stack, reports = hs.align_stack(sections, reference="middle", genes="place")
    assert errors(stack, 1).max() < 0.2
    assert [(r.moving, r.fixed) for r in reports] == [("s1", "s2"), ("s3", "s2")]


def test_a_wrong_link_is_not_hidden_by_its_stack(sections):
    mirrored = sections[1].replace(table=sections[1].table.copy())
    mirrored.table.obsm["spatial"] = mirrored.xy * [-1, 1]
    _, reports = hs.align_stack([sections[0], mirrored, sections[2]])
    assert [r.quality.verdict for r in reports] == ["failed", "failed"]


def test_a_stack_comes_back_from_its_folder(aligned, tmp_path):
    stack, reports = aligned
    write_stack(stack, tmp_path / "stack", reports=reports)
    again = read_stack(tmp_path / "stack")
    assert again.names == stack.names
    np.testing.assert_array_equal(again.z_um, stack.z_um)
    for one, two, section in zip(again.xy_um, stack.xy_um, again.sections, strict=True):
        np.testing.assert_array_equal(one, two)
        assert section.table.obsm["spatial_3d_um"].shape == (section.n_obs, 3)
    value = json.loads((tmp_path / "stack" / "stack.json").read_text())
    for entry, section, xy in zip(value["sections"], stack.sections, stack.xy_um, strict=True):
        np.testing.assert_allclose(transform_from_dict(entry["transform"])(section.xy_um), xy, atol=1e-6)
    assert value["pairs"][0]["quality"]["verdict"] == "ok"
    with pytest.raises(StorageError, match="exists"):
        write_stack(stack, tmp_path / "stack")


def test_motions_are_read_off_a_stack(aligned):
    stack, _ = aligned
    for found, section, xy in zip(motions_of(stack), stack.sections, stack.xy_um, strict=True):
        assert found.angle_deg == pytest.approx(fit_rigid(section.xy_um, xy).angle_deg)


def test_what_makes_no_stack_is_refused(sections, tmp_path):
    with pytest.raises(DataError, match="1 sections make no stack"):
        hs.align_stack(sections[:1])
    with pytest.raises(DataError, match="reference 9 is none of the 2 sections"):
        hs.align_stack(sections[:2], reference=9)
    with pytest.raises(DataError, match="do not all have their own name"):
        hs.align_stack([sections[0], sections[0]])
    with pytest.raises(CoordinateError, match="of one donor"):
        hs.align_stack([sections[0], sections[1].replace(donor="another")])
    with pytest.raises(CoordinateError, match="do not increase"):
        hs.align_stack(sections[:2], z_um=[3, 1])
    (tmp_path / "stack.json").write_text("{}")
    with pytest.raises(DataError, match="not the description of a stack"):
        read_stack(tmp_path)
