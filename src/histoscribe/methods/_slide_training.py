"""What slide-level regressors learn from: bags and profiles, checked, matched and standardised."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from anndata import AnnData

from histoscribe.core import keys
from histoscribe.core.errors import BundleError, DataError, GeneError
from histoscribe.core.files import digest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from histoscribe.core.bag import Bag
    from histoscribe.methods._slide_level import SlideRegressor

__all__ = ["TrainingSlides", "check_bags", "check_fits", "describe_training", "profiles_of"]

#: Variation below this share of the largest value is rounding of float32.
_CONSTANT = 1e-6


@dataclass(frozen=True, eq=False)
class TrainingSlides:
    """What an author's `_fit` gets.

    Attributes
    ----------
    bags
        The slides, in order.
    y
        ``(m, g)`` float32 profiles, standardised per gene; a constant gene is 0.
    groups
        ``(m,)`` donors as numbers: slides of one donor are held out together.
    centre, factor
        ``(d,)`` float32: a standardised feature is ``(feature - centre) * factor``.
    """

    bags: tuple[Bag, ...]
    y: np.ndarray
    groups: np.ndarray
    centre: np.ndarray
    factor: np.ndarray

    @classmethod
    def of(cls, bags: Sequence[Bag], values: np.ndarray) -> tuple[TrainingSlides, dict[str, np.ndarray]]:
        """Standardise; return the training slides, and what undoes it: `centre`, `factor`, `mean`, `sd`."""
        means = np.stack([b.features.mean(0, dtype=np.float64) for b in bags])
        squares = np.stack([np.square(b.features, dtype=np.float64).mean(0) for b in bags])
        centre = means.mean(0)
        spread = np.sqrt(np.maximum(squares.mean(0) - centre**2, 0.0))
        level = np.sqrt(squares.mean(0))
        factor = np.divide(1.0, spread, out=np.zeros_like(spread), where=spread > _CONSTANT * level)
        mean, sd = values.mean(0, dtype=np.float64), values.std(0, dtype=np.float64)
        sd = np.where(sd > _CONSTANT * np.abs(values).max(0), sd, 0.0)
        y = (values - mean) * np.divide(1.0, sd, out=np.zeros_like(sd), where=sd > 0)
        scale = {"centre": centre, "factor": factor, "mean": mean, "sd": sd}
        scale = {name: value.astype(np.float32) for name, value in scale.items()}
        groups = np.unique([b.donor for b in bags], return_inverse=True)[1]
        return cls(tuple(bags), y.astype(np.float32), groups, scale["centre"], scale["factor"]), scale

    def __len__(self) -> int:
        return len(self.bags)

    @property
    def dim(self) -> int:
        """Number of features."""
        return len(self.centre)

    def tiles(self, i: int, *, most: int | None = None, rng: np.random.Generator | None = None) -> np.ndarray:
        """Return ``(n, d)`` float32 standardised tiles of slide `i`; at most `most` of them, drawn by `rng`."""
        features = self.bags[i].features
        if most is not None and rng is not None and len(features) > most:
            features = features[np.sort(rng.permutation(len(features))[:most])]
        return (features - self.centre) * self.factor

    def means(self) -> np.ndarray:
        """Return the ``(m, d)`` float64 mean tile of each slide."""
        return np.stack([self.tiles(i).mean(0, dtype=np.float64) for i in range(len(self))])


def check_bags(bags: Sequence[Bag], *, known: SlideRegressor | None = None) -> None:
    """Refuse slides of one name, of several encoders or lengths of features, or other than a model was fitted on.

    Raises
    ------
    DataError, BundleError
    """
    if not bags:
        msg = "no slide was given. Give at least one bag of tiles."
        raise DataError(msg)
    names = pd.Index([b.name for b in bags])
    if len(again := names[names.duplicated()].unique()):
        msg = f"{len(again)} slides are given more than once, the first {again[0]}. Give each slide a name of its own."
        raise DataError(msg)
    first = bags[0]
    for bag in bags[1:]:
        if bag.features.shape[1] != first.features.shape[1] or bag.encoder != first.encoder:
            said = [f"{b.name} {b.features.shape[1]} of {b.encoder or 'an unnamed encoder'}" for b in (first, bag)]
            msg = f"slides have features of several kinds: {' and '.join(said)}. Encode all slides by one encoder."
            raise DataError(msg)
    if known is not None:
        check_fits(first, known)


def check_fits(bag: Bag, model: SlideRegressor) -> None:
    """Refuse features that the model was not fitted on.

    Raises
    ------
    BundleError
    """
    dim, expected = bag.features.shape[1], len(model.scale_["centre"])
    other = bool(bag.encoder and model.encoder_ and bag.encoder != model.encoder_)
    if dim == expected and not other:
        return
    msg = (
        f"slide {bag.name} has {dim} features of {bag.encoder or 'an unnamed encoder'}, but the model was fitted on "
        f"{expected} of {model.encoder_ or 'an unnamed encoder'}. Encode the slide as the training slides were."
    )
    raise BundleError(msg)


def profiles_of(
    bags: Sequence[Bag], expression: AnnData | pd.DataFrame, unit: str | None
) -> tuple[np.ndarray, list[str], str]:
    """Return the ``(m, g)`` float32 profiles of the slides, their genes and their unit.

    Raises
    ------
    DataError
        If a slide has no profile, the unit is not known, or a value is not finite.
    GeneError
        If a gene is named twice.
    """
    if isinstance(expression, AnnData):
        unit = unit or dict(expression.uns.get(keys.UNS, {})).get("unit")
        rows, genes = expression.obs_names, expression.var_names
    else:
        rows, genes = expression.index, expression.columns
    if not unit:
        msg = "the expression does not say its unit. Give unit=, e.g. unit='log2(RSEM+1)'; a model always carries it."
        raise DataError(msg)
    if len(again := genes[genes.duplicated()].unique()):
        msg = f"the expression names {len(again)} genes more than once, the first {again[0]}. Merge them first."
        raise GeneError(msg)
    at = pd.Index(rows.astype(str)).get_indexer(pd.Index([b.name for b in bags])) if rows.is_unique else None
    if at is None or (at < 0).any():
        lacking = [b.name for b, i in zip(bags, at, strict=True) if i < 0] if at is not None else []
        what = (
            f"{len(lacking)} of {len(bags)} slides have no profile, the first {lacking[0]}"
            if lacking
            else ("the expression has rows of one name")
        )
        msg = f"{what} (rows are called {rows[0]}). Name a row like each slide (io.rows_of_slides)."
        raise DataError(msg)
    found = expression.X[at] if isinstance(expression, AnnData) else expression.iloc[at].to_numpy()
    values = np.asarray(found.toarray() if hasattr(found, "toarray") else found, dtype=np.float32)
    if not np.isfinite(values).all():
        bad = genes[~np.isfinite(values).all(0)]
        msg = f"{len(bad)} genes have values that are not finite, the first {bad[0]}. Leave them out or fill them in."
        raise DataError(msg)
    return values, [str(g) for g in genes], unit


def describe_training(bags: Sequence[Bag], values: np.ndarray) -> dict[str, Any]:
    """Say what a model has seen: names, donors, sites, numbers of tiles and digests of features and of profiles."""
    slides = [
        {
            "name": b.name,
            "donor": b.donor,
            "site": b.site,
            "n_tiles": len(b.features),
            "features": digest(np.ascontiguousarray(b.features).tobytes()),
            "profile": digest(np.ascontiguousarray(row).tobytes()),
        }
        for b, row in zip(bags, values, strict=True)
    ]
    return {"slides": slides, "code": version("histoscribe")}
