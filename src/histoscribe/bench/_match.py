"""Bring a prediction and a measured section onto the same observations and genes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from histoscribe.core import keys
from histoscribe.core.array import array_of
from histoscribe.core.composition import CompositionTarget
from histoscribe.core.errors import CoordinateError, DataError, GeneError
from histoscribe.core.spacing import spacing_um
from histoscribe.core.target import Target
from histoscribe.core.units import check_mpp
from histoscribe.metrics import reliability

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

    from histoscribe.core.section import Section

__all__ = ["Matched", "check_panel", "match", "scored_genes", "target_of"]

#: A correlation over fewer observations is an anecdote.
MIN_OBSERVATIONS = 10


@dataclass(frozen=True, eq=False)
class Matched:
    """A measured section and the prediction for its observations, row by row.

    Attributes
    ----------
    section
        The measured section, matched observations only.
    rows
        ``(n,)`` row of the prediction for each of them.
    how
        ``"name"`` or ``"position"``.
    unmatched
        Number of measured observations without a prediction.
    distance_um
        Median distance between an observation and the place predicted for it, um.
    whole
        The measured section with all its observations: what a 3x3 mean is taken over.
    """

    section: Section
    rows: np.ndarray
    how: str
    unmatched: int
    distance_um: float
    whole: Section

    def target(self, target: Target, genes: Sequence[str], *, panel: Sequence[str] | None = None) -> np.ndarray:
        """Return the ``(n, g)`` float32 truth of the matched observations."""
        if target.smooth == "none":
            return target(self.section, genes, panel=panel)
        return target(self.whole, genes, panel=panel)[self.within()]

    def reliability(self, target: Target, genes: Sequence[str], **options: Any) -> np.ndarray:
        """Return the ``(g,)`` reliability of that truth; see `histoscribe.metrics.reliability`."""
        if target.smooth == "none":
            section, smoothing = self.section, {}
        else:
            section, smoothing = self.whole, {"array": array_of(self.whole), "rows": self.within()}
        counts = section.table[:, list(genes)].layers[keys.COUNTS]
        return reliability(counts, section.depth, target=target, **smoothing, **options)

    def within(self) -> np.ndarray:
        """Return the ``(n,)`` rows of the matched observations in the whole section."""
        return self.whole.table.obs_names.get_indexer(self.section.table.obs_names)


def ours(prediction: AnnData) -> dict[str, Any]:
    """Return the prediction's own dictionary in `uns`, or say that it is no prediction."""
    value = dict(prediction.uns.get(keys.UNS, {}))
    if "unit" not in value or value.get("kind", "prediction") != "prediction":
        msg = (
            f"this AnnData ({prediction.n_obs} x {prediction.n_vars}) is not a prediction: uns['{keys.UNS}'] has no "
            "'unit' or another kind. Give what `histoscribe predict` wrote, or set uns['histoscribe'] = "
            "{'kind': 'prediction', 'unit': 'ln(1 + counts per 10000)', 'mpp': <um/px>}."
        )
        raise DataError(msg)
    return value


def target_of(prediction: AnnData) -> Target:
    """Return the transform that the prediction states: as JSON under ``target``, or by the name of its unit.

    Raises
    ------
    DataError
        If the unit is none that a count matrix can be brought to, or is not that of the JSON.
    """
    info = ours(prediction)
    unit = str(info["unit"])
    if unit == CompositionTarget.unit:
        msg = (
            "the prediction is of cell composition, not of expression. Score it with `histoscribe evaluate "
            "--composition FILE` or histoscribe.bench.evaluate_composition; draw it from obsm['composition']."
        )
        raise DataError(msg)
    if "target" in info:
        return Target.from_dict(json.loads(str(info["target"])) | {"unit": unit})
    target = Target.from_unit(unit)
    if target is None:
        msg = f"the prediction is in {unit!r}, to which counts cannot be brought. Predict in {Target().unit!r}."
        raise DataError(msg)
    return target


def scored_genes(predictions: Sequence[AnnData], sections: Sequence[Section]) -> tuple[list[str], int]:
    """Return the genes that all predictions hold and all sections measure, and how many fell out.

    Raises
    ------
    GeneError
        If none is left.
    """
    first = predictions[0].var_names
    kept = [
        g
        for g in first
        if all(g in p.var_names for p in predictions[1:]) and all(g in s.table.var_names for s in sections)
    ]
    if not kept:
        names = ", ".join(repr(s.name) for s in sections)
        msg = (
            f"none of the {len(first)} predicted genes ({', '.join(map(str, first[:3]))}, ...) is measured in "
            f"{names}. Check symbols against Ensembl ids, and the species."
        )
        raise GeneError(msg)
    every = set().union(*(p.var_names for p in predictions))
    return [str(g) for g in kept], len(every) - len(kept)


def check_panel(target: Target, dropped: int) -> None:
    """Refuse to normalise inside a panel that is not measured as a whole.

    Raises
    ------
    GeneError
        If the library is the panel's and some of its genes fell out: every other gene's truth would change.
    """
    if target.library == "panel" and dropped:
        msg = (
            f"{dropped} predicted genes are not measured in every section or not predicted everywhere, and the unit "
            f"{target.unit!r} divides by the whole panel. Predict genes that all sections measure, or a target whose "
            "library is over all measured genes."
        )
        raise GeneError(msg)


def match(prediction: AnnData, section: Section) -> Matched:
    """Match by name where all names of one side occur on the other, else by position.

    By position, a measured observation takes the nearest predicted place within half the diagonal of a grid cell
    (0.71 steps): everything that lies inside a predicted grid is then matched, and nothing beyond its rim.

    Raises
    ------
    CoordinateError
        If observations of the same name lie at different places, or too few places match.
    DataError
        If the section has no measured expression.
    """
    if not section.measured and keys.COMPOSITION not in section.table.obsm:
        msg = f"section {section.name!r} has no measured expression to compare with. Give a measured section."
        raise DataError(msg)
    info = ours(prediction)
    mpp = check_mpp(
        info.get("mpp"), where="the prediction", remedy=f"Set uns['{keys.UNS}']['mpp'] to its um per level-0 px."
    )
    places = np.asarray(prediction.obsm[keys.SPATIAL], dtype=np.float64) * mpp
    reach = _step_um(info, places) * np.sqrt(0.5)
    by_name = prediction.obs_names.get_indexer(section.table.obs_names)
    named = by_name >= 0
    same_names = bool(named.all()) or set(prediction.obs_names) <= set(section.table.obs_names)
    if same_names and named.any():
        rows, keep, how = by_name, named, "name"
    else:
        distance, rows = cKDTree(places).query(section.xy_um)
        # A hair of tolerance: an observation on a cell's corner is inside.
        keep, how = distance <= reach * (1 + 1e-6), "position"
    _check_enough(keep, section, reach)
    apart = np.linalg.norm(places[rows[keep]] - section.xy_um[keep], axis=1)
    if how == "name" and np.median(apart) > reach:
        msg = (
            f"observations named alike lie {np.median(apart):.0f} um apart (median) in the prediction and in section "
            f"{section.name!r}. Give the measured section of the slide that was predicted, and check both um/px."
        )
        raise CoordinateError(msg)
    return Matched(section.subset(keep), rows[keep], how, int((~keep).sum()), float(np.median(apart)), section)


def _step_um(info: dict[str, Any], places: np.ndarray) -> float:
    step = float(info.get("step_um", -1.0))
    return step if step > 0 else spacing_um(places)


def _check_enough(keep: np.ndarray, section: Section, reach: float) -> None:
    if keep.sum() < MIN_OBSERVATIONS:
        msg = (
            f"only {int(keep.sum())} of {section.n_obs} observations of {section.name!r} have a predicted place "
            f"within {reach:.0f} um (at least {MIN_OBSERVATIONS} are needed). Check that slide and section are the "
            "same tissue and that both um/px are right."
        )
        raise CoordinateError(msg)
