"""The contract of every expression predictor: what an author writes, and what is done around it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.composition import CompositionTarget
from histoscribe.core.errors import BundleError, DataError, RegistryError
from histoscribe.core.features import Features, FeatureSpec
from histoscribe.core.target import Target
from histoscribe.methods.groups import grouping

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.core.card import Card
    from histoscribe.core.composition import AnyTarget
    from histoscribe.core.section import Section

__all__ = ["Predictor", "TrainingSection"]


@dataclass(frozen=True)
class TrainingSection:
    """What an author's `_fit` gets for one section.

    Attributes
    ----------
    section
        The section, blinded: positions, tiles, features and slide, no expression.
    y
        ``(n, g)`` float32 target of the panel.
    counts, depth
        ``(n, g)`` float32 raw counts of the panel and ``(n,)`` float64 library sizes, for count likelihoods; ``(n, 0)``
        and zeros where the target is no expression.
    groups
        ``(n,)`` labels of whom each observation is held out with in inner validation; see `methods.groups`.
    """

    section: Section
    y: np.ndarray
    counts: np.ndarray
    depth: np.ndarray
    groups: np.ndarray


class Predictor(ABC):
    """Predicts expression, or cell composition, from tiles or features.

    An author writes `_fit`, `_predict`, `state` and `load_state`; everything else is derived. Arguments of `__init__`
    are keyword-only, stored under their own names, and JSON values.

    Attributes
    ----------
    card
        Facts; `card.name` is the registry name.
    presets
        Named sets of arguments: published hyper-parameters, ``"laptop"`` for a CPU in minutes, ``"tiny"`` for the
        contract checks.
    default_encoder, default_size_um
        Features and tile sides (um) it is fitted on where nothing else is said.
    predicts_level
        False where predictions follow a gene's pattern but not its level, by design (a head without intercept that is
        judged by correlation alone); squared errors, R2 and intervals then mean nothing.
    learns
        Kinds of target it can learn: expression and composition, or one of them (a likelihood of counts).
    uses_pixels
        True where it reads the section's slide beyond the features it is given; such a section needs its slide.
    genes_
        The panel, in order.
    target_
        The transform that its output is in.
    spec_
        How its features were made, or None where it uses none.
    train_mean_
        ``(g,)`` mean target over the training observations: what R2 is measured against.
    """

    card: ClassVar[Card]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    default_encoder: ClassVar[str] = "efficientnet-lite0+colour"
    default_size_um: ClassVar[tuple[float, ...]] = (112.0,)
    uses_features: ClassVar[bool] = True
    uses_pixels: ClassVar[bool] = False
    predicts_level: ClassVar[bool] = True
    learns: ClassVar[tuple[str, ...]] = (Target.kind, CompositionTarget.kind)

    genes_: list[str]
    target_: AnyTarget
    spec_: FeatureSpec | None
    train_mean_: np.ndarray
    seed_: int

    def params(self) -> dict[str, Any]:
        """Return the arguments of `__init__`, as JSON values."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_")}

    def clone(self) -> Predictor:
        """Return an unfitted copy with the same arguments."""
        return type(self)(**self.params())

    def fit(
        self,
        sections: Sequence[Section],
        genes: int | Sequence[str] = 250,
        *,
        target: AnyTarget | None = None,
        encoder: str | None = None,
        seed: int = 0,
    ) -> Predictor:
        """Learn from measured sections.

        Parameters
        ----------
        sections
            Measured sections of the training donors, encoded where the method uses features.
        genes
            Panel in order, or how many genes of highest mean to choose from these sections; the cell types where
            composition is the target.
        target
            Transform of the counts; default ln(1 + CP10k) with full library size, or composition where that is all
            that the method learns.
        encoder
            Which features to use where sections hold several.
        seed
            Seed of everything random.

        Returns
        -------
        The predictor itself, fitted.
        """
        if not sections:
            msg = "no section to learn from. Give at least one measured section."
            raise DataError(msg)
        self.target_ = target or (Target() if Target.kind in self.learns else CompositionTarget())
        if self.target_.kind not in self.learns:
            msg = f"method {self.card.name!r} learns {' or '.join(self.learns)}, not {self.target_.kind}. Take another."
            raise RegistryError(msg)
        self.genes_ = self.target_.panel(sections, genes)
        self.seed_ = seed
        self.spec_ = _common_spec(sections, encoder) if self.uses_features else None
        groups = grouping(sections)[1]
        data = [
            TrainingSection(
                section.blind(),
                self.target_(section, self.genes_),
                *self.target_.counts(section, self.genes_),
                labels,
            )
            for section, labels in zip(sections, groups, strict=True)
        ]
        self.train_mean_ = np.concatenate([d.y for d in data]).mean(0, dtype=np.float64)
        self._fit(data, rng=np.random.default_rng(seed))
        return self

    def predict(self, section: Section) -> AnnData:
        """Predict the panel for every observation of `section`; its expression, if any, is never seen.

        Returns
        -------
        AnnData, observations x panel: ``X`` float32 in the unit of ``uns["histoscribe"]["unit"]``;
        ``obsm["spatial"]`` copied from the section; ``obsm["composition"]`` where composition was learned.
        """
        blind = section.blind()
        if self.spec_ is not None:
            check_spec(self.spec_, self.features(blind).spec, where=f"section {section.name!r}")
        values = np.asarray(self.target_.finish(self._predict(blind)), dtype=np.float32)
        var = pd.DataFrame(index=pd.Index(self.genes_, name=self.target_.axis))
        table = AnnData(X=values, obs=blind.table.obs.copy(), var=var)
        table.obsm[keys.SPATIAL] = blind.xy
        table.uns[keys.UNS] = {
            "unit": self.target_.unit,
            "target": json.dumps(self.target_.to_dict()),
            "method": self.card.name,
            "section": section.name,
        }
        self.target_.fill(table)
        return table

    @property
    def read_mpp(self) -> float | None:
        """Finest detail that it was fitted on, um/px; None where it reads no pixels."""
        return None if self.spec_ is None else float(self.spec_.geometry["read_mpp"])

    def n_parameters(self) -> int:
        """Return how many numbers were learned: the size of `state`."""
        return sum(int(value.size) for value in self.state().values())

    def features(self, section: Section) -> Features:
        """Return the features that this predictor was fitted on, for `section`."""
        assert self.spec_ is not None
        return Features.of(section.table, self.spec_.encoder, name=section.name)

    @abstractmethod
    def _fit(self, data: list[TrainingSection], *, rng: np.random.Generator) -> None:
        """Learn; set attributes ending in ``_``."""

    @abstractmethod
    def _predict(self, section: Section) -> np.ndarray:
        """Return ``(n, g)`` predictions in the target's unit for a blinded section."""

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """Return the learned arrays by name."""

    @abstractmethod
    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned."""


def _common_spec(sections: Sequence[Section], encoder: str | None) -> FeatureSpec:
    first = Features.of(sections[0].table, encoder, name=sections[0].name).spec
    for section in sections[1:]:
        check_spec(
            first, Features.of(section.table, first.encoder, name=section.name).spec, where=f"section {section.name!r}"
        )
    return first


def check_spec(expected: FeatureSpec, got: FeatureSpec, *, where: str) -> None:
    """Refuse features that were made otherwise than `expected`.

    Raises
    ------
    BundleError
        Naming each difference: encoder, weights, tile sides, tile px or resolution.
    """
    differences = []
    if got.encoder != expected.encoder or got.fingerprint != expected.fingerprint:
        differences.append(
            f"encoder {got.encoder} [{got.fingerprint}] instead of {expected.encoder} [{expected.fingerprint}]"
        )
    for key, value in expected.geometry.items():
        if got.geometry.get(key) != value:
            differences.append(f"{key} {got.geometry.get(key)} instead of {value}")
    if differences:
        msg = f"{where} was encoded with {'; '.join(differences)}. Encode it with the model's own settings."
        raise BundleError(msg)
