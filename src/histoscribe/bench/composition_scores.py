"""Score predicted cell compositions against measured or deconvolved ones, beside the training mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from histoscribe.bench._inputs import pair_up, training_of
from histoscribe.bench._match import match
from histoscribe.bench.training import relation, training_entries
from histoscribe.core import keys
from histoscribe.core.composition import CompositionTarget
from histoscribe.core.errors import DataError
from histoscribe.metrics import COMPOSITION_METRICS, pcc_gene

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["CompositionScores", "evaluate_composition"]


@dataclass(frozen=True, eq=False)
class CompositionScores:
    """What a prediction of cell composition is worth.

    Attributes
    ----------
    table
        Method and ``training-mean``, by the metrics of `COMPOSITION_METRICS`: mean over sections, within donors first.
    types
        Cell types, by ``pcc_type`` (correlation across observations, mean over sections), ``trusted``, and
        ``coverage`` of the intervals, NaN where there are none.
    sections
        One row a section, in the order given: section, donor, n_obs, relation to the training sections, metrics.
    """

    table: pd.DataFrame
    types: pd.DataFrame
    sections: pd.DataFrame

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values; what does not exist is None."""
        frames = {"scores": self.table, "types": self.types, "sections": self.sections}
        return {
            name: frame.astype(object).where(frame.notna(), None).reset_index().to_dict("records")
            for name, frame in frames.items()
        }


def evaluate_composition(
    prediction: AnnData | Path | str | Sequence[AnnData | Path | str], measured: Section | Sequence[Section]
) -> CompositionScores:
    """Score one or several pairs.

    Parameters
    ----------
    prediction
        What `histoscribe.predict` returned from a bundle of cell composition, or its file; a list for several pairs.
    measured
        The section of each, with its composition; see `histoscribe.methods.with_composition`.

    Raises
    ------
    LeakError
        If a scored observation was trained on.
    DataError
        If a prediction is none of composition, or the cell types are not those of the section.
    """
    predictions, sections = pair_up(prediction, measured)
    rows = [_scored(p, s) for p, s in zip(predictions, sections, strict=True)]
    every = pd.DataFrame([row for _, both in rows for row in both])
    per_donor = every.groupby(["method", "donor"])[list(COMPOSITION_METRICS)].mean()
    table = per_donor.groupby("method", sort=False).mean().loc[list(dict.fromkeys(every["method"]))]
    types = pd.concat([t for t, _ in rows]).groupby(level=0, sort=False).mean()
    types["trusted"] = predictions[0].var[keys.TRUSTED].reindex(types.index).astype(bool)
    types.index.name = "cell_type"
    return CompositionScores(table, types, every)


def _scored(prediction: AnnData, section: Section) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Return scores by type, and those of the method and of the training mean."""
    if keys.COMPOSITION not in prediction.obsm or "train_mean" not in prediction.var:
        msg = (
            f"the prediction for section {section.name!r} holds no cell composition. Give what `histoscribe predict` "
            "wrote from a bundle that `histoscribe fit --composition` made."
        )
        raise DataError(msg)
    types = CompositionTarget().panel([section], list(prediction.var_names))
    matched = match(prediction, section)
    entries = training_entries(prediction)
    related = relation(matched.section, entries)
    if related == "same section":  # another part of it, or what was trained on: its observations tell
        related = relation(matched.section, entries, training_of([prediction], None)[0][0])
    truth = CompositionTarget()(matched.section, types).astype(np.float64)
    guess = np.asarray(prediction.obsm[keys.COMPOSITION])[matched.rows]
    mean = np.tile(prediction.var["train_mean"].to_numpy(dtype=np.float64), (len(truth), 1))
    about = {"section": section.name, "donor": section.donor, "n_obs": len(truth), "relation": related}
    name = str(prediction.uns[keys.UNS]["method"])
    scores = [
        {"method": method} | about | {m: COMPOSITION_METRICS.get(m)(truth, values).mean for m in COMPOSITION_METRICS}
        for method, values in ((name, guess), ("training-mean", mean))
    ]
    coverage = np.full(len(types), np.nan)
    if keys.COMPOSITION_LOWER in prediction.obsm:
        low, high = (
            np.asarray(prediction.obsm[k])[matched.rows] for k in (keys.COMPOSITION_LOWER, keys.COMPOSITION_UPPER)
        )
        coverage = ((low <= truth) & (truth <= high)).mean(0)
    return pd.DataFrame({"pcc_type": pcc_gene(truth, guess), "coverage": coverage}, index=types), scores
