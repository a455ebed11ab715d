"""What the contract checks of methods run on: planted sections, a panel of its own order, and one fitted method."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.grid import TileGrid
from histoscribe.encoders import split_name, split_names
from histoscribe.methods import EXPRESSION
from histoscribe.methods.train import prepare
from histoscribe.testing._feature_sections import make_feature_sections
from histoscribe.testing._sections import make_section
from histoscribe.testing._truth import Truth

if TYPE_CHECKING:
    from histoscribe.core.section import Section
    from histoscribe.methods._expression import Predictor

__all__ = ["Subject", "find", "fitted"]


@dataclass(frozen=True, eq=False)
class Subject:
    """A method, sections to learn from, one to predict, a panel in an order of its own, and the features' encoder.

    `encoder` is None where the features are drawn (no pixels) or none are used.
    """

    cls: type[Predictor]
    name: str | None
    training: tuple[Section, ...]
    new: Section
    panel: tuple[str, ...]
    encoder: str | None = None

    def make(self) -> Predictor:
        """Make the method, quick where it has a preset for that."""
        return self.cls(**self.cls.presets.get("tiny", {}))

    def fit(self, *, seed: int = 1) -> Predictor:
        """Fit it anew."""
        return self.make().fit(list(self.training), self.panel, seed=seed)


def find(method: str | type[Predictor]) -> Subject:
    """Return what to check a method on, by what it declares to use."""
    cls = EXPRESSION.get(method) if isinstance(method, str) else method
    encoder = None
    if not cls.uses_features:
        sections = _pixel_study()
    elif cls.uses_pixels:
        encoder = _quick(cls.default_encoder)
        sections = _encoded_study(encoder, tuple(cls.default_size_um))
    else:
        sections = _feature_study()
    names = [str(g) for g in Truth.of(sections[0]).genes if not str(g).startswith(("REST", "DEPTH"))]
    # Not the order of the files: a method that sorts genes or takes the first ones is found out.
    panel = tuple(np.random.default_rng(3).permutation(names)[:12].tolist())
    return Subject(cls, method if isinstance(method, str) else None, sections[:-1], sections[-1], panel, encoder)


@cache
def _feature_study() -> tuple[Section, ...]:
    return tuple(make_feature_sections(5, 81, seed=5, n_genes=9, n_null=3, donor_effect=0.05))


@cache
def _pixel_study() -> tuple[Section, ...]:
    genes = {"nuclear-density": 3, "gland": 3, "stroma": 3, "null": 3, "rest": 60}
    sections = [make_section(d, seed=5, genes=genes, donor_effect=0.05) for d in range(5)]
    return tuple(s.replace(grid=TileGrid(s.xy, (112.0,), 224, s.mpp, s.mpp)) for s in sections)


@cache
def _encoded_study(encoder: str, sides_um: tuple[float, ...]) -> tuple[Section, ...]:
    return tuple(prepare(list(_pixel_study()), encoder, size_um=sides_um, show=False))


def _quick(encoder: str) -> str:
    """Put colour statistics in place of each network, with the same pooling: a check must not take minutes."""
    poolings = [split_name(part)[1:] for part in split_names(encoder)]
    return "+".join(dict.fromkeys(f"colour[{kind}{k}]" if kind else "colour" for kind, k in poolings))


@cache
def fitted(method: str | type[Predictor]) -> Predictor:
    """Fit once for all checks that only look at a fitted method."""
    return find(method).fit()
