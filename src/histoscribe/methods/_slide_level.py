"""The contract of slide-level regressors: bags of tiles to bulk expression, and to maps of it."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import DataError, GeneError
from histoscribe.methods._bundle_file import FORMAT, read_bundle_file, write_bundle_file
from histoscribe.methods._slide_training import TrainingSlides, check_bags, describe_training, profiles_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.core.bag import Bag
    from histoscribe.core.card import Card

__all__ = ["SlideRegressor", "load_slide_regressor"]

#: Tiles that are mapped at once: 256 tiles x 20,530 genes are 21 MB.
_CHUNK = 256


class SlideRegressor(ABC):
    """Predicts one profile for each slide from the features of its tiles.

    An author writes `_fit`, `_predict`, `state` and `load_state`, and `_predict_tiles` or `_attention` where a tile
    has a prediction or a weight of its own. They see features that are standardised by the training slides (each
    counts alike, however many tiles it has) and targets that are standardised per gene. Arguments of `__init__` are
    keyword-only, stored under their own names, and JSON values.

    Attributes
    ----------
    card
        Facts; `card.name` is the registry name.
    has_maps, has_attention
        Whether there are predictions, and weights, of single tiles.
    genes_, unit_
        The genes in order, and the unit of their values.
    encoder_
        What made the features it was fitted on; empty where the bags did not say.
    """

    card: ClassVar[Card]
    has_maps: ClassVar[bool] = True
    has_attention: ClassVar[bool] = False

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
        self, bags: Sequence[Bag], expression: AnnData | pd.DataFrame, *, unit: str | None = None, seed: int = 0
    ) -> SlideRegressor:
        """Learn from slides of known bulk expression.

        Parameters
        ----------
        bags
            Training slides. A constant feature, and a gene that is constant over them, are left alone.
        expression
            Profiles, samples x genes, on a logarithmic scale: one row for each slide, named like it
            (`io.rows_of_slides` renames the samples of TCGA). Further rows are not looked at.
        unit
            Unit of the values, e.g. ``"log2(RSEM+1)"``; default ``expression.uns["histoscribe"]["unit"]``.
        seed
            Seed of everything random.

        Returns
        -------
        The regressor itself, fitted.
        """
        check_bags(bags)
        values, self.genes_, self.unit_ = profiles_of(bags, expression, unit)
        self.encoder_, self.seed_ = bags[0].encoder, seed
        data, self.scale_ = TrainingSlides.of(bags, values)
        self.training_ = describe_training(bags, values)
        self._fit(data, rng=np.random.default_rng(seed))
        return self

    def predict(self, bags: Sequence[Bag]) -> AnnData:
        """Predict the profile of each slide.

        Returns
        -------
        AnnData, slides x genes: ``X`` float32 in the unit of ``uns["histoscribe"]["unit"]``; ``obs``: `donor`, `site`,
        `n_tiles`. A slide's row depends on its own tiles alone.
        """
        check_bags(bags, known=self)
        X = np.stack([self._back(self._predict(self._scaled(bag.features))) for bag in bags])
        obs = {"donor": [b.donor for b in bags], "site": [b.site for b in bags]}
        frame = pd.DataFrame(obs | {"n_tiles": [len(b.features) for b in bags]}, index=[b.name for b in bags])
        return self._table(X, frame, self.genes_)

    def predict_tiles(self, bag: Bag, *, genes: Sequence[str] | None = None) -> AnnData:
        """Map a slide: what each tile says of the profile.

        Parameters
        ----------
        bag
            One slide.
        genes
            Which genes to map; default all. 10,000 tiles x 20,530 genes are 0.8 GB.

        Returns
        -------
        AnnData, tiles x genes: ``X`` float32, unit as `predict`; ``obsm["spatial_um"]`` where the bag has positions;
        ``obs["attention"]``, mean over heads, where the method has it. Bulk says nothing of single tiles: the maps
        are the model's own account, to be checked against measured sections before they are believed.

        Raises
        ------
        DataError
            If the method has no maps.
        GeneError
            If a gene is not in the model.
        """
        check_bags([bag], known=self)
        if not self.has_maps:
            msg = f"slide {bag.name}: {self.card.name} predicts nothing of single tiles. Use a method with maps."
            raise DataError(msg)
        panel = self.genes_ if genes is None else list(genes)
        columns = pd.Index(self.genes_).get_indexer(pd.Index(panel))
        if (columns < 0).any():
            lacking = [g for g, c in zip(panel, columns, strict=True) if c < 0]
            msg = f"the model has no gene {', '.join(lacking[:5])} ({len(lacking)} of {len(panel)}). Leave them out."
            raise GeneError(msg)
        x = self._scaled(bag.features)
        starts = range(0, len(x), _CHUNK)
        X = np.concatenate([self._back(self._predict_tiles(x[i : i + _CHUNK]))[:, columns] for i in starts])
        obs = pd.DataFrame(index=[f"{bag.name} {i}" for i in range(len(x))])
        if self.has_attention:
            obs["attention"] = self._attention(x).mean(0)
        table = self._table(X, obs, panel)
        if bag.xy_um is not None:
            table.obsm[keys.SPATIAL_UM] = bag.xy_um
        return table

    def attention(self, bag: Bag) -> np.ndarray:
        """Return the ``(heads, n)`` weights of a slide's tiles; each row sums to 1.

        Raises
        ------
        DataError
            If the method has no attention.
        """
        check_bags([bag], known=self)
        if not self.has_attention:
            msg = f"slide {bag.name}: {self.card.name} gives tiles no weights. Use a method with attention."
            raise DataError(msg)
        return self._attention(self._scaled(bag.features))

    def save(self, path: Path | str) -> Path:
        """Write one file: safetensors with JSON; no time and no path of the machine.

        It holds genes, unit, encoder, parameters, licence, and the names, donors, sites and digests of the training
        slides.
        """
        arrays = {f"method.{k}": v for k, v in self.state().items()} | {f"scale.{k}": v for k, v in self.scale_.items()}
        write_bundle_file(path, self._header(), arrays)
        return Path(path)

    def _header(self) -> dict[str, Any]:
        card = self.card
        return {
            "format": FORMAT,
            "kind": "slide-level",
            "method": card.name,
            "params": self.params(),
            "genes": self.genes_,
            "unit": self.unit_,
            "encoder": self.encoder_,
            "seed": self.seed_,
            "licence": card.licence,
            "gated": card.gated,
            "training": self.training_,
        }

    def _scaled(self, features: np.ndarray) -> np.ndarray:
        return (features - self.scale_["centre"]) * self.scale_["factor"]

    def _back(self, standardised: np.ndarray) -> np.ndarray:
        return np.asarray(standardised * self.scale_["sd"] + self.scale_["mean"], dtype=np.float32)

    def _table(self, X: np.ndarray, obs: pd.DataFrame, genes: Sequence[str]) -> AnnData:
        table = AnnData(X=X, obs=obs, var=pd.DataFrame(index=pd.Index(list(genes), name="gene")))
        params = json.dumps(self.params())
        facts = {"unit": self.unit_, "method": self.card.name, "params": params, "encoder": self.encoder_}
        table.uns[keys.UNS] = facts
        return table

    @abstractmethod
    def _fit(self, data: TrainingSlides, *, rng: np.random.Generator) -> None:
        """Learn; set attributes ending in ``_``."""

    @abstractmethod
    def _predict(self, x: np.ndarray) -> np.ndarray:
        """Return the ``(g,)`` standardised profile of a slide of ``(n, d)`` standardised tiles."""

    def _predict_tiles(self, x: np.ndarray) -> np.ndarray:
        """Return ``(n, g)`` standardised predictions; a tile's is its own, whatever tiles are beside it."""
        return np.stack([self._predict(tile[None]) for tile in x])

    def _attention(self, x: np.ndarray) -> np.ndarray:
        """Return the ``(heads, n)`` weights of ``(n, d)`` standardised tiles."""
        raise NotImplementedError

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """Return the learned arrays by name."""

    @abstractmethod
    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Restore what `state` returned; `genes_` and `scale_` are there already."""


def load_slide_regressor(path: Path | str) -> SlideRegressor:
    """Read a model that `SlideRegressor.save` wrote.

    Raises
    ------
    BundleError
        If the file is missing, damaged, of another kind, or of a newer format.
    """
    from histoscribe.methods import SLIDE_LEVEL

    header, arrays = read_bundle_file(Path(path), kind="slide-level")
    model: SlideRegressor = SLIDE_LEVEL.get(header["method"])(**header["params"])
    model.genes_, model.unit_, model.encoder_ = list(header["genes"]), header["unit"], header["encoder"]
    model.seed_, model.training_ = header["seed"], header["training"]
    parts = {p: {k.removeprefix(p): v for k, v in arrays.items() if k.startswith(p)} for p in ("method.", "scale.")}
    model.scale_ = parts["scale."]
    model.load_state(parts["method."])
    return model
