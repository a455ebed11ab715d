"""wsidata: a stand-in of SpatialData and the few attributes that the adapter uses; the real class where installed."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import histoscribe as hs
from histoscribe.core.errors import CoordinateError, DataError, ScaleError
from histoscribe.core.features import Features
from histoscribe.io import from_wsidata, to_wsidata
from histoscribe.slide import write_tiff
from histoscribe.testing import make_section

sd = pytest.importorskip("spatialdata")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


def tiles(boxes, ids):
    geopandas, shapely = pytest.importorskip("geopandas"), pytest.importorskip("shapely")
    boxes = np.asarray(boxes, dtype=float)
    columns = {"tile_id": ids, "x": boxes[:, 0], "y": boxes[:, 1], "tissue_id": 0}
    return sd.models.ShapesModel.parse(geopandas.GeoDataFrame(columns, geometry=shapely.box(*boxes.T)))


def feature_table(values, ids, region="tiles"):
    obs = pd.DataFrame({"tile_id": ids, "library_id": pd.Categorical([region] * len(ids))}, index=np.asarray(ids, str))
    table = AnnData(np.asarray(values, np.float32), obs=obs)
    return sd.models.TableModel.parse(table, region=region, region_key="library_id", instance_key="tile_id")


@pytest.fixture
def slide(tmp_path):
    made = make_section(size_um=600.0, mpp=1.0)
    return write_tiff(made.slide, tmp_path / "case-1.tif", mpp=1.0)


@pytest.fixture
def wsi(slide):
    """What `lazyslide.pp.tile_tissues(wsi, 56, mpp=2)` and feature extraction leave behind, rows in another order."""
    boxes = [[x, y, x + 112, y + 112] for y in (100, 212) for x in (50, 162, 274)]
    data = sd.SpatialData(
        shapes={"tiles": tiles(boxes, np.arange(6))},
        tables={"uni_tiles": feature_table(np.arange(12).reshape(6, 2)[::-1], np.arange(6)[::-1])},
    )
    spec = SimpleNamespace(width=56, height=56, mpp=2.0, base_width=112)
    return SimpleNamespace(
        shapes=data.shapes,
        tables=data.tables,
        properties=SimpleNamespace(mpp=1.0, shape=[600, 600]),
        reader=SimpleNamespace(file=str(slide)),
        tile_spec=lambda key: spec if key == "tiles" else None,
    )


def test_tiles_and_features_become_a_section(wsi):
    section = from_wsidata(wsi, donor="P1")
    assert (section.name, section.donor, section.mpp, section.n_obs) == ("case-1", "P1", 1.0, 6)
    assert section.xy[1].tolist() == [218.0, 156.0]
    assert (section.grid.sides_um, section.grid.tile_px, section.grid.read_mpp) == ((112.0,), 56, 2.0)
    found = Features.of(section.table, "uni")
    np.testing.assert_array_equal(found.matrix, np.arange(12).reshape(6, 2))
    assert found.spec.geometry == {"sides_um": [112.0], "tile_px": 56, "read_mpp": 2.0}
    again = hs.encode(hs.tile(section, 112.0), "colour")
    assert Features.of(again.table, "colour").matrix.shape[0] == 6


def test_a_table_over_the_tiles_goes_back(wsi):
    section = from_wsidata(wsi)
    result = AnnData(np.arange(18.0).reshape(6, 3)[:4], obs=section.table.obs[:4].copy())
    result.obs["T cell/CD8"] = 1.0
    to_wsidata(wsi, result, "expression")
    stored = wsi.tables["expression"]
    assert stored.uns["spatialdata_attrs"]["region"] == "tiles"
    assert stored.obs["tile_id"].tolist() == [0, 1, 2, 3]
    assert "T_cell_CD8" in stored.obs
    np.testing.assert_array_equal(stored.X, result.X)
    with pytest.raises(DataError, match="has a table 'expression' already"):
        to_wsidata(wsi, result, "expression")


def test_what_does_not_fit_is_refused(wsi):
    with pytest.raises(DataError, match=r"has no tiles 'cells' \(it has tiles\)"):
        from_wsidata(wsi, tile_key="cells")
    wsi.tables["short_tiles"] = feature_table(np.ones((2, 2)), [0, 1])
    with pytest.raises(DataError, match="features 'short_tiles' lack 4 of 6 tiles"):
        from_wsidata(wsi)
    wsi.shapes["uneven"] = tiles([[0, 0, 10, 10], [0, 0, 10, 12]], [0, 1])
    with pytest.raises(ScaleError, match="sides of 10 to 12 px; squares of one size are needed"):
        from_wsidata(wsi, tile_key="uneven")
    wsi.properties.shape = [10, 10]
    with pytest.raises(CoordinateError, match=r"has \(600, 600\) px, but the object's slide \(10, 10\)"):
        from_wsidata(wsi)


def test_the_real_class_has_what_the_adapter_uses(slide):
    wsidata = pytest.importorskip("wsidata")
    from wsidata.io import add_features, add_tiles

    wsi = wsidata.open_wsi(slide)
    spec = wsidata.TileSpec.from_wsidata(wsi, 56, mpp=2.0)
    add_tiles(wsi, "tiles", np.array([[50, 100], [162, 100]]), spec, np.zeros(2, int))
    add_features(wsi, "uni_tiles", "tiles", np.arange(4, dtype=np.float32).reshape(2, 2))
    section = from_wsidata(wsi)
    assert section.xy.tolist() == [[106.0, 156.0], [218.0, 156.0]]
    assert (section.grid.sides_um, section.mpp) == ((112.0,), 1.0)
    np.testing.assert_array_equal(Features.of(section.table, "uni").matrix, [[0, 1], [2, 3]])
    to_wsidata(wsi, AnnData(np.ones((2, 3)), obs=section.table.obs[[]].copy()), "expression")
    assert wsi.tables["expression"].n_vars == 3
