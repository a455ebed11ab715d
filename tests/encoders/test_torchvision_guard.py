"""A torchvision that does not match torch breaks neither timm nor transformers."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

from histoscribe.encoders import _torchvision_guard
from histoscribe.encoders._torchvision_guard import torchvision_state


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A folder that stands for an installed torchvision."""
    folder = tmp_path / "torchvision"
    folder.mkdir()
    (folder / "__init__.py").touch()
    spec = ModuleSpec("torchvision", None, origin=str(folder / "__init__.py"))
    monkeypatch.setattr(_torchvision_guard, "find_spec", lambda name: spec)
    return folder


def test_none_at_all_is_no_fault(monkeypatch):
    monkeypatch.setattr(_torchvision_guard, "find_spec", lambda name: None)
    assert torchvision_state() == "absent"


def test_one_whose_compiled_part_does_not_load_is_mismatched(package):
    (package / "_C.so").write_bytes(b"no library")
    assert torchvision_state() == "mismatched"


def test_one_without_a_compiled_part_is_mismatched(package):
    assert torchvision_state() == "mismatched"


def test_one_whose_compiled_part_loads_is_fine(package):
    import _ctypes

    (package / "_C.so").symlink_to(_ctypes.__file__)
    assert torchvision_state() == "fine"


@pytest.mark.skipif(torchvision_state() != "mismatched", reason="torchvision matches torch here, or is absent")
def test_behind_the_guard_a_mismatched_torchvision_is_imported():
    words = (
        "from histoscribe.encoders._torchvision_guard import guard_torchvision as g;"
        "assert g() is True and g() is True;"
        "import torchvision.ops.misc"  # what timm and transformers need of it
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
