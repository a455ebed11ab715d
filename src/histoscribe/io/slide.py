"""A slide alone: an image without measurements, as a section of zero observations."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import ScaleError
from histoscribe.core.section import Origin, Section
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import open_image
from histoscribe.io._files import content_digest
from histoscribe.io._lattice import MPP_TOLERANCE

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["read_slide"]

LOOKS_FOR = "an image, a folder of .dcm files, or the folder of an OME-Zarr image"

_ENDINGS = {
    *(".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".vms", ".vmu", ".svslide", ".dcm", ".czi"),
    *(".jpg", ".jpeg", ".png", ".webp", ".bmp", ".dzi"),
}


def looks_like(path: Path) -> bool:
    """Say whether `path` is an image."""
    if path.is_dir():
        return any(path.glob("*.dcm")) or import_module("histoscribe.slide.omezarr").is_ome_zarr(path)
    return path.suffix.lower() in _ENDINGS


def read_slide(
    path: Path,
    *,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
    override: bool = False,
) -> Section:
    """Read an image; the section's table has shape (0, 0).

    Parameters
    ----------
    path
        Any image that `histoscribe.open_slide` opens.
    name, donor, species
        Names; both names default to the file's.
    mpp
        um per level-0 px; needed where the file does not state it.
    override
        Use `mpp` even where the file states another one.

    Raises
    ------
    ScaleError
        If there is no um/px, or `mpp` differs from the file's own by more than 5 % without `override`.
    """
    name = name or path.name.split(".")[0]
    where = f"slide {name!r}"
    slide = open_image(path, where=where, remedy="Check the path.")
    stated = slide.mpp
    if mpp is not None and stated is not None and not override and abs(mpp / stated - 1) > MPP_TOLERANCE:
        msg = (
            f"{where}: mpp={mpp:.4g} was given, but the file states {stated:.4g} um/px. Leave mpp out, or give "
            "override=true if you know that the file is wrong."
        )
        raise ScaleError(msg)
    used = check_mpp(stated if mpp is None else mpp, where=where, remedy="Give mpp=<um per pixel>, e.g. ?mpp=0.5.")
    table = AnnData(
        obs=pd.DataFrame(index=pd.Index([], dtype=object)), var=pd.DataFrame(index=pd.Index([], dtype=object))
    )
    table.obsm[keys.SPATIAL] = np.zeros((0, 2))
    notes = [f"um/px {'as the file states it' if mpp is None else 'as given'}"]
    table.uns[keys.UNS] = {"notes": notes, "donor_stated": donor is not None}
    return Section(
        table=table,
        slide=slide,
        mpp=used,
        name=name,
        donor=donor or name,
        platform="slide",
        species=species,
        origin=Origin("", "", {}, content_digest([])),
    )
