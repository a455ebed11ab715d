"""The file of a fitted model: safetensors with one JSON header, checked by content."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core.errors import BundleError
from histoscribe.core.files import atomic_path, digest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["FORMAT", "content", "read_bundle_file", "write_bundle_file"]

FORMAT = 1


def write_bundle_file(path: Path | str, header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> None:
    """Write atomically; the same header and arrays give the same bytes."""
    from safetensors.numpy import save_file

    arrays = {name: np.ascontiguousarray(value) for name, value in sorted(arrays.items())}
    header = {"format": FORMAT, **header, "content": content(arrays)}
    with atomic_path(path) as temporary:
        save_file(arrays, temporary, metadata={"histoscribe": json.dumps(header, sort_keys=True)})


def read_bundle_file(path: Path, *, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read header and arrays of a bundle of one kind: ``"expression"`` or ``"slide-level"``.

    Raises
    ------
    BundleError
        If the file is missing, damaged, not a bundle, of another kind, or of a newer format.
    """
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        msg = f"bundle {path} does not exist. Check the path, or make one with `{_MAKER[kind]}`."
        raise BundleError(msg)
    remedy = "Copy or fit it again."
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, ValueError) as err:
        msg = f"bundle {path} is damaged or not a bundle ({err}). {remedy}"
        raise BundleError(msg) from err
    if "histoscribe" not in metadata:
        msg = f"{path} is a safetensors file but not a HistoScribe bundle (no 'histoscribe' metadata). Give a bundle."
        raise BundleError(msg)
    header = json.loads(metadata["histoscribe"])
    if header["format"] > FORMAT:
        msg = f"bundle {path} has format {header['format']}; this version reads up to {FORMAT}. Upgrade histoscribe."
        raise BundleError(msg)
    if (found := header.get("kind", "expression")) != kind:
        msg = f"bundle {path} holds a model of kind {found!r}, not {kind!r}. Make one with `{_MAKER[kind]}`."
        raise BundleError(msg)
    if header["content"] != content(arrays):
        msg = f"bundle {path} holds other numbers than were written (checksum differs). {remedy}"
        raise BundleError(msg)
    return header, arrays


_MAKER = {
    "expression": "histoscribe fit",
    "slide-level": "histoscribe slide-level fit",
    "slide-pretraining": "histoscribe slide-level pretrain",
}


def content(arrays: Mapping[str, np.ndarray]) -> str:
    """16 hex digits of names, shapes, types and numbers."""
    parts: list[str | bytes] = []
    for name, value in sorted(arrays.items()):
        parts += [name, f"{value.dtype.str}{value.shape}", np.ascontiguousarray(value).tobytes()]
    return digest(*parts)
