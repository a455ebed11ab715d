"""A slide, a section and a prediction of it, small and seeded, and a studio that shows them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from PIL import Image

from histoscribe.slide import open_slide, write_tiff
from histoscribe.studio import Studio, create_app

MPP, SPOT_UM, STEP_PX = 0.5, 55.0, 200
WIDTH, HEIGHT = 1500, 1100
GENES = ["ERBB2", "ERBB3", "KRT8", "COL1A1", "ACTB", "MALAT1"]
HOSTS = "http://127.0.0.1:8710"


def tissue(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """Smooth colours that differ everywhere, so that a tile in a wrong place or of wrong colours is seen."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    red, green, blue = 150 + 90 * x, 80 + 120 * y, 130 + 60 * np.sin(9 * x) * np.cos(7 * y)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Folder with ``flat.png``, ``flat.jpg``, ``slide.tif`` (JPEG tiles), ``section.h5ad`` and ``prediction.h5ad``."""
    folder = tmp_path_factory.mktemp("studio")
    image = Image.fromarray(tissue())
    image.save(folder / "flat.png")
    image.save(folder / "flat.jpg", quality=95)
    write_tiff(open_slide(folder / "flat.png"), folder / "slide.tif", mpp=MPP, compression="jpeg")
    section = _section(folder)
    section.write_h5ad(folder / "section.h5ad")
    _prediction(folder, section).write_h5ad(folder / "prediction.h5ad")
    return folder


def _section(folder) -> AnnData:
    rng = np.random.default_rng(0)
    columns, rows = np.meshgrid(np.arange(6), np.arange(4))
    xy = (np.column_stack([columns.ravel(), rows.ravel()]) + 1.0) * STEP_PX
    counts = rng.poisson(4, (24, len(GENES)))
    counts[:12, 0] += 40  # ERBB2 marks the upper half
    names = pd.Index([f"spot{i}" for i in range(24)])
    obs = pd.DataFrame({"domain": pd.Categorical(["tumour"] * 12 + ["stroma"] * 12)}, index=names)
    table = AnnData(obs=obs, var=pd.DataFrame(index=pd.Index(GENES)), obsm={"spatial": xy})
    table.layers["counts"] = sp.csr_matrix(counts)
    table.obs["total_counts"] = counts.sum(1).astype(float)
    table.obsm["composition"] = np.full((24, 2), 0.5)
    about = {"section": "s1", "donor": "d1", "mpp": MPP, "platform": "h5ad", "spot_um": SPOT_UM}
    about |= {"pitch_um": STEP_PX * MPP, "slide": str(folder / "slide.tif"), "cell_types": ["T cell", "B cell"]}
    table.uns["histoscribe"] = about
    return table


def _prediction(folder, section: AnnData) -> AnnData:
    values = np.random.default_rng(1).normal(5, 1, (24, 3)).astype(np.float32)
    table = AnnData(values, obs=pd.DataFrame(index=section.obs_names), var=pd.DataFrame(index=pd.Index(GENES[:3])))
    table.obsm["spatial"] = section.obsm["spatial"]
    table.layers["lower"], table.layers["upper"] = values - 1, values + 1
    table.var["trusted"] = [True, False, False]
    table.var["depth_partial_pcc_gene"] = [0.5, 0.2, -0.1]
    table.var["depth_partial_pcc_gene_lower"] = [0.3, -0.1, -0.4]
    about = {"kind": "prediction", "unit": "ln(1 + counts per 10000)", "method": "ridge", "encoder": "colour"}
    about |= {"mpp": MPP, "step_um": STEP_PX * MPP, "spot_um": SPOT_UM, "slide": str(folder / "slide.tif")}
    about |= {"section": "s1", "donor": "d1", "level": 0.8, "calibration_unit": "donor", "n_units": 4}
    table.uns["histoscribe"] = about
    return table


@pytest.fixture
def make_client(tmp_path):
    """Open a client on a studio of some paths; everything is closed at the end."""
    from starlette.testclient import TestClient

    opened = []

    def make(*paths, limits=None, results=None, **options):
        studio = Studio.of([str(p) for p in paths], work=tmp_path / "work", results=results or tmp_path / "results")
        if limits is not None:
            studio.limits = limits
        app = create_app(studio, **options)
        client = TestClient(app, base_url=HOSTS, raise_server_exceptions=False, client=("127.0.0.1", 1))
        client.studio = studio
        opened.append(studio)
        return client

    yield make
    for studio in opened:
        studio.close()


@pytest.fixture(scope="session")
def shown(files, tmp_path_factory):
    """A studio on slide, section and prediction, all opened, and its application: for tests that change neither."""
    folder = tmp_path_factory.mktemp("shown")
    paths = [str(files / name) for name in ("slide.tif", "section.h5ad", "prediction.h5ad")]
    studio = Studio.of(paths, work=folder / "work", results=folder / "results")
    for item in studio.items:
        studio.items.open(item)
    yield studio, create_app(studio)
    studio.close()


@pytest.fixture
def client(shown):
    """A client on slide, section and prediction."""
    from starlette.testclient import TestClient

    studio, app = shown
    found = TestClient(app, base_url=HOSTS, raise_server_exceptions=False, client=("127.0.0.1", 1))
    found.studio = studio
    return found


@pytest.fixture
def ids(client):
    """Kind to id."""
    return {item.kind: item.id for item in client.studio.items}


def assert_told(answer, status):
    """Check that an error has its three parts, and says nothing of this machine."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) == {"what", "where", "todo"}
    assert all(isinstance(part, str) for part in error.values())
    assert error["what"]
    assert "Traceback" not in answer.text
    assert "/tmp" not in answer.text
    return error
