"""Targets: what is done to counts before they are predicted, and how it is named."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.array import neighbourhood
from histoscribe.core.errors import CoordinateError, DataError
from histoscribe.core.section import Section
from histoscribe.core.target import Target

TRIPLEX = Target(library="panel", base="10", smooth="array-3x3")
EVERY = [
    Target(scale=scale, library=library, base=base, smooth=smooth)
    for scale in (1e4, 1e6)
    for library in ("all", "panel")
    for base in ("e", "10")
    for smooth in ("none", "array-3x3")
]


def section_of(counts, places, *, rest=0):
    """Build a section of genes a, b, ... whose library holds `rest` counts beyond them."""
    counts = np.asarray(counts, dtype=np.float32)
    obs = pd.DataFrame(np.asarray(places), columns=[keys.ARRAY_ROW, keys.ARRAY_COL])
    obs[keys.DEPTH] = counts.sum(1) + rest
    obs.index = obs.index.astype(str)
    table = AnnData(obs=obs, var=pd.DataFrame(index=list("abcdef"[: counts.shape[1]])))
    table.layers[keys.COUNTS] = sp.csr_matrix(counts)
    table.obsm[keys.SPATIAL] = np.asarray(places, dtype=float)[:, ::-1] * 100
    return Section(table, None, 1.0, "S", "D")


def test_the_clean_default_is_what_it_was_to_the_last_bit(rng):
    counts = rng.poisson(3, (40, 7)).astype(np.float32)
    depth = counts.sum(1) + 50.0
    before = np.log1p(counts.astype(np.float64) / np.maximum(depth, 1.0)[:, None] * 1e4).astype(np.float32)
    assert np.array_equal(Target().transform(counts, depth), before)
    assert Target().to_dict() == {
        "kind": "log1p-rate",
        "scale": 1e4,
        "unit": "ln(1 + counts per 10000)",
        "library": "all measured genes",
    }


def test_a_panel_library_ignores_what_was_counted_outside_it():
    # 1 of 4 panel counts per 1e4 is 2500; the 996 other counts do not matter.
    made = Target(library="panel").transform(np.array([[1.0, 3.0]]), np.array([1000.0]))
    assert made[0] == pytest.approx(np.log([2501.0, 7501.0]), abs=1e-5)
    assert Target().transform(np.array([[1.0, 3.0]]), np.array([1000.0]))[0] == pytest.approx(np.log([11.0, 31.0]))


def test_a_panel_library_stays_that_of_the_panel_where_one_gene_is_asked_for():
    section = section_of([[1, 3]], [[0, 0]], rest=996)
    target = Target(library="panel")
    assert target(section, ["b"], panel=["a", "b"])[0, 0] == pytest.approx(np.log(7501.0))
    assert target(section, ["b"])[0, 0] == pytest.approx(np.log(10001.0))


def test_squared_errors_of_the_natural_logarithm_are_ln_10_squared_larger(rng):
    counts = rng.poisson(3, (40, 7)).astype(np.float32)
    variance = [
        Target(library="panel", base=base).transform(counts, counts.sum(1)).var(0, dtype=np.float64)
        for base in ("e", "10")
    ]
    assert variance[0] / variance[1] == pytest.approx(np.full(7, np.log(10) ** 2), rel=1e-5)


def test_an_observation_without_counts_is_a_row_of_zeros():
    for target in (Target(), Target(library="panel", base="10")):
        assert not target.transform(np.zeros((1, 3)), np.zeros(1)).any()


def test_a_3x3_mean_averages_over_the_places_that_exist():
    # Places: a corner of three touching spots, and one far away.
    places = [[0, 0], [0, 1], [1, 1], [5, 5]]
    section = section_of([[9, 1], [99, 1], [0, 1], [4, 1]], places)
    plain = Target(library="panel", base="10")(section, ["a", "b"])
    smooth = TRIPLEX(section, ["a", "b"])
    assert smooth[:3] == pytest.approx(np.tile(plain[:3].mean(0), (3, 1)), abs=1e-6)
    assert smooth[3] == pytest.approx(plain[3])


def test_a_3x3_mean_does_not_reach_around_the_end_of_a_row():
    # (0, 2) and (1, 0) are neighbours in reading order only.
    assert np.array_equal(neighbourhood([[0, 2], [1, 0]]).toarray(), np.eye(2))


def test_a_3x3_mean_follows_its_observations_in_any_order(rng):
    places = np.argwhere(rng.random((8, 9)) < 0.6)
    counts = rng.poisson(4, (len(places), 3))
    order = rng.permutation(len(places))
    first = TRIPLEX(section_of(counts, places), ["a", "b", "c"])
    assert TRIPLEX(section_of(counts[order], places[order]), ["a", "b", "c"]) == pytest.approx(first[order], abs=1e-6)


def test_a_3x3_mean_is_refused_where_there_is_no_square_array():
    staggered = [[r, c] for r in range(6) for c in range(6) if (r + c) % 2 == 0]
    with pytest.raises(CoordinateError, match="staggered"):
        neighbourhood(staggered)
    with pytest.raises(CoordinateError, match="share array place"):
        neighbourhood([[0, 0], [0, 1], [0, 1]])
    section = section_of([[1, 2]], [[0, 0]])
    del section.table.obs[keys.ARRAY_ROW]
    with pytest.raises(CoordinateError, match="no array coordinates"):
        TRIPLEX(section, ["a"])
    with pytest.raises(DataError, match="array places"):
        TRIPLEX.transform(np.ones((1, 2)), np.ones(1))


@pytest.mark.parametrize("target", EVERY, ids=lambda t: t.unit)
def test_a_target_comes_back_from_its_dictionary_and_from_its_unit(target):
    assert Target.from_dict(json.loads(json.dumps(target.to_dict()))) == target
    assert Target.from_unit(target.unit) == target


def test_units_tell_all_targets_apart():
    assert len({t.unit for t in EVERY}) == len({*EVERY}) == len(EVERY)
    assert TRIPLEX.unit == "log10(1 + counts per 10000 of the panel), 3x3 mean"


def test_a_suite_writes_a_target_in_short_words():
    assert Target.from_dict({"library": "panel", "base": 10, "smooth": "array-3x3"}) == TRIPLEX


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"base": "2"}, "base cannot be '2'"),
        ({"library": "some"}, "library cannot be 'some'"),
        ({"scale": 0}, "scale cannot be 0"),
        ({"smoth": "none"}, "no key 'smoth'"),
        ({"kind": "counts"}, "no kind 'counts'"),
        ({"base": "10", "unit": "ln(1 + counts per 10000)"}, "would be in 'log10"),
    ],
)
def test_a_target_that_cannot_be_is_refused(value, text):
    with pytest.raises(DataError, match=text):
        Target.from_dict(value)


def test_expected_shares_become_what_many_counts_would():
    shares = np.array([[0.1, 0.3], [0.2, 0.2]])
    places = np.array([[0, 0], [0, 1]])
    for target in EVERY:
        made = target.of_shares(shares, array=places)
        counted = target.transform(shares * 1e8, np.full(2, 1e8), array=places)
        assert made == pytest.approx(counted, abs=1e-5)


def test_a_target_written_before_there_were_others_is_still_read():
    old = {"kind": "log1p-rate", "scale": 1e6, "unit": "ln(1 + counts per 1e+06)", "library": "all measured genes"}
    assert Target.from_dict(old) == Target(scale=1e6)
