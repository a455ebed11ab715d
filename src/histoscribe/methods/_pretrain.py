"""The contract of slide pre-training: learn from slides, with or without expression, to give a slide one vector."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from histoscribe.core.errors import BundleError, DataError
from histoscribe.methods._bundle_file import read_bundle_file, write_bundle_file
from histoscribe.methods._slide_training import TrainingSlides, check_bags, describe_training, profiles_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    import pandas as pd
    from anndata import AnnData

    from histoscribe.core.bag import Bag
    from histoscribe.core.card import Card

__all__ = ["SlidePretrainer", "load_slide_pretrainer"]


class SlidePretrainer(ABC):
    """Learns vectors of slides without labels.

    An author writes `_fit`, `_embed`, and, where something is learned, `state` and `load_state`. They see features
    that are standardised by the training slides, and profiles that are standardised by gene. Arguments of `__init__`
    are keyword-only, stored under their own names, and JSON values.

    Attributes
    ----------
    card
        Facts; `card.name` is the registry name.
    presets
        Named sets of arguments.
    uses_expression
        Whether training slides need a profile; none is needed to embed.
    genes_, unit_
        Genes in the order of the network's inputs, and the unit of their values; empty without expression.
    encoder_
        What made the features; empty where the bags did not say.
    training_
        Names, donors, sites and digests of the training slides.
    scale_
        Moments of features (`centre`, `factor`) and of genes (`mean`, `sd`).
    """

    card: ClassVar[Card]
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    uses_expression: ClassVar[bool] = False

    genes_: list[str]
    unit_: str
    encoder_: str
    seed_: int
    training_: dict[str, Any]
    scale_: dict[str, np.ndarray]

    def params(self) -> dict[str, Any]:
        """Return the arguments of `__init__`, as JSON values."""
        return {name: value for name, value in vars(self).items() if not name.endswith("_")}

    def fit(
        self,
        bags: Sequence[Bag],
        expression: AnnData | pd.DataFrame | None = None,
        *,
        unit: str | None = None,
        seed: int = 0,
    ) -> Self:
        """Learn from slides.

        Parameters
        ----------
        bags
            Slides whose features come from one encoder, of two donors or more.
        expression
            Profiles with a row named like each slide (`io.rows_of_slides`), on a logarithmic scale. Methods without
            expression do not look at it.
        unit
            Unit of the values; default ``expression.uns["histoscribe"]["unit"]``.
        seed
            Seed of everything random.

        Returns
        -------
        The pretrainer itself, fitted.

        Raises
        ------
        DataError
            If slides are too few or of several encoders, or a slide has no profile.
        """
        check_bags(bags)
        if len({bag.donor for bag in bags}) < 2:
            msg = f"{len(bags)} slides are of one donor, {bags[0].donor}. Give slides of 2 donors or more."
            raise DataError(msg)
        values, self.genes_, self.unit_ = np.zeros((len(bags), 0), dtype=np.float32), [], ""
        if self.uses_expression:
            if expression is None:
                msg = f"{self.card.name} learns from slides and expression. Give a table with a row for each slide."
                raise DataError(msg)
            values, self.genes_, self.unit_ = profiles_of(bags, expression, unit)
        self.encoder_, self.seed_ = bags[0].encoder, seed
        data, self.scale_ = TrainingSlides.of(bags, values)
        self.training_ = describe_training(bags, values)
        self._fit(data, rng=np.random.default_rng(seed))
        return self

    def embed(self, bags: Sequence[Bag]) -> np.ndarray:
        """Return ``(n, d)`` float32 vectors of slides; a slide's depends on its own tiles alone.

        Raises
        ------
        BundleError
            If features are of another size or encoder than those that were learned from.
        """
        check_bags(bags, known=self)
        centre, factor = self.scale_["centre"], self.scale_["factor"]
        return np.stack([self._embed((bag.features - centre) * factor) for bag in bags]).astype(np.float32)

    @abstractmethod
    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        """Learn; set attributes ending in ``_``."""

    @abstractmethod
    def _embed(self, x: np.ndarray) -> np.ndarray:
        """Return the ``(d,)`` vector of a slide of ``(n, dim)`` standardised tiles."""

    def state(self) -> dict[str, np.ndarray]:
        """Return the learned arrays by name."""
        return {}

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned; `genes_` and `scale_` are there already."""
        del state

    def save(self, path: Path | str) -> Path:
        """Write one file: safetensors with JSON; no time and no path of the machine.

        It holds genes in order, unit, encoder, parameters, and names, donors and digests of the training slides.

        Raises
        ------
        StorageError
            If the disk is full; an older file stays as it was.
        """
        arrays = {f"method.{k}": v for k, v in self.state().items()} | {f"scale.{k}": v for k, v in self.scale_.items()}
        header = {"kind": "slide-pretraining", "method": self.card.name, "params": self.params()}
        header |= {"genes": self.genes_, "unit": self.unit_, "encoder": self.encoder_, "seed": self.seed_}
        header |= {"licence": self.card.licence, "training": self.training_}
        write_bundle_file(path, header, arrays)
        return Path(path)


def load_slide_pretrainer(path: Path | str) -> SlidePretrainer:
    """Read what `SlidePretrainer.save` wrote, of whatever method.

    Raises
    ------
    BundleError
        If the file is missing, damaged, of another kind, or of a method that is not here.
    """
    from histoscribe.methods import PRETRAINING

    header, arrays = read_bundle_file(Path(path), kind="slide-pretraining")
    if header["method"] not in PRETRAINING:
        msg = f"{path} was made by {header['method']!r}, which is not here. Install the plug-in that has it."
        raise BundleError(msg)
    model: SlidePretrainer = PRETRAINING.get(header["method"])(**header["params"])
    model.genes_, model.unit_, model.encoder_ = list(header["genes"]), header["unit"], header["encoder"]
    model.seed_, model.training_ = header["seed"], header["training"]
    parts = {p: {k.removeprefix(p): v for k, v in arrays.items() if k.startswith(p)} for p in ("method.", "scale.")}
    model.scale_ = parts["scale."]
    model.load_state(parts["method."])
    return model
