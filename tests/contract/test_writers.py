import pytest

from histoscribe import tile
from histoscribe.io import READERS, WRITERS, h5ad_write
from histoscribe.io._described import described_table
from histoscribe.testing import WRITER_CHECKS, ContractError, check_writer, make_section


@pytest.mark.parametrize("promise", WRITER_CHECKS)
@pytest.mark.parametrize("name", WRITERS)
def test_writer_keeps_its_promise(name, promise, tmp_path):
    if name == "spatialdata":
        pytest.importorskip("spatialdata")
    WRITER_CHECKS[promise](name, tile(make_section(size_um=500.0)), tmp_path, {})


def test_every_writer_has_its_reader():
    assert set(WRITERS) <= set(READERS)


def test_a_writer_that_rounds_positions_or_replaces_files_is_caught(tmp_path, monkeypatch):
    def careless(section, **options):
        table = described_table(section, **options)
        table.obsm["spatial"] = section.xy.round(3) + 1e-3
        return table

    monkeypatch.setattr(h5ad_write, "described_table", careless)
    monkeypatch.setattr(h5ad_write, "refuse_existing", lambda path, *, overwrite: None)
    with pytest.raises(ContractError) as broken:
        check_writer("h5ad", make_section(size_um=500.0), tmp_path)
    assert "breaks 2 of 3 promises" in str(broken.value)
    assert "positions come back 0.001" in str(broken.value)
    assert "an existing file is replaced unasked" in str(broken.value)
