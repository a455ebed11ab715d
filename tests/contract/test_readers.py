import pytest

from histoscribe.io import READERS
from histoscribe.testing import READER_CHECKS, check_reader, make_section, write_visium


@pytest.mark.parametrize("promise", READER_CHECKS)
@pytest.mark.parametrize("name", READERS)
def test_reader_keeps_its_promise(name, promise):
    READER_CHECKS[promise](name)


def test_visium_reader_returns_a_sound_section(tmp_path):
    image = write_visium(make_section(), tmp_path / "outs")
    check_reader("visium", tmp_path / "outs", image=str(image), donor="one")
