"""Splits keep donors, or at least regions, apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histoscribe.bench import check_disjoint, donor_folds, leave_one_donor_out, spatial_strips
from histoscribe.core.errors import DataError, LeakError
from histoscribe.testing import make_feature_sections

POOL = make_feature_sections(5, 9, seed=1)
#: Two sections of donor 1, one of each of the others.
SECTIONS = [*POOL, POOL[0].replace(name="second of donor 1")]


def test_a_donor_on_both_sides_raises_and_is_named_with_its_sections():
    with pytest.raises(LeakError, match=r"'synthetic-donor-1' \(training: synthetic-1; test: second of donor 1\)"):
        check_disjoint(SECTIONS[:3], SECTIONS[4:])
    check_disjoint(SECTIONS[:3], SECTIONS[3:5])


def test_leaving_one_donor_out_takes_all_of_its_sections_and_each_donor_once():
    splits = list(leave_one_donor_out(SECTIONS))
    assert sorted(s.name for s in splits[0].test) == ["second of donor 1", "synthetic-1"]
    assert sorted(name for split in splits for name in {s.donor for s in split.test}) == [
        f"synthetic-donor-{i}" for i in range(1, 6)
    ]
    assert splits[0].name == "without donor synthetic-donor-1"
    assert splits[0].apart == "donor"


@settings(max_examples=25, deadline=None)
@given(k=st.integers(2, 5), seed=st.integers(0, 99))
def test_folds_partition_the_sections_and_never_share_a_donor(k, seed):
    splits = list(donor_folds(SECTIONS, k, seed=seed))
    assert len(splits) == k
    assert sorted(s.name for split in splits for s in split.test) == sorted(s.name for s in SECTIONS)
    for split in splits:
        assert not {s.donor for s in split.train} & {s.donor for s in split.test}
        assert len(split.train) + len(split.test) == len(SECTIONS)


def test_more_folds_than_donors_are_refused_at_the_call():
    with pytest.raises(DataError, match=r"6 folds were asked for, but the 6 sections are of 5 donor"):
        donor_folds(SECTIONS, 6)
    with pytest.raises(DataError, match="use spatial_strips"):
        leave_one_donor_out(SECTIONS[:1])


def test_strips_of_one_section_keep_their_gap_and_say_that_they_stay_within_a_donor():
    section = make_feature_sections(1, 100, seed=0)[0]
    seen = []
    for split in spatial_strips(section, 2, gap_um=250.0):
        (train,), (test,) = split.train, split.test
        distance = np.linalg.norm(train.xy_um[:, None] - test.xy_um[None], axis=2)
        assert distance.min() > 250.0
        assert split.name.startswith("within one donor (synthetic-donor-1)")
        assert split.apart == "region of one section"
        seen += list(test.table.obs_names)
    assert sorted(seen) == sorted(section.table.obs_names)


def test_a_gap_wider_than_the_section_is_refused():
    section = make_feature_sections(1, 25, seed=0)[0]
    with pytest.raises(DataError, match="a gap of 9000 um around strip 1 of 2 leaves nothing"):
        list(spatial_strips(section, gap_um=9000))
    with pytest.raises(DataError, match="at least 2 strips"):
        spatial_strips(section, 1, gap_um=0)
