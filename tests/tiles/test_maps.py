import numpy as np
import pytest

from histoscribe.core.errors import SlideError
from histoscribe.testing import make_section
from histoscribe.testing._slide import ArraySlide
from histoscribe.tiles.maps import boundary_maps, edges_and_nuclei

NUCLEI = [(40.0, 30.0), (60.0, 90.0), (110.0, 50.0), (130.0, 120.0)]  # y, x, um
RADIUS_UM = 4.0


def tissue(mpp):
    """Pink ground with blue discs of 8 um."""
    side = round(160 / mpp)
    y, x = (np.mgrid[:side, :side] + 0.5) * mpp
    blue = np.any([(y - cy) ** 2 + (x - cx) ** 2 < RADIUS_UM**2 for cy, cx in NUCLEI], axis=0)
    return np.where(blue[..., None], (60, 50, 120), (230, 180, 210)).astype(np.uint8)


def section_of(mpp, xy_um=((80.0, 80.0),)):
    made = make_section(0, seed=1, size_um=400.0)
    found = made.subset(np.arange(len(xy_um))).replace(slide=ArraySlide(tissue(mpp), mpp=mpp, name="discs"), mpp=mpp)
    found.table.obsm["spatial"] = np.asarray(xy_um) / mpp
    return found


@pytest.fixture(params=[0.5, 1.0])
def maps(request):
    return boundary_maps(section_of(request.param), reach_um=80.0, mpp=1.0)


def test_nuclei_are_found_where_they_are_and_nowhere_else(maps):
    y, x = np.mgrid[: maps.nuclei.shape[0], : maps.nuclei.shape[1]] + 0.5
    distance = np.min([np.hypot(y - cy, x - cx) for cy, cx in NUCLEI], axis=0)
    assert (maps.nuclei[distance < RADIUS_UM - 1] == 255).mean() > 0.95
    assert not maps.nuclei[distance > RADIUS_UM + 2].any()


def test_edges_lie_on_the_rim_of_a_nucleus(maps):
    for cy, cx in NUCLEI:
        row = maps.edges[int(cy), int(cx) - 12 : int(cx) + 13].astype(int)
        centre, left, right, outside = row[12], row[12 - 4], row[12 + 4], row[0]
        assert min(left, right) > 2 * max(centre, outside, 1)


def test_the_map_of_a_place_does_not_depend_on_who_asks():
    section = make_section(0, seed=3, size_um=900.0)
    everywhere = boundary_maps(section, reach_um=100.0, mpp=0.5)
    one = boundary_maps(section.subset(np.array([0])), reach_um=100.0, mpp=0.5)
    x, y = (section.xy_um[0] / 0.5).astype(int)
    around = np.s_[max(y - 200, 0) : y + 200, max(x - 200, 0) : x + 200]
    assert np.array_equal(everywhere.edges[around], one.edges[around])
    assert one.edges.any()


def test_squares_join_without_a_seam():
    section = make_section(1, seed=3, size_um=900.0)
    maps = boundary_maps(section, reach_um=900.0, mpp=0.6)
    assert maps.edges.shape == (1500, 1500)
    # Of the rows, that of the border between two squares is not the one where the map jumps most.
    jumps = np.abs(np.diff(maps.edges.astype(int), axis=0)).mean(1)
    assert jumps[1023] < np.percentile(jumps, 99)


def test_what_was_computed_is_not_read_again(monkeypatch):
    section = section_of(0.5)
    first = boundary_maps(section, reach_um=40.0, mpp=0.8)
    monkeypatch.setattr(ArraySlide, "region", lambda *a, **k: pytest.fail("the slide was read again"))
    assert np.array_equal(boundary_maps(section, reach_um=40.0, mpp=0.8).nuclei, first.nuclei)


def test_flat_colour_has_neither_edges_nor_nuclei():
    edges, nuclei = edges_and_nuclei(np.full((64, 64), 0.3, dtype=np.float32), mpp=1.0)
    assert not edges.any()
    assert not nuclei.any()


def test_a_section_without_a_slide_is_refused():
    with pytest.raises(SlideError, match="has no slide, so it has no edges"):
        boundary_maps(section_of(1.0).replace(slide=None), reach_um=10.0, mpp=1.0)
