"""TRIDENT's and CLAM's files: tiles as a section's observations, and features for a section that has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, ScaleError, SlideError
from histoscribe.core.grid import TileGrid
from histoscribe.core.section import Origin, Section
from histoscribe.core.units import check_mpp
from histoscribe.io._assemble import open_image
from histoscribe.io._files import content_digest
from histoscribe.io._tile_files import SIDE_TOLERANCE, TileFile, check_same_image, nominal_um, read_tile_file, side_px
from histoscribe.io.tile_features import attached

if TYPE_CHECKING:
    from histoscribe.core.pixels import PixelSource

__all__ = ["read_trident", "read_trident_coords"]

LOOKS_FOR = "an .h5 file with coords of tiles"


def looks_like(path: Path) -> bool:
    """Say whether `path` is an HDF5 file with tile corners, and not one of ready-cut images."""
    if not path.is_file() or path.suffix.lower() not in (".h5", ".hdf5"):
        return False
    try:
        with h5py.File(path) as file:
            return "coords" in file and not {"img", "imgs", "embeddings"} & set(file)
    except OSError:
        return False


def read_trident(
    path: Path,
    *,
    image: str | None = None,
    tiles: str | None = None,
    encoder: str | None = None,
    side_um: float | None = None,
    name: str | None = None,
    donor: str | None = None,
    species: str | None = None,
    mpp: float | None = None,
) -> Section:
    """Read a file of tile corners, with or without features, as a section without counts.

    The side of a tile in um is its side in px times the slide's exact um/px. A magnification only suggests it: it is
    rounded to 5, 10, 20, 40, and slides of 0.2125 and 0.274 um/px are both called 40x.

    Parameters
    ----------
    path
        ``<slide>_patches.h5``, or the features' ``<slide>.h5``.
    image
        The slide on which the tiles were laid, or ``"none"``.
    tiles
        File with the tiles' size, where `path` has features and corners alone (CLAM).
    encoder
        Name of the features; by default what the file or its folder ``features_<encoder>`` says.
    side_um
        Side of the tiles, um, where no file says it.
    name, donor, species
        Names; both names default to the file's.
    mpp
        um per px of the slide; needed where the slide does not state it.
    """
    file = read_tile_file(path)
    about = file.about
    image = image or about.get("slide") or ("none" if about else None)
    if image is None:
        msg = f"{path} does not say where its slide is. Give image=<path>, or image=none."
        raise SlideError(msg)
    name = name or about.get("section") or str(file.attributes.get("name") or path.stem.removesuffix("_patches"))
    slide = None if image == "none" else open_image(image, where=f"section {name!r}")
    sized = _with_size(file, tiles)
    section = _section(sized, slide, name=name, donor=donor, species=species, mpp=mpp, side_um=side_um)
    if file.features is None or (not len(file.features) and not file.features.shape[1]):
        return section
    return attached(section, file.features, file, encoder)


def read_trident_coords(
    path: Path | str,
    slide: PixelSource | Path | str,
    *,
    mpp: float | None = None,
    side_um: float | None = None,
    name: str | None = None,
    donor: str | None = None,
) -> Section:
    """Lay the tiles of a TRIDENT or CLAM file on a slide.

    Parameters
    ----------
    path
        The ``.h5`` with `coords`.
    slide
        An open slide, or its path.
    mpp, side_um, name, donor
        As for `read_trident`.

    Returns
    -------
    A section with an observation at each tile's centre, and `grid` set.
    """
    file = read_tile_file(path)
    name = name or file.about.get("section") or str(file.attributes.get("name") or file.path.stem)
    opened = open_image(slide, where=f"section {name!r}") if isinstance(slide, (str, Path)) else slide
    return _section(file, opened, name=name, donor=donor, species=None, mpp=mpp, side_um=side_um)


def _with_size(file: TileFile, tiles: str | None) -> TileFile:
    if tiles is None:
        return file
    sizes = read_tile_file(tiles)
    if file.coords is None or sizes.coords is None or not np.array_equal(file.coords, sizes.coords):
        msg = f"{file.path} and {tiles} hold different tiles. Give the file of tiles that the features were made from."
        raise CoordinateError(msg)
    return TileFile(
        file.path,
        sizes.coords,
        file.centres,
        file.names or sizes.names,
        file.features,
        sizes.attributes | file.attributes,
        file.about,
    )


def _section(
    file: TileFile,
    slide: PixelSource | None,
    *,
    name: str,
    donor: str | None,
    species: str | None,
    mpp: float | None,
    side_um: float | None,
) -> Section:
    about, where = file.about, f"section {name!r}"
    if file.coords is None:
        msg = f"{where}: {file.path} has no coords, so its tiles have no place. Give a file with coords."
        raise DataError(msg)
    if slide is not None:
        check_same_image(file, slide)
    mpp = mpp or about.get("mpp") or (None if slide is None else slide.mpp)
    mpp = check_mpp(mpp, where=where, remedy="Give mpp=<um per px of the slide>.")
    grid, notes = _grid(file, slide, mpp=mpp, side_um=side_um, where=where)
    if not len(grid):
        notes.append("the file holds no tile: no tissue was found on the slide")
    names = file.names or [f"x{x:g}y{y:g}" for x, y in file.coords]
    if len(set(names)) < len(names):
        names = [f"tile-{i + 1}" for i in range(len(names))]
        notes.append("tiles share corners or names, and are numbered")
    table = AnnData(obs=pd.DataFrame(index=pd.Index(names, dtype=object)))
    table.obsm[keys.SPATIAL] = grid.centres
    table.uns[keys.UNS] = {"notes": notes, "donor_stated": donor is not None or "donor" in about}
    return Section(
        table,
        slide,
        mpp,
        name,
        donor=donor or about.get("donor") or name,
        platform=str(about.get("platform", "trident")),
        species=species or about.get("species"),
        spot_um=about.get("spot_um"),
        pitch_um=about.get("pitch_um"),
        grid=grid,
        origin=Origin("", "", {}, content_digest([file.path])),
    )


def _grid(
    file: TileFile, slide: PixelSource | None, *, mpp: float, side_um: float | None, where: str
) -> tuple[TileGrid, list[str]]:
    """Return the tiles with their exact side, and what there is to say about it."""
    assert file.coords is not None
    notes: list[str] = []
    if own := file.about.get("grid"):
        centres = file.centres if file.centres is not None else file.coords + (side_px(file, slide) or 0.0) / 2
        return TileGrid(centres, tuple(own["sides_um"]), int(own["tile_px"]), mpp, float(own["read_mpp"])), notes
    side = side_um / mpp if side_um is not None else side_px(file, slide)
    if side is None:
        msg = f"{where}: {file.path} does not say how large its tiles are. Give tiles=<file of tiles> or side_um=<um>."
        raise ScaleError(msg)
    exact, nominal = side * mpp, nominal_um(file.attributes)
    if nominal is not None and abs(nominal / exact - 1) > SIDE_TOLERANCE:
        magnification = file.attributes["target_magnification"]
        notes.append(
            f"tiles are {exact:.4g} um a side; their magnification of {magnification:g} suggests {nominal:.4g} um, "
            f"{abs(nominal / exact - 1):.0%} off, because the slide is {mpp:.4g} um/px"
        )
    if float(file.attributes.get("custom_downsample", 1)) != 1:
        notes.append("custom_downsample is taken to enlarge the tile beyond patch_size; give side_um= if it does not")
    tile_px = int(file.attributes.get("patch_size_target", file.attributes.get("patch_size", round(side))))
    return TileGrid(file.coords + side / 2, (exact,), tile_px, mpp, exact / tile_px), notes
