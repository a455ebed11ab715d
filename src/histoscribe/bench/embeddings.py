"""Features that somebody else computed: one HDF5 file for each section, joined by barcode, in place of an encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.errors import DataError
from histoscribe.core.features import Features, FeatureSpec
from histoscribe.core.files import digest, file_digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.bench.suite import Suite
    from histoscribe.core.section import Section

__all__ = ["embeddings_digest", "embeddings_name", "with_embeddings"]

#: What the features are said to have been made from; what they really were made from is not in the files.
_GEOMETRY = {"sides_um": [112.0], "tile_px": 224, "read_mpp": 0.5}


def embeddings_name(folder: Path | str) -> str:
    """Name the features as an encoder: after their folder."""
    return f"stored-{Path(folder).resolve().name.lower()}"


def embeddings_digest(suite: Suite, folder: Path | str) -> str:
    """16 hex digits of the content of all files that a suite needs.

    Raises
    ------
    DataError
        If a section has no file.
    """
    return digest(*(file_digest(_path(Path(folder), name, task)) for name, task in suite.data.every.items()))


def with_embeddings(section: Section, folder: Path | str, *, task: str = "", encoder: str = "") -> Section:
    """Return the section with the features of its file.

    Parameters
    ----------
    section
        A section with observations.
    folder
        Holds ``<task>/<section's name>.h5`` or ``<section's name>.h5`` with ``embeddings`` ``(n, d)`` and ``barcodes``,
        as the HEST-Benchmark writes them.
    task
        Its task, if any.
    encoder
        Name of the features; default `embeddings_name`.

    Raises
    ------
    DataError
        If there is no such file, an observation has no row in it, or a value is not finite.
    """
    import h5py

    path, encoder = _path(Path(folder), section.name, task), encoder or embeddings_name(folder)
    try:
        with h5py.File(path, "r") as file:
            matrix = np.asarray(file["embeddings"])
            raw = np.asarray(file["barcodes"]).ravel()
    except (OSError, KeyError) as err:
        msg = f"{path} is not HDF5 with embeddings and barcodes ({err}). Write it again."
        raise DataError(msg) from err
    place = {(b.decode() if isinstance(b, bytes) else str(b)): i for i, b in enumerate(raw)}
    lacking = [name for name in section.table.obs_names if name not in place]
    if lacking or matrix.ndim != 2 or len(matrix) != len(raw):
        what = (
            f"{len(lacking)} of {section.n_obs} observations (first {lacking[0]})" if lacking else "a vector for each"
        )
        msg = f"{path} (embeddings {matrix.shape}, {len(raw)} barcodes) lacks {what}. Embed every tile of the section."
        raise DataError(msg)
    matrix = matrix[[place[name] for name in section.table.obs_names]].astype(np.float32)
    if not np.isfinite(matrix).all():
        msg = f"{path} holds NaN or infinity in {int((~np.isfinite(matrix).all(1)).sum())} rows. Embed these again."
        raise DataError(msg)
    spec = FeatureSpec(encoder, digest(encoder, str(matrix.shape[1])), {encoder: (0, matrix.shape[1])}, _GEOMETRY)
    table = section.table.copy()
    Features(matrix, spec).attach(table)
    return section.replace(table=table)


def _path(folder: Path, name: str, task: str) -> Path:
    tried: Sequence[Path] = [folder / task / f"{name}.h5", folder / f"{name}.h5"] if task else [folder / f"{name}.h5"]
    found = next((p for p in tried if p.is_file()), None)
    if found is None:
        msg = f"section {name!r} has no embeddings ({' or '.join(map(str, tried))}). Write one file for each section."
        raise DataError(msg)
    return found
