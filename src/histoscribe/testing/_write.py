"""Write a synthetic section as ordinary files, so that the normal readers read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.files import atomic_path, write_json

if TYPE_CHECKING:
    from histoscribe.core.section import Section

__all__ = ["write_visium"]

#: Longer sides of Space Ranger's two reduced images, px.
_HIRES_PX, _LOWRES_PX = 2000, 600
#: Space Ranger's fiducial circles, um.
_FIDUCIAL_UM = 105.0


def write_visium(section: Section, folder: Path | str) -> Path:
    """Write counts, positions and images in the layout of Space Ranger's ``outs``.

    The folder reads as ``visium:<folder>?image=<folder>/image.ome.tif``. The truth is not written: what is read back
    looks like any measured section. The genome is called ``synthetic``, as are the gene ids.

    Parameters
    ----------
    section
        A section of `make_section` or `make_donors` with the default pitch of 100 um, which is Visium's.
    folder
        Where to write; made if it does not exist.

    Returns
    -------
    Path of the full-resolution image, an OME-TIFF that states its um/px.
    """
    folder = Path(folder)
    spatial = folder / "spatial"
    spatial.mkdir(parents=True, exist_ok=True)
    _write_matrix(section, folder / "filtered_feature_bc_matrix.h5")
    _write_positions(section, spatial / "tissue_positions.csv")
    factors = _write_reduced(section, spatial)
    write_json(
        spatial / "scalefactors_json.json",
        factors
        | {
            "spot_diameter_fullres": float(section.spot_um or 55.0) / section.mpp,
            "fiducial_diameter_fullres": _FIDUCIAL_UM / section.mpp,
            "synthetic": True,
        },
    )
    return _write_image(section, folder / "image.ome.tif")


def _write_matrix(section: Section, path: Path) -> None:
    """Write the HDF5 of Space Ranger 3: genes x barcodes, compressed by column."""
    import h5py

    table = section.table
    counts = sp.csr_matrix(table.layers[keys.COUNTS])  # csr of barcodes x genes is csc of genes x barcodes
    counts.sort_indices()
    n_genes = table.n_vars
    with atomic_path(path) as temporary, h5py.File(temporary, "w") as file:
        matrix = file.create_group("matrix")
        for name, values in {
            "data": counts.data.astype(np.int32),
            "indices": counts.indices.astype(np.int64),
            "indptr": counts.indptr.astype(np.int64),
            "shape": np.array([n_genes, table.n_obs], dtype=np.int32),
            "barcodes": table.obs_names.to_numpy().astype("S"),
        }.items():
            matrix.create_dataset(name, data=values)
        features = matrix.create_group("features")
        for name, values in {
            "id": [f"SYN{i + 1:08d}" for i in range(n_genes)],
            "name": list(table.var_names),
            "feature_type": ["Gene Expression"] * n_genes,
            "genome": ["synthetic"] * n_genes,
        }.items():
            features.create_dataset(name, data=np.array(values).astype("S"))


def _write_positions(section: Section, path: Path) -> None:
    obs, xy = section.table.obs, section.xy
    table = obs[[keys.ARRAY_ROW, keys.ARRAY_COL]].copy()
    table.insert(0, "in_tissue", 1)
    table["pxl_row_in_fullres"] = xy[:, 1].round(3)
    table["pxl_col_in_fullres"] = xy[:, 0].round(3)
    with atomic_path(path) as temporary:
        table.to_csv(temporary, index_label="barcode")


def _write_reduced(section: Section, spatial: Path) -> dict[str, float]:
    """Write the two reduced images; return their scale factors."""
    from PIL import Image

    assert section.slide is not None
    longer = max(section.slide.size)
    factors = {}
    for kind, max_px in (("hires", _HIRES_PX), ("lowres", _LOWRES_PX)):
        pixels = section.slide.thumbnail(max_px=max_px)
        factors[f"tissue_{kind}_scalef"] = min(1.0, max(pixels.shape[:2]) / longer)
        with atomic_path(spatial / f"tissue_{kind}_image.png") as temporary:
            Image.fromarray(pixels).save(temporary, format="PNG", compress_level=1)
    return factors


def _write_image(section: Section, path: Path) -> Path:
    import tifffile

    assert section.slide is not None
    width, height = section.slide.size
    pixels = section.slide.region(0, 0, width=width, height=height, out=(width, height)).pixels
    scale = {"PhysicalSizeX": section.mpp, "PhysicalSizeXUnit": "µm"}
    scale |= {"PhysicalSizeY": section.mpp, "PhysicalSizeYUnit": "µm"}
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            pixels,
            ome=True,
            photometric="rgb",
            tile=(256, 256),
            compression="jpeg",
            compressionargs={"level": 92},
            metadata={"axes": "YXS", "Name": section.name, **scale},
        )
    return path
