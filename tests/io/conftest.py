"""Vendors' folders, tiny and made in code: each fixture gives a function that writes one and returns its path."""

from __future__ import annotations

import gzip
import json

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image

WIDTH, HEIGHT = 480, 400


def write_image(path, width=WIDTH, height=HEIGHT):
    path.parent.mkdir(parents=True, exist_ok=True)
    ramp = np.linspace(0, 255, width * height * 3).astype(np.uint8).reshape(height, width, 3)
    Image.fromarray(ramp).save(path)
    return path


def st_spots(n_x=8, n_y=6, step=50.0, stretch=1.0, first=(40.0, 60.0)):
    """A square 1k lattice: 200 um are `step` px in x and `step * stretch` px in y."""
    x, y = (v.ravel() for v in np.meshgrid(np.arange(n_x) + 2, np.arange(n_y) + 3))
    return pd.DataFrame(
        {
            "x": x,
            "y": y,
            "new_x": x + 0.01,
            "new_y": y - 0.02,
            "pixel_x": first[0] + step * (x - 2),
            "pixel_y": first[1] + step * stretch * (y - 3),
            "selected": 1,
        }
    )


def counts_of(names, genes=("ACTB", "GAPDH", "KRT8", "MT-CO1"), seed=0):
    values = np.random.default_rng(seed).poisson(3, (len(names), len(genes)))
    values[:, 0] += 1
    return pd.DataFrame(values, index=list(names), columns=list(genes))


@pytest.fixture
def her2st(tmp_path):
    def write(section="C2", spots=None, counts=None, image=True, drop=0):
        spots = st_spots() if spots is None else spots
        names = spots["x"].astype(str) + "x" + spots["y"].astype(str)
        counts = counts_of(names).iloc[drop:] if counts is None else counts
        root = tmp_path / "her2st" / "data"
        for folder in ("ST-cnts", "ST-spotfiles"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        counts.to_csv(root / "ST-cnts" / f"{section}.tsv.gz", sep="\t")
        spots.to_csv(root / "ST-spotfiles" / f"{section}_selection.tsv", sep="\t", index=False)
        if image:
            write_image(root / "ST-imgs" / section[0] / section / "scan.png").rename(
                root / "ST-imgs" / section[0] / section / "scan.jpg"
            )
        return tmp_path / "her2st"

    return write


@pytest.fixture
def bulb(tmp_path):
    """STUtility folder of a staggered 2k array with 6.2 x 6.6 mm on 65 x 62 steps, at 20 um/px."""

    def write(section="MOB1"):
        x, y = (v.ravel() for v in np.meshgrid(np.arange(10, 26), np.arange(10, 26)))
        keep = (x + y) % 2 == 0
        x, y = x[keep], y[keep]
        spots = pd.DataFrame({"x": x, "y": y, "new_x": x + 0.0, "new_y": y + 0.0})
        spots["pixel_x"], spots["pixel_y"] = x * 6200 / 65 / 20, y * 6600 / 62 / 20
        spots["selected"] = (np.arange(len(x)) % 4 != 0).astype(int)
        names = [f"{a}x{b}" for a, b in zip(x, y, strict=True)]
        genes = ["ENSMUSG00000000001.1", "ENSMUSG00000000002.1", "ENSMUSG00000000003.1"]
        root = tmp_path / "bulb"
        root.mkdir()
        counts_of(names, genes).to_csv(root / f"{section}.tsv.gz", sep="\t")
        spots.to_csv(root / f"alignment_table_{section}.tsv.gz", sep="\t", index=False)
        table = pd.DataFrame({"gene_id": genes[:2], "gene_type": "protein_coding", "gene_name": ["Actb", "Actb"]})
        table.to_csv(root / "mouse_genes.tsv.gz", sep="\t", index=False)
        meta = f"samples;type;z;individual\n/somewhere/else/{section}.tsv;Mouse;100;7\n"
        (root / "metaData.csv").write_text(meta)
        write_image(root / f"{section}.png")
        return root

    return write


def visium_positions(mpp=10.0, n_col=20, n_row=14, first=(30.0, 40.0)):
    column, row = (v.ravel() for v in np.meshgrid(np.arange(n_col), np.arange(n_row)))
    keep = (column + row) % 2 == 0
    column, row = column[keep], row[keep]
    return pd.DataFrame(
        {
            "barcode": [f"{'ACGT'[c % 4]}{'ACGT'[r % 4]}{c:03d}{r:03d}-1" for c, r in zip(column, row, strict=True)],
            "in_tissue": (np.arange(len(column)) % 5 != 0).astype(int),
            "array_row": row,
            "array_col": column,
            "pxl_row_in_fullres": first[1] + row * 87 / mpp,
            "pxl_col_in_fullres": first[0] + column * 50 / mpp,
        }
    )


def write_matrix_h5(path, counts, ids=None, kinds=None, dtype="<i4"):
    import scipy.sparse as sp

    matrix = sp.csc_matrix(counts.to_numpy().T)
    with h5py.File(path, "w") as file:
        group = file.create_group("matrix")
        group["data"], group["indices"] = matrix.data.astype(dtype), matrix.indices
        group["indptr"], group["shape"] = matrix.indptr, np.array(matrix.shape)
        group["barcodes"] = np.array([str(b).encode() for b in counts.index])
        features = group.create_group("features")
        genes = list(counts.columns)
        features["id"] = np.array([i.encode() for i in ids or [f"ENSG{i:011d}" for i in range(len(genes))]])
        features["name"] = np.array([str(g).encode() for g in genes])
        features["feature_type"] = np.array([k.encode() for k in kinds or ["Gene Expression"] * len(genes)])
        features["genome"] = np.array([b"GRCh38"] * len(genes))
    return path


def write_matrix_folder(folder, counts, compress=True):
    folder.mkdir(parents=True)
    values = counts.to_numpy().T
    rows, columns = values.nonzero()
    entries = "".join(f"{r + 1} {c + 1} {values[r, c]}\n" for r, c in zip(rows, columns, strict=True))
    head = f"%%MatrixMarket matrix coordinate integer general\n{values.shape[0]} {values.shape[1]} {len(rows)}\n"
    features = "".join(f"ENSG{i:011d}\t{g}\tGene Expression\n" for i, g in enumerate(counts.columns))
    texts = {"matrix.mtx": head + entries, "barcodes.tsv": "\n".join(counts.index) + "\n", "features.tsv": features}
    for name, text in texts.items():
        if compress:
            (folder / f"{name}.gz").write_bytes(gzip.compress(text.encode()))
        else:
            (folder / name).write_text(text)


@pytest.fixture
def space_ranger(tmp_path):
    """outs folder; `version` 1 (no header), 2 (header) or "parquet"; `matrix` h5, mtx or mtx.gz."""

    def write(version=2, matrix="h5", positions=None, counts=None, factors=None, images=("hires", "lowres")):
        outs = tmp_path / "sample7" / "outs"
        spatial = outs / "spatial"
        spatial.mkdir(parents=True)
        table = visium_positions() if positions is None else positions
        if version == 1:
            table.to_csv(spatial / "tissue_positions_list.csv", index=False, header=False)
        elif version == "parquet":
            table.to_parquet(spatial / "tissue_positions.parquet")
        else:
            table.to_csv(spatial / "tissue_positions.csv", index=False)
        counts = counts_of(table["barcode"]) if counts is None else counts
        if matrix == "h5":
            write_matrix_h5(outs / "filtered_feature_bc_matrix.h5", counts)
        else:
            write_matrix_folder(outs / "filtered_feature_bc_matrix", counts, compress=matrix.endswith("gz"))
        # At 10 um/px: a 105 um fiducial is 10.5 px, and Space Ranger's "spot" of 65 um is 6.5 px.
        factors = {
            "tissue_hires_scalef": 0.5,
            "tissue_lowres_scalef": 0.3,
            "fiducial_diameter_fullres": 10.5,
            "spot_diameter_fullres": 6.5,
        } | (factors or {})
        (spatial / "scalefactors_json.json").write_text(json.dumps(factors))
        for kind in images:
            scale = factors[f"tissue_{kind}_scalef"] if factors[f"tissue_{kind}_scalef"] <= 1 else 1
            write_image(spatial / f"tissue_{kind}_image.png", int(WIDTH * scale), int(HEIGHT * scale))
        write_image(tmp_path / "full.png")
        return outs

    return write


@pytest.fixture
def made():
    """The tables that the folders are made of, to be changed before they are written."""
    from types import SimpleNamespace

    return SimpleNamespace(
        counts_of=counts_of,
        visium_positions=visium_positions,
        write_image=write_image,
        write_matrix_h5=write_matrix_h5,
        write_matrix_folder=write_matrix_folder,
    )
