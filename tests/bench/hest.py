"""The two HEST suites on a generated tree: their own files, with only the list of samples and the n replaced."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from histoscribe.bench.suite import suite_names

#: Task to number of samples of `histoscribe.testing.write_hest_bench`.
TASKS = {"ALPHA": 3, "BETA": 2, "GAMMA": 2}


def write_hest_suite(name, folder, *, tasks=TASKS, n_genes=50, donors=None, replace=()):
    """Write ``hest-official`` or ``hest-clean`` for the generated tree into `folder`, and return the path."""
    text = Path(suite_names()[name]).read_text(encoding="utf-8")
    lists = [f"{task} = {json.dumps([f'{task}{i + 1}' for i in range(n)])}" for task, n in tasks.items()]
    said = [f'{sample} = "{donor}"' for sample, donor in (donors or {}).items()]
    tables = "\n".join(["[data.tasks]", *lists, "", "[data.donors]", *said, "", "[split]"])
    text = re.sub(r"\[data\.tasks\].*?\[split\]", tables, text, flags=re.DOTALL)
    text = text.replace('apart = ["HCC"]', f"apart = {json.dumps([t for t in tasks if t == 'GAMMA'])}").replace(
        "species=human", "species=synthetic"
    )
    n = sum(tasks.values())
    expect = f"[expect]\nsections = {n}\nfolds = {n}\ngenes = {n_genes}\n"
    text = re.sub(r"\[expect\].*", expect, text, flags=re.DOTALL)
    for old, new in replace:
        assert old in text
        text = text.replace(old, new)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def write_embeddings(tree, folder, *, dim=64, seed=0):
    """Write features of every stored tile: random ones, mixed with the first genes so that there is something to learn.

    The rows are in an order of their own, as nothing promises that of the tiles.
    """
    import h5py
    from anndata import read_h5ad

    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(20, dim))
    for path in sorted(tree.glob("*/patches/*.h5")):
        with h5py.File(path) as file:
            barcodes = file["barcode"][:].ravel()
        table = read_h5ad(path.parents[1] / "adata" / f"{path.stem}.h5ad")
        values = np.log1p(table[[b.decode() for b in barcodes]].X.toarray()[:, :20])
        features = (values - values.mean(0)) @ mixing + rng.normal(size=(len(barcodes), dim)) * 3
        order = rng.permutation(len(barcodes))
        out = folder / path.parents[1].name / f"{path.stem}.h5"
        out.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(out, "w") as file:
            file["embeddings"] = features[order].astype(np.float32)
            file["barcodes"] = barcodes[order][:, None]
    return folder
