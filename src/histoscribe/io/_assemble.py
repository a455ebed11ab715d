"""Assemble: the last steps that every reader shares, from arrays and a slide to a Section."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, SlideError
from histoscribe.core.section import Origin, Section
from histoscribe.io._counts import row_sums
from histoscribe.io._files import content_digest, existing

if TYPE_CHECKING:
    from collections.abc import Sequence

    import scipy.sparse as sp

    from histoscribe.core.pixels import PixelSource

__all__ = ["assemble", "finite_xy", "open_image", "species_of"]

_SPECIES = {
    # What `testing.write_visium` writes: generated sections are known as such without being told.
    "synthetic": "synthetic",
    "ENSG": "human",
    "ENSMUSG": "mouse",
    "GRCh38": "human",
    "hg38": "human",
    "mm10": "mouse",
    "GRCm39": "mouse",
}


def open_image(
    path: Path | str,
    *,
    where: str,
    remedy: str = "Give image=<path> (relative to the current folder), or image=none for expression alone.",
) -> PixelSource:
    """Open a slide, or say which image of which section is missing."""
    path = existing(path, what=f"{where}: image", remedy=remedy, error=SlideError)
    # By name: `io` and `slide` stand on one row and know nothing of each other but this function.
    return import_module("histoscribe.slide").open_slide(path)


def finite_xy(x: Any, y: Any, *, where: str) -> np.ndarray:
    """Return ``(n, 2)`` float64 x, y, or name how many observations lack a position.

    Raises
    ------
    CoordinateError
        If a coordinate is missing or not a number.
    """
    columns = [pd.to_numeric(pd.Series(np.asarray(v)), errors="coerce").to_numpy(dtype=np.float64) for v in (x, y)]
    xy = np.column_stack(columns)
    bad = ~np.isfinite(xy).all(1)
    if bad.any():
        msg = f"{where}: {int(bad.sum())} of {len(xy)} observations have no numeric x, y. Complete or drop them."
        raise CoordinateError(msg)
    return xy


def species_of(names: Sequence[str]) -> str | None:
    """Name the species that all of `names` (Ensembl ids or genome names) show by their prefix, or None."""
    found = {
        next((kind for prefix, kind in _SPECIES.items() if str(name).startswith(prefix)), None) for name in set(names)
    }
    return found.pop() if len(found) == 1 else None


def assemble(
    counts: sp.csr_matrix,
    obs: pd.DataFrame,
    var: pd.DataFrame,
    xy: np.ndarray,
    *,
    files: Sequence[Path],
    donor: str | None,
    name: str,
    notes: Sequence[str] = (),
    depth: np.ndarray | None = None,
    **roles: Any,
) -> Section:
    """Build a section from what a reader found.

    Parameters
    ----------
    counts
        ``(n, g)`` integer csr.
    obs, var
        Tables whose indices name observations and genes.
    xy
        ``(n, 2)`` centres, level-0 px.
    files
        Expression files, for the digest.
    donor, name
        Names; where the donor is not known the section's name takes its place, and that is recorded.
    notes
        What the reader dropped, merged or inferred, for a person to read.
    depth
        ``(n,)`` library sizes over all measured genes; by default the row sums of `counts`.
    roles
        `slide`, `mpp`, `species`, `spot_um`, `pitch_um` of the section.
    """
    total = row_sums(counts)
    if depth is not None and (not np.isfinite(depth).all() or (depth < total - 0.5).any()):
        msg = (
            f"section {name!r}: the library size given is NaN or smaller than the sum of the counts in "
            f"{int((~(depth >= total - 0.5)).sum())} observations. Name the column with the totals over all genes."
        )
        raise DataError(msg)
    table = AnnData(X=counts, obs=obs.copy(), var=var.copy())
    table.layers[keys.COUNTS] = counts
    table.obs[keys.DEPTH] = total if depth is None else np.asarray(depth, dtype=np.float64)
    table.obsm[keys.SPATIAL] = np.asarray(xy, dtype=np.float64)
    notes = list(notes)
    if donor is None:
        notes.append(f"no donor was stated, so the section's name {name!r} stands for it; give donor=<name>")
    table.uns[keys.UNS] = {"notes": notes, "donor_stated": donor is not None}
    return Section(
        table=table,
        name=name,
        donor=name if donor is None else donor,
        origin=Origin("", "", {}, content_digest(files)),
        **roles,
    )
