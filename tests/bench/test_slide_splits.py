import numpy as np
import pytest

from histoscribe.bench.slide_splits import SlideSplit, slide_donor_folds, slide_site_folds
from histoscribe.core.bag import Bag
from histoscribe.core.errors import DataError, LeakError


def slides(donors: str, sites: str) -> list[Bag]:
    return [Bag(f"s{i}", np.ones((2, 3)), donor=d, site=s) for i, (d, s) in enumerate(zip(donors, sites, strict=True))]


def test_every_slide_is_tested_once_and_no_donor_is_on_both_sides():
    bags = slides("aabbccdd", "xxxxyyyy")
    splits = list(slide_donor_folds(bags, 3))
    assert sorted(b.name for s in splits for b in s.test) == sorted(b.name for b in bags)
    assert all({b.donor for b in s.train}.isdisjoint(b.donor for b in s.test) for s in splits)


def test_sites_stay_together_and_say_so():
    splits = list(slide_site_folds(slides("abcdef", "xxxyyz"), 3))
    assert [sorted({b.site for b in s.test}) for s in splits] == [["x"], ["y"], ["z"]]
    assert {s.apart for s in splits} == {"site"}


def test_a_donor_of_two_sites_on_both_sides_is_refused():
    with pytest.raises(LeakError, match="'a'.*both sides"):
        list(slide_site_folds(slides("aabc", "xyxy"), 2))
    with pytest.raises(LeakError):
        SlideSplit("x", tuple(slides("a", "x")), tuple(slides("a", "x")), "donor")


def test_unknown_sites_and_too_many_folds_are_refused():
    with pytest.raises(DataError, match="1 of 2 slides have no site, the first s1"):
        slide_site_folds([*slides("a", "x"), Bag("s1", np.ones((1, 3)))], 2)
    with pytest.raises(DataError, match="3 folds.*2 donors"):
        slide_donor_folds(slides("ab", "xx"), 3)
