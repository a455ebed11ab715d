"""Let timm and transformers be imported where an installed torchvision does not match torch."""

from __future__ import annotations

import ctypes
import functools
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

__all__ = ["guard_torchvision", "torchvision_state"]

#: Operators whose absence ends ``import torchvision``; no encoder calls them.
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
#: What was defined lives as long as this list.
_KEPT: list[object] = []


def torchvision_state() -> str:
    """Say whether torchvision is ``"absent"``, ``"fine"``, or ``"mismatched"``: its compiled part does not load."""
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return "absent"
    return _compiled(Path(spec.origin).parent)


@functools.cache
def _compiled(package: Path) -> str:
    import torch  # noqa: F401  # its libraries must be loaded before the extension's

    # `_C` may also be called `_C.abi3.so`, or lie beside differently named builds: the first that exists counts.
    files = [package / f"_C{suffix}" for suffix in (*EXTENSION_SUFFIXES, ".so", ".pyd")]
    found = next((file for file in files if file.is_file()), None)
    if found is None:
        return "mismatched"
    try:
        ctypes.CDLL(str(found))
    except OSError:
        return "mismatched"
    return "fine"


def guard_torchvision() -> bool:
    """Declare the operators that a torchvision without its compiled part lacks; say whether that was needed.

    A torchvision built for CUDA beside a torch built for the CPU cannot load its operators, and then its import raises
    ("operator torchvision::nms does not exist", pytorch/vision 9077). timm imports it, and transformers finds it by its
    metadata, so merely having it installed breaks both. With the two schemas declared, everything but the operators
    themselves works. A torchvision that matches, or none at all, is left alone.
    """
    if _KEPT or torchvision_state() != "mismatched":
        return bool(_KEPT)
    import torch

    if hasattr(torch.ops.torchvision, "nms"):
        return False  # someone else declared them
    library = torch.library.Library("torchvision", "DEF")
    for schema in _SCHEMAS:
        library.define(schema)
    _KEPT.append(library)
    return True
