"""Pairs: planted motions are found, and planted failures are told from them."""

from __future__ import annotations

import numpy as np
import pytest

from align.made import PITCH, cut, in_circle, in_tissue, motion
from histoscribe.align import align_pair
from histoscribe.core.errors import DataError

PLANTED = motion(140, 2300, -900)


@pytest.fixture(scope="module")
def fixed():
    return cut(in_tissue, motion(), 0, name="fixed")


@pytest.fixture(scope="module")
def moving():
    return cut(in_tissue, PLANTED, 1, name="moving")


@pytest.fixture(scope="module")
def pairs(moving, fixed):
    return {genes: align_pair(moving, fixed, genes=genes) for genes in ("auto", "never")}


def error_pitch(pair, section):
    """Median distance of the section's observations from where they belong: the tissue's own frame."""
    aim = PLANTED.inverse()(section.xy_um)
    return float(np.median(np.linalg.norm(pair.motion(section.xy_um) - aim, axis=1))) / PITCH


@pytest.mark.parametrize("genes", ["auto", "never"])
def test_a_planted_motion_is_found_within_a_quarter_pitch_and_called_ok(pairs, moving, genes):
    pair = pairs[genes]
    assert error_pitch(pair, moving) < 0.25
    assert (pair.quality.verdict, pair.quality.reasons) == ("ok", ())
    assert pair.quality.overlap > 0.85
    assert pair.quality.residual_pitch < 0.5
    assert (pair.quality.agreement is None) == (genes == "never")


def test_the_spread_is_of_the_size_of_the_error(pairs, moving, fixed):
    other = cut(in_tissue, PLANTED, 2, name="moving")
    two = [(pairs["never"], moving), (align_pair(other, fixed, genes="never"), other)]
    error = np.mean([error_pitch(*one) for one in two])
    assert 0.3 < np.mean([p.quality.spread_pitch for p, _ in two]) / error < 8
    assert 0.3 < np.mean([p.quality.precision_pitch for p, _ in two]) / error < 4


def test_an_edge_that_was_lost_makes_the_motion_imprecise_and_genes_mend_it(pairs, fixed):
    lost = cut(in_tissue, PLANTED, 1, name="moving", keep=lambda xy: np.abs(xy[:, 0] - xy[:, 1]) < 2000)
    outline, genes = (align_pair(lost, fixed, genes=kind) for kind in ("auto", "place"))
    assert outline.quality.precision_pitch > 1.3 * pairs["auto"].quality.precision_pitch
    assert error_pitch(genes, lost) < 0.7 * error_pitch(outline, lost)


def test_swapping_the_sections_gives_the_way_back(pairs, moving, fixed):
    there, back = pairs["never"], align_pair(fixed, moving, genes="never")
    again = back.motion(there.motion(moving.xy_um))
    assert np.median(np.linalg.norm(again - moving.xy_um, axis=1)) < 0.1 * PITCH


def test_the_same_input_gives_the_same_result(pairs, moving, fixed):
    one, two = pairs["auto"], align_pair(moving, fixed)
    np.testing.assert_array_equal(one.motion.matrix, two.motion.matrix)
    assert one.quality == two.quality


def test_a_section_of_other_tissue_is_flagged(fixed):
    def other(xy):
        return (np.abs(xy[:, 0]) < 2600) & (np.abs(xy[:, 1]) < 900)

    pair = align_pair(cut(other, PLANTED, 2, maps=2), fixed)
    assert pair.quality.verdict == "failed"
    assert any("outlines overlap by" in reason for reason in pair.quality.reasons)


def test_other_tissue_of_the_same_outline_is_flagged_by_its_genes(fixed):
    pair = align_pair(cut(in_tissue, PLANTED, 2, maps=2), fixed)
    assert pair.quality.verdict != "ok"
    assert any("genes agree" in reason for reason in pair.quality.reasons)


def test_a_circular_outline_is_doubtful_without_genes():
    pair = align_pair(cut(in_circle, PLANTED, 1), cut(in_circle, motion(), 0), genes="never")
    assert pair.quality.verdict != "ok"
    assert any("fits as well when turned" in reason for reason in pair.quality.reasons)


def test_genes_turn_a_square_the_right_way_round():
    def square(xy):
        return (np.abs(xy) < 1700).all(1)

    moving = cut(square, PLANTED, 3)
    pair = align_pair(moving, cut(square, motion(), 0))
    assert error_pitch(pair, moving) < 0.4
    assert pair.quality.verdict == "ok"


def test_half_a_section_is_flagged(fixed):
    pair = align_pair(cut(in_tissue, PLANTED, 1, keep=lambda xy: xy[:, 0] > 100), fixed)
    assert pair.quality.verdict != "ok"
    assert any("overlap by" in reason for reason in pair.quality.reasons)


@pytest.mark.parametrize("genes", ["auto", "never"])
def test_a_mirrored_section_is_flagged(fixed, genes):
    moving = cut(in_tissue, PLANTED, 1)
    moving.table.obsm["spatial"] = moving.table.obsm["spatial"] * [-1, 1]
    pair = align_pair(moving, fixed, genes=genes)
    assert pair.quality.verdict == "failed"
    assert any("turned over" in reason for reason in pair.quality.reasons)


def test_too_few_observations_are_refused(fixed):
    with pytest.raises(DataError, match="2 and .* observations outline no tissue"):
        align_pair(fixed.subset(np.arange(2)), fixed)


def test_tissue_that_fills_its_array_is_flagged():
    import pandas as pd
    from anndata import AnnData

    from histoscribe.core.section import Section

    rows, columns = (a.ravel() for a in np.meshgrid(np.arange(2, 35), np.arange(2, 33), indexing="ij"))

    def full(name):
        obs = pd.DataFrame({"array_row": rows, "array_col": columns}, index=[f"{name}{i}" for i in range(len(rows))])
        table = AnnData(obs=obs, obsm={"spatial": np.column_stack([columns, rows]) * 200.0})
        return Section(table, None, 1.0, name, "d", platform="st-array", pitch_um=200.0)

    pair = align_pair(full("a"), full("b"))
    assert pair.quality.cut > 0.9
    assert pair.quality.verdict == "failed"
    assert any("edge of the capture area" in reason for reason in pair.quality.reasons)
