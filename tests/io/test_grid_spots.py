import numpy as np
import pytest
import scipy.sparse as sp

from histoscribe.core.errors import DataError, ScaleError
from histoscribe.io import _grid_spots
from histoscribe.io._grid_spots import grid_cells, grid_molecules

XY = np.array([[10, 10], [90, 99.9], [100, 10], [250, 310], [-1, 10]], dtype=float)
COUNTS = sp.csr_matrix(np.array([[1, 0], [2, 5], [0, 7], [1, 1], [4, 0]], dtype=np.int32))


def test_cells_are_summed_in_the_square_that_holds_their_centre():
    spots = grid_cells(COUNTS, XY, 100.0, where="here")
    # Squares start at multiples of 100 um; x = -1 lies in the column before, which becomes column 0.
    assert list(spots.obs.index) == ["000x000", "000x001", "000x002", "003x003"]
    np.testing.assert_array_equal(spots.matrix.toarray(), [[4, 0], [3, 5], [0, 7], [1, 1]])
    np.testing.assert_array_equal(spots.xy_um, [[-50, 50], [50, 50], [150, 50], [250, 350]])
    assert spots.obs["n_cells"].tolist() == [1, 2, 1, 1]


def test_molecules_give_what_cells_of_one_molecule_give(monkeypatch):
    monkeypatch.setattr(_grid_spots, "_TOGETHER", 2)
    rng = np.random.default_rng(0)
    genes, xy = rng.integers(0, 3, 500), rng.uniform(-300, 300, (500, 2))
    one = sp.csr_matrix((np.ones(500, np.int32), (np.arange(500), genes)), shape=(500, 3))
    chunks = [(genes[i : i + 70], xy[i : i + 70]) for i in range(0, 500, 70)] + [(genes[:0], xy[:0])]
    found, expected = grid_molecules(chunks, 3, 40.0, where="here"), grid_cells(one, xy, 40.0, where="here")
    np.testing.assert_array_equal(found.matrix.toarray(), expected.matrix.toarray())
    np.testing.assert_array_equal(found.xy_um, expected.xy_um)
    assert list(found.obs.index) == list(expected.obs.index)
    assert found.obs["n_transcripts"].sum() == 500


def test_squares_that_are_none_and_empty_input_are_refused():
    with pytest.raises(ScaleError, match="grid_um=0 is not the edge"):
        grid_cells(COUNTS, XY, 0, where="here")
    with pytest.raises(DataError, match="no molecule of a gene is left"):
        grid_molecules([(np.zeros(0, int), np.zeros((0, 2)))], 2, 100, where="here")
