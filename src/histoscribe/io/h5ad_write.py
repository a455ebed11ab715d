"""Write a section as an AnnData file that reads back as it was, and that scanpy and squidpy understand."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.core.errors import DataError
from histoscribe.io._described import described_table, save_h5ad
from histoscribe.io._write import refuse_existing

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["write_h5ad"]

ENDINGS = (".h5ad",)


def write_h5ad(
    section: Section,
    path: Path,
    *,
    overwrite: bool = False,
    slide: Literal["auto", "link", "copy", "none"] = "auto",
    thumbnail_px: int = 1000,
) -> Path:
    """Write a section as an AnnData file.

    ``uns["histoscribe"]`` holds name, donor, species, um/px, sizes in um, tiles and the slide's path, so that
    ``hs.read("h5ad", path)`` needs no options; ``uns["spatial"]`` holds a reduced image and scale factors in the form
    that scanpy and squidpy draw.

    Parameters
    ----------
    section
        What to write: its table as it is, features included.
    path
        The ``.h5ad`` file.
    overwrite
        Replace an existing file.
    slide
        ``"link"`` remembers where the slide's file is, ``"copy"`` writes its pixels, unchanged, as a pyramidal TIFF
        beside the file, ``"none"`` leaves it out; ``"auto"`` copies only a slide that has no file.
    thumbnail_px
        Longer side of the reduced image, px; 0 for none.
    """
    refuse_existing(path, overwrite=overwrite)
    pixels = None if slide == "none" or section.slide is None else section.slide
    if slide not in ("auto", "link", "copy", "none"):
        msg = f"slide={slide!r} is not known. Choose auto, link, copy or none."
        raise DataError(msg)
    source = None if pixels is None else pixels.path
    if pixels is not None and (slide == "copy" or (slide == "auto" and not pixels.path.exists())):
        source = _copied(section, path.with_suffix(".tif"), overwrite=overwrite)
    elif pixels is not None and not pixels.path.exists():
        msg = f"section {section.name!r}: its slide {pixels.path} is no file that could be linked. Give slide=copy."
        raise DataError(msg)
    table = described_table(section, slide=source)
    if pixels is not None and thumbnail_px > 0 and section.n_obs:
        table.uns["spatial"] = _legacy(section, pixels.thumbnail(max_px=thumbnail_px))
    save_h5ad(table, path, section.name)
    return path


def _copied(section: Section, path: Path, *, overwrite: bool) -> Path:
    assert section.slide is not None
    if path.exists() and section.slide.path.exists() and path.samefile(section.slide.path):
        return path
    refuse_existing(path, overwrite=overwrite)
    # By name: `io` and `slide` stand on one row and know nothing of each other but such functions.
    return import_module("histoscribe.slide").write_tiff(section.slide, path, mpp=section.mpp)


def _legacy(section: Section, image: np.ndarray) -> dict[str, Any]:
    """Make the slot that scanpy's and squidpy's drawing functions read."""
    assert section.slide is not None
    factor = max(image.shape[:2]) / max(section.slide.size)
    return {
        section.name.replace("/", "_"): {
            "images": {"hires": image},
            "scalefactors": {
                "tissue_hires_scalef": factor,
                "spot_diameter_fullres": _drawn_px(section),
            },
            "metadata": {},
        }
    }


def _drawn_px(section: Section) -> float:
    """Diameter at which an observation is drawn, level-0 px; not a measurement where the spot size is not known."""
    size_um = section.spot_um or section.pitch_um
    if size_um is not None:
        return float(size_um / section.mpp)
    if section.n_obs < 2:
        return 1.0
    return float(np.median(cKDTree(section.xy).query(section.xy, k=2)[0][:, 1])) or 1.0
