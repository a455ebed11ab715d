"""Bundles: the fitted models that were given, and what the page shows of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoscribe.core.errors import HistoScribeError
from histoscribe.core.files import digest
from histoscribe.studio._error import StudioError, parts_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from histoscribe.methods.bundle import Bundle

__all__ = ["BundleFacts", "Bundles"]


@dataclass(frozen=True)
class BundleFacts:
    """What is shown of a bundle."""

    id: str
    name: str
    method: str
    encoder: str
    n_genes: int
    tile_um: float | None
    trained_on: list[str]
    licence: str | None


class Bundles:
    """Bundles under ids that say nothing of their paths."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths: dict[str, Path] = {}
        self.add(paths)

    def add(self, paths: Sequence[Path]) -> None:
        """Add bundles."""
        # A new table, so that one who goes through the old one is not disturbed.
        self._paths = self._paths | {digest("bundle", str(p.resolve())): p.resolve() for p in paths}

    def path(self, key: str) -> Path:
        """Return a bundle's file, or raise status 404."""
        if key not in self._paths:
            todo = "Ask for one that /api/bundles lists, or start the studio with a bundle."
            raise StudioError(404, "there is no such bundle.", where="bundles", todo=todo)
        return self._paths[key]

    def load(self, key: str) -> Bundle:
        """Read a bundle, or raise status 422 where it is damaged."""
        from histoscribe.methods.bundle import Bundle

        path = self.path(key)
        try:
            return Bundle.load(path)
        except HistoScribeError as err:
            parts = parts_of(err, where=path.name)
            raise StudioError(422, parts.what, where=parts.where, todo=parts.todo) from err

    def facts(self) -> list[BundleFacts]:
        """Return what is shown of each bundle that can be read."""
        return [_facts(key, path.name, self.load(key)) for key, path in self._paths.items()]


def _facts(key: str, name: str, bundle: Bundle) -> BundleFacts:
    spec, training = bundle.predictor.spec_, bundle.provenance.get("training", [])
    donors = sorted({str(one["donor"]) for one in training})
    return BundleFacts(
        id=key,
        name=name.removesuffix(".bundle"),
        method=bundle.predictor.card.name,
        encoder="none" if spec is None else spec.encoder,
        n_genes=len(bundle.genes),
        tile_um=None if spec is None else float(min(spec.geometry["sides_um"])),
        trained_on=[f"{one['name']} (donor {one['donor']})" for one in training] or donors,
        licence=bundle.provenance.get("licence"),
    )
