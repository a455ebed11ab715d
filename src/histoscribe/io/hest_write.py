"""Write a section in the layout of HEST-1k, so that tools made for it read it as one more sample."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import DataError, SlideError
from histoscribe.core.files import atomic_path, write_json
from histoscribe.io._described import save_h5ad
from histoscribe.io._hest_identity import DONORS, donor_name
from histoscribe.io._hest_patches_write import write_patches
from histoscribe.io._hest_scale import PLATFORMS
from histoscribe.io._hest_tissue_write import write_tissue
from histoscribe.io._hest_tree import samples_of
from histoscribe.io._write import refuse_existing
from histoscribe.io.hest import LIBRARY_SIZE, SPECIES

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["write_hest"]

#: Longest edge of HEST's thumbnails, px.
_THUMBNAIL_PX = 1000
_IMAGE = "downscaled_fullres"


def write_hest(
    section: Section,
    path: Path,
    *,
    overwrite: bool = False,
    sample: str | None = None,
    patches: bool = True,
    tissue: bool = True,
    compression: Literal["deflate", "jpeg"] = "deflate",
) -> Path:
    """Write one section as a sample of a HEST tree; other samples of the tree stay.

    ``st/``, ``wsis/``, ``thumbnails/``, ``metadata/``, ``patches/`` (as the current patcher lays them out) and
    ``tissue_seg/``. Each file is written whole or not at all, ``st/<id>.h5ad`` last: a sample that is listed is
    complete.

    Parameters
    ----------
    section
        A measured section; without a slide only the table and the metadata are written.
    path
        Folder of the tree.
    overwrite
        Replace the files of a sample of the same id.
    sample
        Id; by default the one that it was read with, else the section's name.
    patches
        Write ``patches/<id>.h5``: 224 px at 0.5 um/px of every observation of which at least 15 % shows tissue.
        Pixels are read antialiased, not as HEST reads them, so they are not bit for bit what HEST would write.
    tissue
        Find the tissue; without it there is no ``tissue_seg/``, and patches are not chosen by it.
    compression
        Of the slide: ``"deflate"`` keeps every pixel, ``"jpeg"`` is several times smaller.

    Returns
    -------
    `path`; where the tree has other samples, ``st/<id>.h5ad`` in it, which the reader takes as well.

    Raises
    ------
    DataError
        If the section holds no counts, or its name cannot be a file's.
    StorageError
        If a file of the sample exists and `overwrite` is False, or the disk is full.
    SlideError
        If no tissue is found on the slide.
    """
    root = Path(path)
    if not section.measured:
        msg = f"section {section.name!r} holds no counts, and a HEST sample needs them. Give a measured section."
        raise DataError(msg)
    ours = section.table.uns.get(keys.UNS, {})
    known = dict(ours.get("hest", {}))
    sample = sample or str(known.get("id") or section.name)
    if not sample or set(sample) & set("/\\*?[]:"):
        msg = f"{sample!r} cannot be the id of a HEST sample: its files are named by it. Give sample=<id>."
        raise DataError(msg)
    table_path, slide = root / "st" / f"{sample}.h5ad", section.slide
    targets = {
        "slide": root / "wsis" / f"{sample}.tif",
        "thumbnail": root / "thumbnails" / f"{sample}_{_IMAGE}.jpeg",
        "patches": root / "patches" / f"{sample}.h5",
        "tissue": root / "tissue_seg" / f"{sample}_contours.geojson",
        "metadata": root / "metadata" / f"{sample}.json",
    }
    for target in (table_path, *targets.values()):
        refuse_existing(target, overwrite=overwrite)
    _refuse_itself(section, targets["slide"])
    for target in (table_path, *targets.values()):
        # What an earlier write left must not stay beside a table that it does not belong to.
        target.unlink(missing_ok=True)
    thumbnail = None
    if slide is not None:
        thumbnail = slide.thumbnail(max_px=_THUMBNAIL_PX)
        _write_pixels(section, thumbnail, targets, compression)
        mask = _tissue(section) if tissue else None
        if mask is not None:
            write_tissue(mask, targets["tissue"])
        if patches:
            write_patches(section, targets["patches"], mask=mask)
    write_json(targets["metadata"], _metadata(section, sample, known))
    _write_table(section, table_path, thumbnail)
    return root if samples_of(root) == [sample] else table_path


def _refuse_itself(section: Section, target: Path) -> None:
    slide = section.slide
    if slide is not None and slide.path.exists() and target.exists() and slide.path.samefile(target):
        msg = f"section {section.name!r} was read from {target}, which would be replaced. Write to another folder."
        raise DataError(msg)


def _tissue(section: Section) -> Any:
    # By name: tissue masks live in a row above this one.
    try:
        return import_module("histoscribe.tiles").section_mask(section)
    except SlideError as err:
        err.add_note("give tissue=False to write the section without looking for tissue")
        raise


def _write_pixels(section: Section, thumbnail: np.ndarray, targets: dict[str, Path], compression: str) -> None:
    from PIL import Image

    import_module("histoscribe.slide").write_tiff(
        section.slide, targets["slide"], mpp=section.mpp, compression=compression
    )
    with atomic_path(targets["thumbnail"]) as temporary:
        Image.fromarray(thumbnail).save(temporary, format="JPEG", quality=90)


def _metadata(section: Section, sample: str, known: dict[str, Any]) -> dict[str, Any]:
    """Return the sample's row: what its source stated, and what the section is now."""
    species = {ours: theirs for theirs, ours in SPECIES.items()}
    technology = {ours: theirs for theirs, ours in PLATFORMS.items()}
    patient, title = _patient(section, sample, known)
    value = {k: v for k, v in known.items() if k != "image_per_fullres_px"}
    value |= {
        "id": sample,
        "dataset_title": title,
        "patient": patient,
        "species": species.get(section.species or "", section.species),
        "st_technology": technology.get(section.platform, section.platform),
        "spot_diameter": section.spot_um,
        "inter_spot_dist": section.pitch_um,
        "spots_under_tissue": section.n_obs,
        "adata_nb_col": section.table.n_vars,
        "nb_genes": section.table.n_vars,
        "pixel_size_um_estimated": float(section.mpp),
        "pixel_size_um_embedded": None if section.slide is None else section.slide.mpp,
        "fullres_px_width": None if section.slide is None else section.slide.size[0],
        "fullres_px_height": None if section.slide is None else section.slide.size[1],
    }
    return {k: v.item() if hasattr(v, "item") else v for k, v in value.items() if v is None or v == v}  # noqa: PLR0124


def _patient(section: Section, sample: str, known: dict[str, Any]) -> tuple[str, str]:
    """Return patient and title that the reader turns into the section's donor again."""
    title = str(known.get("dataset_title", ""))
    if not section.table.uns.get(keys.UNS, {}).get("donor_stated", True):
        return "", title
    corrected = DONORS[sample].value if sample in DONORS else None
    for patient in (known.get("patient"), corrected):
        if donor_name(patient, title) == section.donor:
            return str(patient), title
    return section.donor, ""


def _write_table(section: Section, path: Path, thumbnail: np.ndarray | None) -> None:
    source, xy = section.table, section.xy
    counts = source.layers[keys.COUNTS]
    total = np.asarray(counts.sum(1)).ravel()
    obs = source.obs.copy()
    if "in_tissue" not in obs:
        obs["in_tissue"] = 1
    obs["pxl_col_in_fullres"], obs["pxl_row_in_fullres"] = xy[:, 0], xy[:, 1]
    obs["n_counts"] = total
    if not np.array_equal(section.depth, total):
        obs[LIBRARY_SIZE] = section.depth
    table = AnnData(X=counts, obs=obs, var=source.var.copy())
    table.obsm[keys.SPATIAL] = xy
    if thumbnail is not None and section.slide is not None:
        factors = {f"tissue_{_IMAGE}_scalef": max(thumbnail.shape[:2]) / max(section.slide.size)}
        if section.spot_um is not None:
            factors["spot_diameter_fullres"] = section.spot_um / section.mpp
        table.uns["spatial"] = {"ST": {"images": {_IMAGE: thumbnail}, "scalefactors": factors}}
    save_h5ad(table, path, section.name)
