"""Write a section as SpatialData: image, shapes and table, in pixels and in um."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from histoscribe.core import keys
from histoscribe.core.errors import DataError, StorageError
from histoscribe.io._described import described_table
from histoscribe.io._table_names import allow_names
from histoscribe.io._write import refuse_existing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anndata import AnnData
    from spatialdata import SpatialData

    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section

__all__ = ["INSTANCE", "REGION", "UM", "need_spatialdata", "to_spatialdata", "write_spatialdata"]

ENDINGS = (".zarr",)

#: obs columns that tie a table to its shapes.
REGION, INSTANCE = "region", "instance_id"
#: Coordinate system in um; ``"global"`` is level-0 px of the slide.
UM = "um"
_CHUNK = 1024
#: The coarsest level's longer side is at most this, px.
_SMALLEST_PX = 1024


def need_spatialdata(what: str) -> None:
    """Import spatialdata, or say how to get it."""
    try:
        import spatialdata  # noqa: F401
    except ImportError as err:
        msg = f"{what} needs the package spatialdata. Run pip install 'histoscribe[spatialdata]'."
        raise DataError(msg) from err


def to_spatialdata(section: Section, *, image: bool = True) -> SpatialData:
    """Turn a section into a SpatialData object that shares its table's arrays.

    Parameters
    ----------
    section
        Any section.
    image
        Take the slide in, lazily: its pixels are read when the object is written or drawn.

    Returns
    -------
    SpatialData with ``images["slide"]`` (cyx, multi-scale), ``shapes["observations"]`` (circles of the spots' radius;
    squares where neighbours touch), and ``tables["table"]``, which annotates them by `region` and `instance_id`.
    Coordinate systems are ``"global"`` (level-0 px) and ``"um"``. Names that SpatialData forbids are replaced, and
    noted so that `from_spatialdata` brings them back.

    Raises
    ------
    DataError
        If spatialdata is not installed, or refuses something in the table.
    """
    need_spatialdata("SpatialData")
    from spatialdata import SpatialData
    from spatialdata.transformations import Identity, Scale

    frames = {"global": Identity(), UM: Scale([float(section.mpp)] * 2, axes=("x", "y"))}
    file = section.slide.path if section.slide is not None and section.slide.path.exists() else None
    table = described_table(section, slide=file)
    images = {"slide": _image(section.slide, frames)} if image and section.slide is not None else {}
    with _quiet():
        if not section.n_obs:
            return SpatialData(images=images, attrs={keys.UNS: dict(table.uns[keys.UNS])})
        shapes = {"observations": _shapes(section, frames)}
        return SpatialData(images=images, shapes=shapes, tables={"table": _table(table, section)})


def write_spatialdata(
    section: Section, path: Path, *, overwrite: bool = False, image: Literal["copy", "none"] = "copy"
) -> Path:
    """Write a section as a SpatialData Zarr store.

    The slide's pixels are copied, unchanged, level by level and a few chunks at a time.

    Parameters
    ----------
    section
        What to write.
    path
        The ``.zarr`` folder.
    overwrite
        Replace an existing store.
    image
        ``"copy"``, or ``"none"`` to leave the slide out.
    """
    refuse_existing(path, overwrite=overwrite)
    if image not in ("copy", "none"):
        msg = f"image={image!r} is not known. Choose copy or none."
        raise DataError(msg)
    if path.exists() and not any((path / name).is_file() for name in ("zarr.json", ".zgroup")):
        msg = f"{path} is not a Zarr store, so it is not replaced. Give another path."
        raise StorageError(msg)
    data = to_spatialdata(section, image=image == "copy")
    with _folder(path) as temporary, _quiet():
        data.write(temporary)
    return path


@contextmanager
def _folder(path: Path) -> Iterator[Path]:
    """Give a temporary folder that takes the place of `path` when the block ends well."""
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}.", suffix=".partial"))
        new, old = temporary / "new.zarr", temporary / "old.zarr"
        yield new
        if path.exists():
            path.replace(old)
        try:
            new.replace(path)
        except OSError:
            if old.exists():
                old.replace(path)
            raise
    except OSError as err:
        msg = f"cannot write {path}: {err.strerror or err}. Free some space or choose another place; nothing was lost."
        raise StorageError(msg) from err
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what spatialdata 0.7 and its libraries say to their developers while they write."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.filterwarnings("ignore", message=".*autosharding.*")
        yield


def _table(table: AnnData, section: Section) -> AnnData:
    from spatialdata.models import TableModel

    # A reduced image for scanpy is not needed beside the image itself.
    table.uns = {k: v for k, v in table.uns.items() if k not in ("spatial", "spatialdata_attrs")}
    allow_names(table)
    # The observations' own columns keep their names.
    region, instance = (_free(name, table.obs.columns) for name in (REGION, INSTANCE))
    table.obs[region] = pd.Categorical(["observations"] * table.n_obs)
    table.obs[instance] = table.obs_names.to_numpy().astype(str)
    try:
        return TableModel.parse(table, region="observations", region_key=region, instance_key=instance)
    except (ValueError, TypeError) as err:
        why = " ".join(str(err).split())[:300]
        msg = f"section {section.name!r} cannot become a SpatialData table ({why}). Rename or drop what is named there."
        raise DataError(msg) from err


def _free(name: str, taken: Iterable[Any]) -> str:
    """Return `name`, numbered where a column of that name exists in any case."""
    folded = {str(t).casefold() for t in taken}
    return next(
        n for i in range(len(folded) + 1) if (n := name if not i else f"{name}_{i + 1}").casefold() not in folded
    )


def _shapes(section: Section, frames: dict[str, Any]) -> Any:
    from spatialdata.models import ShapesModel

    xy, index = section.xy, pd.Index(section.table.obs_names.astype(str))
    size_um = section.spot_um or section.pitch_um
    # Without a size, a circle of one px stands for a point: circles are what a table can annotate everywhere.
    radius = 0.5 if size_um is None else size_um / section.mpp / 2
    touching = section.spot_um is not None and section.pitch_um is not None and section.spot_um >= section.pitch_um
    if not touching:
        return ShapesModel.parse(xy, geometry=0, radius=radius, index=index, transformations=frames)
    import geopandas
    import shapely

    squares = shapely.box(*(xy - radius).T, *(xy + radius).T)
    return ShapesModel.parse(geopandas.GeoDataFrame(geometry=squares, index=index), transformations=frames)


def _image(slide: PixelSource, frames: dict[str, Any]) -> Any:
    """Make a lazy multi-scale image; each level is read from the slide's own nearest one."""
    from spatialdata.models import Image2DModel
    from spatialdata.transformations import set_transformation
    from xarray import Dataset, DataTree

    width, height = slide.size
    factors = [1]
    while max(width, height) / factors[-1] > _SMALLEST_PX:
        factors.append(factors[-1] * 2)
    if len(factors) == 1:
        return Image2DModel.parse(
            _lazy(slide, 1), dims=("c", "y", "x"), c_coords=["r", "g", "b"], transformations=frames
        )
    levels = {}
    for i, factor in enumerate(factors):
        level = Image2DModel.parse(_lazy(slide, factor), dims=("c", "y", "x"), c_coords=["r", "g", "b"])
        n_y, n_x = level.shape[1:]
        level = level.assign_coords(y=(np.arange(n_y) + 0.5) * factor, x=(np.arange(n_x) + 0.5) * factor)
        levels[f"scale{i}"] = Dataset({"image": level})
    tree = DataTree.from_dict(levels)
    set_transformation(tree, frames, set_all=True)
    Image2DModel().validate(tree)
    return tree


def _lazy(slide: PixelSource, factor: int) -> Any:
    import dask.array as da

    level = _Level(slide, factor)
    return da.from_array(
        level, chunks=(3, _CHUNK, _CHUNK), name=False, asarray=False, meta=np.empty((0, 0, 0), np.uint8)
    )


class _Level:
    """A slide at 1 / `factor` of its resolution, as an array of (c, y, x) that dask cuts into chunks."""

    dtype = np.dtype(np.uint8)
    ndim = 3

    def __init__(self, slide: PixelSource, factor: int) -> None:
        self._slide, self._factor = slide, factor
        width, height = slide.size
        self.shape = (3, max(1, height // factor), max(1, width // factor))

    def __getitem__(self, index: tuple[slice, slice, slice]) -> np.ndarray:
        channel, rows, columns = index
        (top, bottom, _), (left, right, _) = rows.indices(self.shape[1]), columns.indices(self.shape[2])
        out = (right - left, bottom - top)
        f = self._factor
        found = self._slide.region(left * f, top * f, width=out[0] * f, height=out[1] * f, out=out)
        return np.ascontiguousarray(found.pixels.transpose(2, 0, 1))[channel]
