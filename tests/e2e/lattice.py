"""Two sections of a donor on a lattice, a prediction and a bare slide: generated, with known places and values."""

from __future__ import annotations

import json
import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.request import urlopen

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from PIL import Image

from histoscribe.slide import open_slide, write_tiff

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: A lattice of 12 x 10 observations of 100 um, 200 um apart, on a slide of 0.5 um/px.
COLUMNS, ROWS, STEP_PX, SPOT_PX, MPP = 12, 10, 400, 200, 0.5
WIDTH, HEIGHT = (COLUMNS + 1) * STEP_PX, (ROWS + 1) * STEP_PX
GENES = ["LEFT", "FLAT", "RARE", "DEPTH1", "DEPTH2"]
TRUST = {"LEFT": (True, 0.5, 0.3), "FLAT": (False, -0.1, -0.4)}
XY = np.stack(np.meshgrid(np.arange(COLUMNS), np.arange(ROWS)), -1).reshape(-1, 2) * STEP_PX + STEP_PX
IN_LEFT = XY[:, 0] <= COLUMNS // 2 * STEP_PX
#: So many squares a side that software drawing shows means of them.
DENSE = 440


def write_items(folder: Path) -> list[str]:
    """Write ``a1``, ``a2`` (sections), ``guess`` (of a1), ``bare`` (a slide) and ``dense``; return their paths."""
    x, y = np.meshgrid(np.linspace(0, 1, WIDTH // 4), np.linspace(0, 1, HEIGHT // 4))
    pale = np.stack([235 - 15 * x, 225 - 12 * y, 235 + 0 * x], -1).astype(np.uint8)
    Image.fromarray(pale).resize((WIDTH, HEIGHT)).save(folder / "flat.png")
    write_tiff(open_slide(folder / "flat.png"), folder / "slide.tif", mpp=MPP, compression="jpeg")
    first = _section(folder, "a1", 0)
    first.write_h5ad(folder / "a1.h5ad")
    _section(folder, "a2", 1).write_h5ad(folder / "a2.h5ad")
    _prediction(folder, first.obs_names).write_h5ad(folder / "guess.h5ad")
    _dense(folder).write_h5ad(folder / "dense.h5ad")
    shutil.copy(folder / "slide.tif", folder / "bare.tif")
    return [str(folder / name) for name in ("a1.h5ad", "a2.h5ad", "guess.h5ad", "bare.tif", "dense.h5ad")]


@contextmanager
def serving(given: list[str], folder: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Serve items from a thread; gives the address, and each item's id by its name."""
    import uvicorn

    from histoscribe.studio import Studio, create_app

    app = create_app(Studio.of(given, work=folder / "work", results=folder / "results"))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    try:
        yield url, _ready_items(url)
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def _ready_items(url: str) -> dict[str, str]:
    for _ in range(600):
        items = json.load(urlopen(f"{url}/api/items"))["items"]
        if all(item["state"] == "ready" for item in items):
            return {item["name"]: item["id"] for item in items}
        time.sleep(0.1)
    msg = f"items did not open within 60 s: {items}"
    raise TimeoutError(msg)


def _section(folder, name: str, seed: int) -> AnnData:
    rng = np.random.default_rng(seed)
    counts = rng.poisson(20, (len(XY), len(GENES)))
    counts[:, 0] = np.where(IN_LEFT, 60, 4)
    counts[:, 2] = 0
    obs = pd.DataFrame(index=pd.Index([f"spot{i}" for i in range(len(XY))]))
    obs["domain"] = pd.Categorical(np.where(IN_LEFT, "left", "right"))
    table = AnnData(obs=obs, var=pd.DataFrame(index=pd.Index(GENES)), obsm={"spatial": XY.astype(float)})
    table.layers["counts"] = sp.csr_matrix(counts)
    table.obs["total_counts"] = counts.sum(1).astype(float)
    table.obsm["composition"] = np.column_stack([np.where(IN_LEFT, 0.75, 0.25), np.where(IN_LEFT, 0.25, 0.75)])
    about = {"section": name, "donor": "d1", "mpp": MPP, "platform": "h5ad", "spot_um": SPOT_PX * MPP}
    about |= {"pitch_um": STEP_PX * MPP, "slide": str(folder / "slide.tif"), "cell_types": ["T cell", "B cell"]}
    table.uns["histoscribe"] = about
    return table


def _dense(folder) -> AnnData:
    step = HEIGHT // DENSE
    xy = (np.stack(np.meshgrid(np.arange(DENSE), np.arange(DENSE)), -1).reshape(-1, 2) + 0.5) * step
    # Every second column is empty on the right: means there are half of the left's.
    left, odd = xy[:, 0] < HEIGHT / 2, np.arange(len(xy)) % DENSE % 2 == 1
    counts = np.column_stack([np.where(left | odd, 8, 0), np.full(len(xy), 92)])
    table = AnnData(
        obs=pd.DataFrame({"total_counts": np.full(len(xy), 100.0)}, index=pd.RangeIndex(len(xy)).astype(str)),
        var=pd.DataFrame(index=pd.Index(["HALF", "REST"])),
        obsm={"spatial": xy},
    )
    table.layers["counts"] = sp.csr_matrix(counts)
    about = {"section": "dense", "donor": "d2", "mpp": MPP, "platform": "h5ad", "spot_um": step * MPP}
    table.uns["histoscribe"] = about | {"pitch_um": step * MPP, "slide": str(folder / "slide.tif")}
    return table


def _prediction(folder, names) -> AnnData:
    genes = list(TRUST)
    values = np.random.default_rng(1).normal(5, 1, (len(XY), len(genes))).astype(np.float32)
    table = AnnData(values, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=pd.Index(genes)))
    table.obsm["spatial"] = XY.astype(float)
    table.layers["lower"], table.layers["upper"] = values - 1, values + 1
    columns = ["trusted", "depth_partial_pcc_gene", "depth_partial_pcc_gene_lower"]
    for k, column in enumerate(columns):
        table.var[column] = [TRUST[gene][k] for gene in genes]
    about = {"kind": "prediction", "unit": "ln(1 + counts per 10000)", "method": "ridge", "encoder": "colour"}
    about |= {"mpp": MPP, "step_um": STEP_PX * MPP, "spot_um": SPOT_PX * MPP, "slide": str(folder / "slide.tif")}
    about |= {"section": "a1", "donor": "d1", "level": 0.8, "calibration_unit": "donor", "n_units": 4}
    table.uns["histoscribe"] = about
    return table
