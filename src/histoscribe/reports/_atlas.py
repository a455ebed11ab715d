"""Atlas: everything that is drawn on the slide, gene by gene, with the colours and ranges it is drawn in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import scipy.sparse as sp

from histoscribe.bench._match import match, target_of
from histoscribe.core import keys
from histoscribe.core.errors import GeneError
from histoscribe.core.registry import did_you_mean
from histoscribe.reports._facts import Facts
from histoscribe.reports._view import Places, View, find_slide

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from histoscribe.bench._match import Matched
    from histoscribe.core.pixels import PixelSource
    from histoscribe.core.section import Section

__all__ = ["Atlas", "Kind", "Layer", "Scale", "is_flat"]

Kind = Literal["measured", "predicted", "residual", "interval", "ood"]

#: Quantiles between which values are spread over the colours: one spot of a run-away gene must not flatten the map.
ROBUST = (0.02, 0.98)
#: Percentile of the training tiles beyond which a tile counts as unlike them.
UNLIKE = 95.0
#: Perceptually even and safe for the colour-blind; red and blue stay apart in every common deficiency.
_COLOURS: dict[str, str] = {"value": "viridis", "residual": "RdBu_r", "interval": "cividis", "ood": "cividis"}
OVER_COLOUR = "#d55e00"


@dataclass(frozen=True)
class Scale:
    """Colours of a layer: matplotlib colour map, the values at its ends, and the colour beyond (None: clipped)."""

    cmap: str
    low: float
    high: float
    over: str | None = None


@dataclass(frozen=True, eq=False)
class Layer:
    """One map: values at places, and their colours."""

    kind: Kind
    places: Places
    values: np.ndarray
    scale: Scale


@dataclass(frozen=True, eq=False)
class Atlas:
    """A prediction, the measurement it is compared with (if any), and the slide beneath.

    Attributes
    ----------
    prediction, facts
        The prediction and what it says about itself.
    matched
        Measured observations with the predicted place of each, or None.
    places
        Predicted places.
    slide, view
        The image, and the stretch of it that is shown.
    """

    prediction: AnnData
    facts: Facts
    matched: Matched | None
    places: Places
    slide: PixelSource | None
    view: View

    @classmethod
    def of(
        cls,
        prediction: AnnData,
        *,
        measured: Section | None = None,
        slide: PixelSource | Path | str | None = None,
    ) -> Atlas:
        """Match, open the slide and frame the tissue."""
        facts = Facts.of(prediction)
        places = Places.of_prediction(prediction, facts, like=measured)
        pixels = find_slide(slide, facts, measured)
        view = View.of(places, pixels, facts.mpp)
        matched = None if measured is None else match(prediction, measured)
        return cls(prediction, facts, matched, places, pixels, view)

    @property
    def has_intervals(self) -> bool:
        """True where the prediction carries intervals with finite bounds."""
        layers = self.prediction.layers
        return self.facts.level is not None and keys.LOWER in layers and keys.UPPER in layers

    @property
    def has_ood(self) -> bool:
        """True where each place has an out-of-distribution percentile."""
        return keys.OOD in self.prediction.obs

    def measures(self, gene: str) -> bool:
        """Say whether `gene` was measured."""
        return self.matched is not None and gene in self.matched.section.table.var_names

    def layers(self, gene: str) -> list[Layer]:
        """Return the maps of one gene, left to right.

        With a measurement: measured, predicted, residual (predicted - measured), interval width. Without: predicted,
        interval width, out-of-distribution percentile. Measured and predicted share one range.

        Raises
        ------
        GeneError
            If the gene was not predicted.
        """
        predicted = self._column(gene)
        truth = self._measured(gene) if self.measures(gene) else None
        low, high = _robust(predicted if truth is None else np.concatenate([predicted, truth]))
        value = Scale(_COLOURS["value"], low, high)
        layers = [Layer("predicted", self.places, predicted, value)]
        if truth is not None:
            assert self.matched is not None
            where = Places.of_section(self.matched.section)
            residual = predicted[self.matched.rows] - truth
            reach = _robust(np.abs(residual))[1]
            layers = [
                Layer("measured", where, truth, value),
                *layers,
                Layer("residual", where, residual, Scale(_COLOURS["residual"], -reach, reach)),
            ]
        if self.has_intervals:
            width = self._width(gene)
            low, high = _robust(width)
            if is_flat(width):
                # One width everywhere is neither narrow nor wide: the middle of the colours.
                middle = float(np.median(width))
                low, high = 0.9 * middle, 1.1 * middle
            layers.append(Layer("interval", self.places, width, Scale(_COLOURS["interval"], low, high)))
        if truth is None and self.has_ood:
            layers.append(self.ood())
        return layers

    def ood(self) -> Layer:
        """Return the out-of-distribution map: percentiles, those beyond `UNLIKE` in one warning colour."""
        values = self.prediction.obs[keys.OOD].to_numpy(dtype=np.float64)
        return Layer("ood", self.places, values, Scale(_COLOURS["ood"], 0.0, UNLIKE, OVER_COLOUR))

    def _index(self, gene: str) -> int:
        if gene not in self.prediction.var_names:
            names = [str(g) for g in self.prediction.var_names]
            near = did_you_mean(gene, names) if len(names) <= 2000 else "See the prediction's var_names."
            msg = f"gene {gene!r} is not among the {len(names)} predicted genes. {near}"
            raise GeneError(msg)
        return int(self.prediction.var_names.get_loc(gene))

    def _column(self, gene: str) -> np.ndarray:
        return _dense(self.prediction.X, self._index(gene))

    def _width(self, gene: str) -> np.ndarray:
        layers, i = self.prediction.layers, self._index(gene)
        return _dense(layers[keys.UPPER], i) - _dense(layers[keys.LOWER], i)

    def _measured(self, gene: str) -> np.ndarray:
        assert self.matched is not None
        panel = list(self.prediction.var_names)
        return self.matched.target(target_of(self.prediction), [gene], panel=panel)[:, 0].astype(np.float64)


def _dense(matrix: object, column: int) -> np.ndarray:
    values = matrix[:, [column]]  # type: ignore[index]
    return np.asarray(values.toarray() if sp.issparse(values) else values, dtype=np.float64).ravel()


def is_flat(values: np.ndarray) -> bool:
    """Say whether (nearly) all values are the same: those between the robust quantiles."""
    low, high = np.quantile(values, ROBUST)
    return bool(high - low < 1e-6 * max(1.0, abs(high)))


def _robust(values: np.ndarray) -> tuple[float, float]:
    """Return robust ends of a colour range that are never equal."""
    low, high = (float(q) for q in np.quantile(values, ROBUST))
    if is_flat(values):
        # A rare gene: more than 98 % of the places hold one value.
        low, high = float(values.min()), float(values.max())
    if high - low < 1e-6 * max(1.0, abs(high)):
        high = low + max(0.1 * abs(low), 0.1)
    return low, high
