"""Section: one tissue section: an AnnData, its slide, and the roles and units that tie them together."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import CoordinateError, DataError, GeneError
from histoscribe.core.units import check_mpp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.core.grid import TileGrid
    from histoscribe.core.pixels import PixelSource

__all__ = ["Origin", "Section", "Whole"]


@dataclass(frozen=True)
class Origin:
    """Where a section was read from, so that a record can name it and a control can read it again.

    Attributes
    ----------
    reader
        Registry name of the reader.
    path
        What was given to it.
    options
        Reader options, JSON values.
    digest
        SHA-256 over the content of the expression files (not the image), hex.
    """

    reader: str
    path: str
    options: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""


@dataclass(frozen=True, eq=False)
class Whole:
    """The section that another one is a part of: all of its places, and which of them are the part's.

    Attributes
    ----------
    xy
        ``(m, 2)`` float64 centres of the whole section's observations, level-0 px.
    rows
        ``(n,)`` row in `xy` of each observation of the part.
    """

    xy: np.ndarray
    rows: np.ndarray


@dataclass(frozen=True, eq=False)
class Section:
    """One tissue section.

    Attributes
    ----------
    table
        AnnData, observations x genes. ``obsm["spatial"]`` is (n, 2) float64 x, y of the observation's centre in
        level-0 px; ``layers["counts"]`` holds integer counts (csr) where expression was measured;
        ``obs["total_counts"]`` is the library size over all measured genes.
    slide
        Pixels, or None where there is no image.
    mpp
        um per level-0 px, derived or given, never assumed.
    name, donor
        Names; the donor is the unit of every split and interval.
    platform
        Reader name, e.g. ``"st-array"``.
    species
        ``"human"``, ``"mouse"``, ... or None where unknown.
    spot_um, pitch_um
        Diameter (or edge) of an observation and distance between neighbours, um; None where not applicable.
    grid
        Tiles, once `tile` made them.
    origin
        Where it was read from.
    whole
        Set on the parts of a divided section, so that its tiles are encoded once for all of them; None otherwise.
    """

    table: AnnData
    slide: PixelSource | None
    mpp: float
    name: str
    donor: str
    platform: str = "unknown"
    species: str | None = None
    spot_um: float | None = None
    pitch_um: float | None = None
    grid: TileGrid | None = None
    origin: Origin | None = None
    whole: Whole | None = None

    def __post_init__(self) -> None:
        where = f"section {self.name!r}"
        check_mpp(self.mpp, where=where)
        _check_unique(self.table.obs_names, what="observation", where=where, error=DataError)
        _check_unique(self.table.var_names, what="gene", where=where, error=GeneError)
        if keys.SPATIAL not in self.table.obsm:
            msg = f"{where} has no obsm['spatial']. Give x, y of each observation in level-0 px."
            raise CoordinateError(msg)
        xy = np.asarray(self.table.obsm[keys.SPATIAL])
        if xy.shape != (self.table.n_obs, 2) or not np.isfinite(xy.astype(float)).all():
            msg = (
                f"{where}: obsm['spatial'] has shape {xy.shape} or holds NaN; it must be ({self.table.n_obs}, 2) "
                "finite x, y in level-0 px. Drop observations without coordinates."
            )
            raise CoordinateError(msg)

    def __repr__(self) -> str:
        image = "no slide" if self.slide is None else f"{self.slide.size[0]} x {self.slide.size[1]} px"
        return (
            f"Section {self.name!r} (donor {self.donor!r}, {self.platform}): {self.n_obs} observations x "
            f"{self.table.n_vars} genes, {image} at {self.mpp:.4g} um/px"
        )

    @property
    def n_obs(self) -> int:
        """Number of observations."""
        return self.table.n_obs

    @property
    def xy(self) -> np.ndarray:
        """``(n, 2)`` float64 centres, level-0 px."""
        return np.asarray(self.table.obsm[keys.SPATIAL], dtype=np.float64)

    @property
    def xy_um(self) -> np.ndarray:
        """``(n, 2)`` float64 centres, um from the slide's top-left corner."""
        return self.xy * self.mpp

    @property
    def depth(self) -> np.ndarray:
        """``(n,)`` float64 total counts per observation over all measured genes.

        Raises
        ------
        DataError
            If the section has no measured expression.
        """
        if keys.DEPTH not in self.table.obs:
            msg = f"section {self.name!r} has no measured expression (obs['{keys.DEPTH}']). Give a measured section."
            raise DataError(msg)
        return self.table.obs[keys.DEPTH].to_numpy(dtype=np.float64)

    @property
    def measured(self) -> bool:
        """True where the section holds counts."""
        return keys.COUNTS in self.table.layers and self.table.n_vars > 0

    def replace(self, **changes: Any) -> Section:
        """Return a copy with some attributes changed; arrays are shared."""
        return replace(self, **changes)

    def subset(self, keep: np.ndarray, *, name: str | None = None) -> Section:
        """Return the observations where `keep` ((n,) bool, or indices) holds, tiles included."""
        keep = np.asarray(keep)
        grid = None if self.grid is None else replace(self.grid, centres=self.grid.centres[keep])
        whole = None if self.whole is None else replace(self.whole, rows=self.whole.rows[keep])
        return replace(self, table=self.table[keep].copy(), grid=grid, whole=whole, name=name or self.name)

    def divisible(self) -> Section:
        """Return the section with `whole` set, so that parts of it share what is computed from its slide."""
        return replace(self, whole=Whole(self.xy, np.arange(self.n_obs)))

    def undivided(self) -> Section | None:
        """Return the places and tiles of the section that this is a part of, without anything measured, or None."""
        if self.whole is None or len(self.whole.xy) == self.n_obs:
            return None
        table = AnnData(shape=(len(self.whole.xy), 0))
        table.obsm[keys.SPATIAL] = self.whole.xy
        grid = None if self.grid is None else replace(self.grid, centres=self.whole.xy)
        return replace(self, table=table, grid=grid, whole=None)

    def blind(self) -> Section:
        """Return the section without anything that was measured: positions, features and tiles stay.

        Array coordinates stay too (they are positions); every other column of `obs` goes, the depth among them.
        """
        kept = [c for c in (keys.ARRAY_ROW, keys.ARRAY_COL, keys.PADDED) if c in self.table.obs]
        table = AnnData(obs=self.table.obs[kept].copy())
        for slot, value in self.table.obsm.items():
            if slot == keys.SPATIAL or slot.startswith("X_"):
                table.obsm[slot] = value
        ours = self.table.uns.get(keys.UNS, {})
        if "features" in ours:
            table.uns[keys.UNS] = {"features": dict(ours["features"])}
            held = {keys.features(encoder) for encoder in ours["features"]}
            # Anything else called X_... (a PCA of the counts, say) is measured and goes.
            for slot in [s for s in table.obsm if s.startswith("X_") and s not in held]:
                del table.obsm[slot]
        else:
            for slot in [s for s in table.obsm if s != keys.SPATIAL]:
                del table.obsm[slot]
        return replace(self, table=table)

    def check(self, **options: Any) -> Any:
        """Judge whether observations lie on tissue, and what would fit; see `histoscribe.tiles.check`."""
        from importlib import import_module

        # By name: the check needs tissue masks, which live in a row above this one.
        return import_module("histoscribe.tiles.check").check(self, **options)


def _check_unique(names: Any, *, what: str, where: str, error: type[Exception]) -> None:
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        shown = ", ".join(map(str, repeated[:3]))
        msg = f"{where} names {len(repeated)} {what}s more than once ({shown}). Remove or merge the duplicates."
        raise error(msg)
