import numpy as np
import pytest

from histoscribe.core import keys
from histoscribe.io import read
from histoscribe.testing import make_section, write_visium


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "synthetic-1"
    section = make_section(mpp=1.0)
    return section, folder, write_visium(section, folder)


def test_visium_reader_gives_back_counts_places_and_scale(written):
    section, folder, image = written
    found = read("visium", folder, image=str(image), donor=section.donor)
    assert (found.table.layers[keys.COUNTS] != section.table.layers[keys.COUNTS]).nnz == 0
    assert np.allclose(found.xy, section.xy, atol=0.01)
    assert list(found.table.var_names) == list(section.table.var_names)
    assert found.mpp == pytest.approx(section.mpp, rel=1e-3)
    assert found.pitch_um == section.pitch_um
    assert found.slide.size == section.slide.size
    assert found.slide.mpp == pytest.approx(section.mpp)


def test_files_hold_no_truth(written):
    _, folder, _ = written
    found = read("visium", folder, image="none")
    assert list(found.table.layers) == [keys.COUNTS]
    assert "planted" not in found.table.var
    assert "expected_depth" not in found.table.obs


def test_hires_image_is_found_with_its_own_scale(tmp_path):
    section = make_section(mpp=1.0, size_um=(2500.0, 300.0))
    write_visium(section, tmp_path)
    found = read("visium", tmp_path)
    assert found.mpp == pytest.approx(1.25, rel=1e-3)
    assert np.allclose(found.xy_um, section.xy_um, atol=1.0)
