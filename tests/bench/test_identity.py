"""The same tissue under two names is found, whatever was done to the file; other tissue is not."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from PIL import Image

from histoscribe.bench import evaluate, identity
from histoscribe.bench.identity import check_split, check_splits, find_duplicates, refuse_twins
from histoscribe.bench.splits import Split, leave_one_donor_out, leave_one_section_out
from histoscribe.core import keys
from histoscribe.core.errors import LeakError
from histoscribe.core.section import Origin
from histoscribe.io import read
from histoscribe.testing import make_section
from histoscribe.testing._slide import ArraySlide

GENES = {"gland": 40, "rest": 400}


@pytest.fixture(scope="module")
def one():
    return make_section(0, seed=1, size_um=900, mpp=4.0, genes=GENES)


@pytest.fixture(scope="module")
def other():
    return make_section(1, seed=2, size_um=900, mpp=4.0, genes=GENES)


def renamed(section, table=None, **changes):
    return section.replace(table=section.table.copy() if table is None else table, name="twin", donor="X", **changes)


def shuffled(section, rng, *, barcodes=True):
    """Rows and columns in another order, other barcodes."""
    table = section.table[rng.permutation(section.n_obs), rng.permutation(section.table.n_vars)].copy()
    if barcodes:
        table.obs_names = [f"b{i}" for i in range(table.n_obs)]
    return renamed(section, table)


def reasons(found):
    return {d.reason for d in found}


def test_unrelated_sections_are_not_duplicates(one, other):
    neighbour = make_section(0, 1, seed=1, size_um=900, mpp=4.0, genes=GENES)
    assert neighbour.name != one.name
    assert find_duplicates([one, other, neighbour], positions=True, images=True) == []


def test_the_same_counts_in_another_order_under_other_barcodes_are_found(one, other, rng):
    found = find_duplicates([one, other, shuffled(one, rng)])
    assert [(d.first, d.second, d.reason, d.share, d.n) for d in found] == [
        (one.name, "twin", "counts", 1.0, one.n_obs)
    ]
    assert found[0].what.startswith(f"100% of the observations of {one.name} and twin")


def test_a_cropped_part_is_found_and_its_share_is_of_the_part(one, rng):
    part = shuffled(one, rng)
    part = part.replace(table=part.table[:12].copy())
    (found,) = find_duplicates([one, part])
    assert (found.share, found.n) == (1.0, 12)


def test_a_section_that_shares_a_quarter_with_another_is_found(one, other):
    mixed = other.table.copy()
    n = other.n_obs // 4
    counts = mixed.layers[keys.COUNTS].tolil()
    counts[:n] = one.table.layers[keys.COUNTS][:n]
    mixed.layers[keys.COUNTS] = counts.tocsr()
    (found,) = find_duplicates([one, renamed(other, mixed)])
    assert found.n == n
    assert found.share == pytest.approx(n / min(one.n_obs, other.n_obs))


def test_genes_in_other_letters_with_versions_or_fewer_of_them_do_not_hide_it(one, rng):
    table = one.table.copy()
    table.var_names = [f"ENSG{i:011d}" for i in range(table.n_vars)]
    versioned = table.copy()
    versioned.var_names = [f"{name}.{i % 9 + 1}" for i, name in enumerate(table.var_names)]
    fewer = versioned[:, rng.permutation(table.n_vars)[:200]].copy()
    fewer.var_names = fewer.var_names.str.lower()
    assert reasons(find_duplicates([one.replace(table=table), renamed(one, fewer)])) == {"counts"}


def test_genes_under_foreign_names_are_told_by_the_counts_alone(one, other):
    table = one.table.copy()
    table.var_names = [f"probe{i}" for i in range(table.n_vars)]
    found = find_duplicates([one, other, renamed(one, table)])
    assert [(d.first, d.reason) for d in found] == [(one.name, "counts without names")]


def test_another_file_format_does_not_hide_it(one, tmp_path, rng):
    table = shuffled(one, rng).table
    table.X = sp.csc_matrix(table.layers[keys.COUNTS])
    del table.layers[keys.COUNTS]
    table.uns.clear()
    table.write_h5ad(tmp_path / "twin.h5ad")
    twin = read("h5ad", tmp_path / "twin.h5ad", image="none", mpp=4.0, donor="X")
    assert reasons(find_duplicates([one, twin])) == {"counts"}


def test_observations_with_few_counts_prove_nothing(one, other):
    empty = [one.table.copy(), other.table.copy()]
    for table in empty:
        table.layers[keys.COUNTS] = sp.csr_matrix((table.n_obs, table.n_vars), dtype=np.int64)
    assert find_duplicates([one.replace(table=empty[0]), renamed(other, empty[1])]) == []


def scattered(section, rng, n=200):
    """Cells in places of their own, with counts that were made unrecognisable."""
    table = AnnData(obs=pd.DataFrame(index=[f"c{i}" for i in range(n)]))
    table.obsm[keys.SPATIAL] = rng.uniform(10, 200, size=(n, 2))
    return section.replace(table=table)


def test_the_same_places_are_found_turned_mirrored_resized_and_cropped(one, rng):
    cells = scattered(one, rng)
    xy = cells.table.obsm[keys.SPATIAL]
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    moved = cells.table.copy()
    moved.obsm[keys.SPATIAL] = (xy * (-1, 1)) @ turn * 2.5 + 1000
    twin = renamed(cells, moved[rng.permutation(cells.n_obs)].copy())
    assert reasons(find_duplicates([cells, twin], positions=True)) == {"positions"}
    assert find_duplicates([cells, twin]) == []
    left = renamed(cells, moved[xy[:, 0] < 150].copy())
    assert reasons(find_duplicates([cells, left], positions=True)) == {"positions"}
    assert find_duplicates([cells, renamed(scattered(one, rng))], positions=True) == []


def test_places_on_a_lattice_say_nothing(one, other):
    assert find_duplicates([one, other], positions=True) == []


def jpeg(pixels, quality):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_slide_that_was_compressed_anew_turned_and_mirrored_is_found(one, other, turn, mirrored):
    pixels = jpeg(one.slide.thumbnail(max_px=300), 30)
    pixels = np.rot90(pixels[:, ::-1] if mirrored else pixels, turn)
    twin = renamed(other, slide=ArraySlide(pixels, mpp=9.0))
    found = find_duplicates([one, other, twin], images=True)
    assert ("image", one.name, "twin") in {(d.reason, d.first, d.second) for d in found}
    assert not any(d.reason == "image" and d.first == other.name for d in found)


def test_the_same_slide_file_is_found_and_an_empty_one_says_nothing(one, other):
    found = find_duplicates([one, renamed(other, slide=one.slide)], images=True)
    assert "pixels" in reasons(found)
    blank = [ArraySlide(np.full((40, 40 + i, 3), 240, np.uint8), mpp=9.0) for i in (0, 1)]
    assert find_duplicates([one.replace(slide=blank[0]), other.replace(slide=blank[1])], images=True) == []


def test_hest_s_known_duplicate_is_named_with_its_source(one, other):
    first = one.replace(name="TENX155", origin=Origin("hest", "hest", {"sample": "TENX155"}))
    second = other.replace(name="TENX128", origin=Origin("hest", "hest", {"sample": "TENX128"}))
    (found,) = find_duplicates([first, second])
    assert (found.first, found.second, found.reason) == ("TENX155", "TENX128", "known")
    assert "HEST issue 126" in found.what


def test_a_split_with_the_same_tissue_on_both_sides_is_refused(one, other, rng):
    twin = shuffled(one, rng)
    with pytest.raises(LeakError, match=f"same tissue is in training and in test.*{one.name} and twin.*Leave one of"):
        check_split([one, other], [twin])
    check_split([one, twin], [other])
    with pytest.raises(LeakError, match="donor"):
        check_split([one], [other.replace(donor=one.donor)])
    check_split([one], [other.replace(donor=one.donor)], donors=False)


def test_the_splits_of_a_benchmark_are_checked_once_for_all(one, other, rng, monkeypatch):
    twin = shuffled(one, rng)
    sections = [one, other, twin]
    for splits in (leave_one_donor_out(sections), leave_one_section_out(sections)):
        with pytest.raises(LeakError, match="under two names"):
            check_splits(splits, sections)
    check_splits(leave_one_donor_out([one, other]), [one, other])
    within = Split("strip", (one,), (twin,), "region of one section")
    check_splits([within], sections)
    calls = []
    monkeypatch.setattr(identity, "find_duplicates", lambda s: calls.append(s) or [])
    check_splits(leave_one_donor_out(sections), sections)
    assert calls == [sections]


def test_a_section_that_was_trained_on_under_another_name_is_not_scored(one, other, rng):
    twin = shuffled(one, rng)
    with pytest.raises(LeakError, match=r"'twin' was itself trained on, as 'synthetic-1' \(100% of it\)"):
        refuse_twins(twin, [other, one])
    refuse_twins(twin, [other, other.replace(name="twin")])


def test_evaluate_refuses_a_training_section_under_another_name(one, other, rng, predict):
    twin = shuffled(one, rng)
    with pytest.raises(LeakError, match="was itself trained on, as"):
        evaluate(predict(twin, training=[one, other]), twin, training=[one, other])


@pytest.mark.shared
def test_no_two_sections_of_her2st_are_taken_for_the_same(shared_data):
    names = ["C2", "C3", "F1"]
    sections = [read("st-array", shared_data / "her2st", section=name, image="none") for name in names]
    assert find_duplicates(sections, positions=True) == []
    table = sections[0].table[::2].copy()
    table.obs_names = [f"x{i}" for i in range(table.n_obs)]
    found = find_duplicates([*sections, sections[0].replace(table=table, name="half")], positions=True)
    assert {(d.first, d.second) for d in found} == {(names[0], "half")}
    assert found[0].share == 1.0
