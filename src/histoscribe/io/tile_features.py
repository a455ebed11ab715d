"""Features that TRIDENT, CLAM or the HEST-Benchmark stored, joined onto a section's observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from histoscribe.core.errors import CoordinateError, DataError, ScaleError
from histoscribe.core.features import Features, FeatureSpec
from histoscribe.io._tile_files import SIDE_TOLERANCE, TileFile, check_same_image, nominal_um, read_tile_file, side_px

if TYPE_CHECKING:
    from pathlib import Path

    from histoscribe.core.section import Section

__all__ = ["attached", "read_hest_embeddings", "read_trident_features"]

#: Corners were cut to whole px, and the half of an odd side as well.
_WITHIN_PX = 2.0


def read_trident_features(
    path: Path | str,
    section: Section,
    *,
    encoder: str | None = None,
    within_um: float | None = None,
) -> Section:
    """Give a section the features of a TRIDENT or CLAM file.

    Observations are joined to tiles by name where the file has names, else by place: each takes the tile whose centre
    is nearest.

    Parameters
    ----------
    path
        The features' ``.h5``.
    section
        A section; its order stays.
    encoder
        Name of the features; by default what the file says.
    within_um
        How far a tile's centre may lie from its observation; by default 2 px, as corners are whole px.

    Returns
    -------
    The section with ``obsm["X_<encoder>"]``, ``(n, d)`` float32, equal to the file's to the bit, and its description.
    Tiles whose side differs from the nominal one by at most 5 % count as tiles of the nominal side, so that slides of
    one scanner can be learned from together.

    Raises
    ------
    DataError
        If the file has no features, or lacks some of the observations.
    CoordinateError
        If observations lie farther from every tile than `within_um`.
    """
    file = read_tile_file(path)
    if file.features is None:
        msg = f"{path} has tiles but no features. Give the file of features."
        raise DataError(msg)
    rows = _joined(file, section, within_um)
    return attached(section, file.features[rows], file, encoder)


def read_hest_embeddings(path: Path | str, section: Section, *, encoder: str) -> Section:
    """Give a section the features that the HEST-Benchmark stored, joined by barcode.

    Parameters
    ----------
    path
        ``.h5`` with `embeddings`, `barcodes` and `coords`.
    section
        The section of that sample.
    encoder
        Name of the features; the file does not say it.

    Returns
    -------
    The section with ``obsm["X_<encoder>"]``, float32 (half precision is widened, which changes no value). They are of
    tiles of 112 um at 0.5 um/px, as all of HEST's.
    """
    file = read_tile_file(path)
    if file.features is None or file.names is None:
        msg = f"{path} has no embeddings with barcodes. Give a file that the HEST-Benchmark wrote."
        raise DataError(msg)
    rows = _joined(file, section, None)
    spec = _spec(encoder, file.features.shape[1], side_um=112.0, tile_px=224)
    return _with(section, file.features[rows], spec)


def attached(section: Section, features: np.ndarray, file: TileFile, encoder: str | None) -> Section:
    """Return the section with features in its order, described as exactly as the file allows."""
    encoder = encoder or file.encoder
    if encoder is None:
        msg = f"{file.path} does not say which encoder made its features. Give encoder=<name>."
        raise DataError(msg)
    if (own := file.about.get("features")) and own["encoder"] == encoder:
        return _with(section, features, FeatureSpec.from_dict(own))
    side = side_px(file, section.slide)
    exact = None if side is None else side * section.mpp
    if exact is None:
        exact = min(section.grid.sides_um) if section.grid is not None else 0.0
    nominal = nominal_um(file.attributes)
    if nominal is None or abs(nominal / exact - 1) > SIDE_TOLERANCE:
        nominal = round(exact, 1)
    tile_px = int(file.attributes.get("patch_size", section.grid.tile_px if section.grid is not None else 224))
    return _with(section, features, _spec(encoder, features.shape[1], side_um=nominal, tile_px=tile_px))


def _joined(file: TileFile, section: Section, within_um: float | None) -> np.ndarray:
    """Return the file's row of each observation."""
    assert file.features is not None
    if file.names is not None and within_um is None:
        rows = (
            pd.Index(file.names).get_indexer(section.table.obs_names)
            if len(set(file.names)) == len(file.names)
            else None
        )
        if rows is not None and (rows >= 0).all():
            return rows
        lacking = (
            "has repeated names"
            if rows is None
            else (
                f"lacks {int((rows < 0).sum())} of {section.n_obs} observations of section {section.name!r} "
                f"(first {section.table.obs_names[rows < 0][0]})"
            )
        )
        msg = f"{file.path} {lacking}. Encode every tile of the section, or give within_um= to join by place."
        raise DataError(msg)
    if file.coords is None or not len(file.coords):
        what = f"{file.path} has no coords or no tiles, so it cannot be joined to section {section.name!r}"
        msg = f"{what}. Give a file with coords."
        raise CoordinateError(msg)
    if section.slide is not None:
        check_same_image(file, section.slide)
    side = side_px(file, section.slide)
    if file.centres is None and side is None:
        if section.grid is None:
            msg = f"{file.path} does not say how large its tiles are. Tile section {section.name!r} first (hs.tile)."
            raise ScaleError(msg)
        side = section.grid.side_px(min(section.grid.sides_um))
    centres = file.centres if file.centres is not None else file.coords + side / 2
    distance, rows = cKDTree(centres).query(section.xy)
    limit = _WITHIN_PX if within_um is None else within_um / section.mpp
    if (far := distance > limit).any():
        msg = (
            f"section {section.name!r}: {int(far.sum())} of {section.n_obs} observations lie more than {limit:.3g} px "
            f"from every tile of {file.path} (median {np.median(distance[far]):.4g} px). Use features of tiles around "
            "these observations, or give within_um= to take the nearest tile."
        )
        raise CoordinateError(msg)
    return rows


def _spec(encoder: str, dim: int, *, side_um: float, tile_px: int) -> FeatureSpec:
    geometry: dict[str, Any] = {"sides_um": [float(side_um)], "tile_px": tile_px, "read_mpp": side_um / tile_px}
    # Files name an encoder and not its weights: features of one name and length are taken to be of one network.
    return FeatureSpec(encoder, f"stored-{encoder}-{dim}", {f"{encoder}@{side_um:g}um": (0, dim)}, geometry)


def _with(section: Section, features: np.ndarray, spec: FeatureSpec) -> Section:
    table = section.table.copy()
    Features(np.ascontiguousarray(features, dtype=np.float32), spec).attach(table)
    return section.replace(table=table)
