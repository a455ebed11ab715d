"""HEST trees, tiny and made in code: fixtures give functions that write one and return its root."""

from __future__ import annotations

import json
from types import SimpleNamespace

import anndata as ad
import h5py
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import tifffile

#: um/px of every tree: 100 um are 50 px.
MPP = 2.0
WIDTH, HEIGHT = 600, 500


def visium_table(genes=("KRT8", "ESR1", "BLANK_0001", "NegControlProbe_00042"), shuffle=True):
    """Staggered spots 100 um apart, in the conventions of st/<id>.h5ad."""
    row, column = (v.ravel() for v in np.meshgrid(np.arange(10), np.arange(20), indexing="ij"))
    keep = (row + column) % 2 == 0
    row, column = row[keep], column[keep]
    return table_of(30 + 25.0 * column, 30 + 43.5 * row, row, column, genes, shuffle=shuffle)


def square_table(pitch_um, n=8, genes=("KRT8", "ESR1")):
    """Pooled squares that touch each other."""
    row, column = (v.ravel() for v in np.meshgrid(np.arange(n), np.arange(n), indexing="ij"))
    step = pitch_um / MPP
    return table_of(30 + step * column, 30 + step * row, row, column, genes)


def table_of(x, y, row, column, genes, shuffle=False):
    rng = np.random.default_rng(1)
    order = rng.permutation(len(x)) if shuffle else np.arange(len(x))
    names = np.array([f"BC{i:04d}-1" for i in range(len(x))])
    obs = pd.DataFrame(
        {
            "in_tissue": np.arange(len(x)) % 2,
            "pxl_col_in_fullres": x,
            "pxl_row_in_fullres": y,
            "array_row": row,
            "array_col": column,
        },
        index=names,
    ).iloc[order]
    counts = rng.poisson(3, (len(x), len(genes))).astype(np.float32)
    value = ad.AnnData(X=sp.csr_matrix(counts), obs=obs, var=pd.DataFrame(index=list(genes)))
    value.obsm["spatial"] = obs[["pxl_col_in_fullres", "pxl_row_in_fullres"]].to_numpy()
    return value


def pixels(width=WIDTH, height=HEIGHT):
    y, x = np.mgrid[:height, :width]
    return np.stack([x % 256, y % 256, (x // 4 + y // 4) % 256], axis=2).astype(np.uint8)


@pytest.fixture
def tree(tmp_path):
    """`write(sample, technology=, table=, slide=, **metadata)`; metadata None leaves a key out."""
    root = tmp_path / "hest"

    def write(sample="NCBI1", *, technology="Visium", table=None, slide=True, name="metadata/{id}.json", **metadata):
        for folder in ("st", "wsis", "metadata"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        (visium_table() if table is None else table).write_h5ad(root / "st" / f"{sample}.h5ad")
        if slide:
            path, scale = root / "wsis" / f"{sample}.tif", 1e4 / MPP
            tifffile.imwrite(
                path, pixels(), tile=(256, 256), photometric="rgb", resolution=(scale, scale), resolutionunit=3
            )
        row = {
            "id": sample,
            "dataset_title": "Breast sections",
            "patient": "Patient 1",
            "species": "Homo sapiens",
            "st_technology": technology,
            "spot_diameter": 55.0,
            "inter_spot_dist": 100.0,
            "pixel_size_um_estimated": MPP,
            "fullres_px_width": WIDTH,
            "fullres_px_height": HEIGHT,
            "license": "CC BY 4.0",
        } | metadata
        (root / name.format(id=sample)).write_text(json.dumps({k: v for k, v in row.items() if v is not None}))
        return root

    return write


@pytest.fixture
def patches(tmp_path):
    """`write(table, generation=, keep=, coords=, attributes=)`: a patch file whose pixels tell its observation."""

    def write(table, generation=3, *, keep=slice(None), coords=None, attributes=None, extra=0):
        px = 256 if generation == 1 else 224
        rows = np.arange(table.n_obs)[::-1][keep]  # another order than the table's
        xy = table.obsm["spatial"][rows]
        side = round(px * 0.5 / MPP)
        layouts = {3: np.floor(xy - side // 2), 2: xy[:, ::-1], 1: xy[:, ::-1]}
        kinds = {
            3: {"patch_size_src": side, "patch_size_target": px, "downsample": 0.5 / MPP, "pixel_size": MPP},
            2: {"patch_size": px, "factor": 0.5 / MPP},
            1: {"patch_size": side, "factor": 0.5 / MPP},
        }
        names = [*table.obs_names[rows], *(f"ELSEWHERE{i}" for i in range(extra))]
        found = (layouts[generation] if coords is None else coords(xy, side)).astype(int)
        images = np.zeros((len(names), px, px, 3), np.uint8)
        images[: len(rows)] += (rows % 200).astype(np.uint8)[:, None, None, None]
        (tmp_path / "hest/patches").mkdir(parents=True, exist_ok=True)
        path = tmp_path / "hest/patches/NCBI1.h5"
        with h5py.File(path, "w") as file:
            file["img"] = images
            file["coords"] = np.vstack([found, np.zeros((extra, 2), int)])
            file["barcode"] = np.array(names).astype("S").reshape(-1, 1)
            file["coords"].attrs.update(kinds[generation] if attributes is None else attributes)
            file["img"].attrs["name"] = "NCBI1"
        return path

    return write


@pytest.fixture
def made():
    """What the trees are made of."""
    return SimpleNamespace(
        mpp=MPP, width=WIDTH, height=HEIGHT, visium=visium_table, square=square_table, table=table_of, pixels=pixels
    )
