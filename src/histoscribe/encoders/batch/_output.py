"""The file that a slide becomes: an AnnData file whose features are copied a few thousand rows at a time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import DataError
from histoscribe.core.files import atomic_path
from histoscribe.io import described_table

if TYPE_CHECKING:
    from pathlib import Path

    from histoscribe.core.section import Section
    from histoscribe.encoders._run import Stored

__all__ = ["read_made_with", "write_features"]

#: Rows copied at a time: 20 MB of 1288 features.
_ROWS = 4096
_MADE_WITH = "made_with"


def write_features(section: Section, stored: Stored, path: Path, *, made_with: dict[str, Any]) -> None:
    """Write tiles and features, atomically; memory does not grow with the number of features.

    The file is read back by ``histoscribe.read``, scanpy and anything that reads AnnData files.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    assert section.slide is not None
    table = described_table(section, slide=section.slide.path, kind="features")
    stored.spec.describe(table)
    table.uns[keys.UNS][_MADE_WITH] = json.dumps(made_with)
    n, dim = stored.shape
    with atomic_path(path) as temporary:
        table.write_h5ad(temporary)
        with h5py.File(temporary, "r+") as file:
            group = file.require_group("obsm")
            # In one piece, as AnnData writes it: a row is then read without its 4,095 neighbours.
            made = group.create_dataset(keys.features(stored.spec.encoder), (n, dim), "<f4")
            # AnnData's own names for a dense array in a file.
            made.attrs["encoding-type"], made.attrs["encoding-version"] = "array", "0.2.0"
            for start in range(0, n, _ROWS):
                rows = slice(start, min(start + _ROWS, n))
                part = np.empty((rows.stop - rows.start, dim), dtype=np.float32)
                stored.copy(part, rows)
                made[rows] = part


def read_made_with(path: Path) -> dict[str, Any]:
    """Return what a finished file was made with and what came out.

    Raises
    ------
    DataError
        If the file was not written by a batch.
    """
    try:
        with h5py.File(path) as file:
            text = file["uns"][keys.UNS][_MADE_WITH][()]
        value = json.loads(text)
    except (OSError, KeyError, ValueError, TypeError) as err:
        msg = f"{path} exists and was not made by a batch run of histoscribe encode. Move it, or give --overwrite."
        raise DataError(msg) from err
    return value
