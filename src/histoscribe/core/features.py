"""Features: an encoder's output for a section, in named blocks, stored in the section's AnnData."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.core import keys
from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anndata import AnnData

__all__ = ["FeatureSpec", "Features"]


@dataclass(frozen=True)
class FeatureSpec:
    """How features were made: all that must agree between training and prediction.

    Attributes
    ----------
    encoder
        Registry name, parts of a concatenation joined by ``+``.
    fingerprint
        Names the encoder's weights and version.
    blocks
        Block name (``"efficientnet-lite0@112um"``) to (start, stop) columns, in order.
    geometry
        ``TileGrid.geometry()``: sides in um, tile px, read um/px.
    """

    encoder: str
    fingerprint: str
    blocks: Mapping[str, tuple[int, int]]
    geometry: Mapping[str, Any]

    @property
    def dim(self) -> int:
        """Number of columns."""
        return max((stop for _, stop in self.blocks.values()), default=0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "encoder": self.encoder,
            "fingerprint": self.fingerprint,
            "blocks": [[name, int(start), int(stop)] for name, (start, stop) in self.blocks.items()],
            "geometry": dict(self.geometry),
        }

    def describe(self, table: AnnData) -> None:
        """Write what the features are into ``uns["histoscribe"]["features"]`` of `table`, not the features."""
        import json

        ours = dict(table.uns.get(keys.UNS, {}))
        specs = dict(ours.get("features", {}))
        # JSON text: h5ad cannot store lists of mixed type, and a slash in a key would split it.
        specs[self.encoder] = json.dumps(self.to_dict())
        table.uns[keys.UNS] = ours | {"features": specs}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> FeatureSpec:
        """Rebuild from `to_dict`."""
        blocks = {name: (int(start), int(stop)) for name, start, stop in value["blocks"]}
        return cls(value["encoder"], value["fingerprint"], blocks, dict(value["geometry"]))


@dataclass(frozen=True)
class Features:
    """``(n, dim)`` float32 features and how they were made."""

    matrix: np.ndarray
    spec: FeatureSpec

    def attach(self, table: AnnData) -> None:
        """Write into ``obsm["X_<encoder>"]`` and ``uns["histoscribe"]["features"]`` of `table`."""
        if len(self.matrix) != table.n_obs:
            msg = f"{len(self.matrix)} rows of features for {table.n_obs} observations. Encode the section again."
            raise DataError(msg)
        table.obsm[keys.features(self.spec.encoder)] = self.matrix
        self.spec.describe(table)

    @classmethod
    def of(cls, table: AnnData, encoder: str | None = None, *, name: str = "section") -> Features:
        """Read the features of `encoder`, or the only ones there are.

        Raises
        ------
        DataError
            If the table has no such features, or several and none was named.
        """
        import json

        specs = dict(table.uns.get(keys.UNS, {}).get("features", {}))
        have = ", ".join(specs) or "none"
        if encoder is None and len(specs) != 1:
            msg = f"section {name!r} has features of {have}; exactly one is needed. Encode it or name an encoder."
            raise DataError(msg)
        encoder = encoder or next(iter(specs))
        if encoder not in specs:
            msg = (
                f"section {name!r} has no features of {encoder!r} (it has {have}). Run hs.encode(section, {encoder!r})."
            )
            raise DataError(msg)
        spec = FeatureSpec.from_dict(json.loads(specs[encoder]))
        return cls(np.asarray(table.obsm[keys.features(encoder)]), spec)
