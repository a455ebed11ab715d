import pytest

from histoscribe import tile
from histoscribe.io import READERS, WRITERS
from histoscribe.testing import WRITER_CHECKS, make_section


@pytest.mark.parametrize("promise", WRITER_CHECKS)
@pytest.mark.parametrize("name", WRITERS)
def test_writer_keeps_its_promise(name, promise, tmp_path):
    if name == "spatialdata":
        pytest.importorskip("spatialdata")
    WRITER_CHECKS[promise](name, tile(make_section(size_um=500.0)), tmp_path, {})


def test_every_writer_has_its_reader():
    assert set(WRITERS) <= set(READERS)
