"""Layers: what an item shows of a gene, alone or beside its partner on the same slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from histoscribe.core.array import array_of
from histoscribe.core.errors import HistoScribeError
from histoscribe.studio.values._values import Layer, Values

if TYPE_CHECKING:
    from collections.abc import Callable

    from histoscribe.bench._match import Matched
    from histoscribe.studio.items._opened import Opened
    from histoscribe.studio.values._columns import CountColumns

__all__ = ["same_slide", "values_alone", "values_of_pair"]


def same_slide(a: Opened, b: Opened) -> bool:
    """Say whether two items lie on one slide: the same file, or a copy of it by name and size in px.

    Without a slide on either side, the same section by name.
    """
    if a.slide is None or b.slide is None:
        return a.slide is b.slide and bool(a.subject) and a.subject == b.subject
    return a.slide == b.slide or (a.slide.name == b.slide.name and a.size == b.size)


def values_alone(opened: Opened) -> Values:
    """Return the values of an item without a partner."""
    if opened.own is None:
        return Values(opened.n, [], np.zeros(0), {})
    columns = {g: i for i, g in enumerate(opened.genes)}
    kind = "measured" if opened.prediction is None else "predicted"
    layers = {kind: Layer(kind, opened.unit, columns, opened.own.column)}
    if opened.width is not None:
        layers["uncertainty"] = Layer("uncertainty", opened.width_unit, columns, opened.width.column)
    return Values(opened.n, opened.genes, opened.means, layers, opened.trust)


def values_of_pair(prediction: Opened, section: Opened) -> tuple[Values, Values, str]:
    """Return the values of a prediction and of the measured section of its slide, and a note on how they were matched.

    Measured values are brought to the prediction's unit, so that the residual (predicted - measured) is one number.
    Where several measured observations lie in one predicted place, it is compared with their mean.

    Raises
    ------
    HistoScribeError
        If they do not fit each other.
    """
    from histoscribe.bench._match import match

    assert prediction.prediction is not None
    assert section.section is not None
    matched = match(prediction.prediction, section.section)
    at = section.names.get_indexer(matched.section.table.obs_names)  # rows of the section that have a prediction
    rows = matched.rows
    measured = _measured(prediction, section)
    mine = {g: i for i, g in enumerate(prediction.genes)}
    theirs = {g: i for i, g in enumerate(section.genes)}
    both = {g: i for g, i in mine.items() if g in theirs}
    own, width = prediction.own, prediction.width
    assert own is not None

    def to_section(values: np.ndarray) -> np.ndarray:
        found = np.full(section.n, np.nan, dtype=np.float32)
        found[at] = values[rows]
        return found

    def to_prediction(values: np.ndarray) -> np.ndarray:
        n = np.bincount(rows, minlength=prediction.n)
        total = np.bincount(rows, weights=values[at], minlength=prediction.n)
        with np.errstate(invalid="ignore"):
            return (total / np.where(n, n, np.nan)).astype(np.float32)

    def truth(i: int) -> np.ndarray:
        return measured.column(theirs[prediction.genes[i]])

    unit = prediction.unit
    on_prediction = {
        "measured": Layer("measured", unit, both, lambda i: to_prediction(truth(i))),
        "predicted": Layer("predicted", unit, mine, own.column),
        "residual": Layer("residual", unit, both, lambda i: own.column(i) - to_prediction(truth(i))),
    }
    on_section = {
        "measured": Layer("measured", unit, theirs, measured.column),
        "predicted": Layer("predicted", unit, mine, lambda i: to_section(own.column(i))),
        "residual": Layer("residual", unit, both, lambda i: to_section(own.column(i)) - truth(i)),
    }
    if width is not None:
        get: Callable[[int], np.ndarray] = width.column
        on_prediction["uncertainty"] = Layer("uncertainty", prediction.width_unit, mine, get)
        on_section["uncertainty"] = Layer("uncertainty", prediction.width_unit, mine, lambda i: to_section(get(i)))
    means = section.means if section.target == prediction.target else measured.means()
    return (
        Values(prediction.n, prediction.genes, prediction.means, on_prediction, prediction.trust),
        Values(section.n, section.genes, means, on_section, prediction.trust),
        _how(prediction, section, matched),
    )


def _how(prediction: Opened, section: Opened, matched: Matched) -> str:
    return (
        f"{len(matched.rows)} of {section.n} measured observations of {section.name} lie in a place predicted in "
        f"{prediction.name} (by {matched.how}; median distance {matched.distance_um:.0f} um)"
    )


def _measured(prediction: Opened, section: Opened) -> CountColumns:
    """Return the section's counts in the unit of the prediction."""
    target, own = prediction.target, section.own
    assert target is not None
    if section.section is None or section.target is None:
        msg = f"section {section.name!r} has no counts to compare with. Give a section with counts."
        raise HistoScribeError(msg)
    panel = section.section.table.var_names.get_indexer(prediction.genes) if target.library == "panel" else None
    if panel is not None and (panel < 0).any():
        msg = (
            f"the unit {target.unit!r} divides by the whole panel, of which section {section.name!r} lacks "
            f"{int((panel < 0).sum())} genes. Predict genes that the section measures."
        )
        raise HistoScribeError(msg)
    array = array_of(section.section) if target.smooth != "none" else None
    return own.to(target, panel=panel, array=array)  # type: ignore[union-attr]
