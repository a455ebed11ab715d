"""Published protocols: a run's scores as the paper averages them, and the values that papers report."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from histoscribe.metrics import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

__all__ = ["PublishedValue", "published_scores", "published_values"]


@dataclass(frozen=True)
class PublishedValue:
    """One value that a paper reports.

    Attributes
    ----------
    suite
        Suite whose protocol it was made under; it is comparable with nothing else.
    method, metric
        Registry names (the method may be one that is not implemented here).
    value
        The value.
    source, text
        Key of the paper that prints it (empty where the catalogue has none), and in words where it was read.
    second_hand
        True where it was read in a reprint or a note: check it in the paper before citing it.
    """

    suite: str
    method: str
    metric: str
    value: float
    source: str
    text: str
    second_hand: bool

    @property
    def shown(self) -> str:
        """The value as boards print it: marked where it is second-hand."""
        return f"{self.value:.3f}" + (" [2nd]" if self.second_hand else "")


def published_values(suite: str, method: str | None = None) -> list[PublishedValue]:
    """Return what papers report under the protocol of a suite, in the file's order; none for a clean one.

    Parameters
    ----------
    suite
        Id of the suite.
    method
        Only this method's.
    """
    text = files("histoscribe.bench").joinpath("published.toml").read_text(encoding="utf-8")
    return [
        PublishedValue(suite, name, metric, value, table["source"], table["text"], table["second_hand"])
        for table in tomllib.loads(text)["table"]
        if table["suite"] == suite
        for name, values in table["values"].items()
        if method in (None, name)
        for metric, value in zip(table["metrics"], values, strict=True)
        if not math.isnan(value)
    ]


def published_scores(
    metrics: Sequence[str], folds: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]]
) -> dict[str, dict[str, Any]]:
    """Compute published metrics over all folds of a run.

    Parameters
    ----------
    metrics
        Registry names (`histoscribe.metrics.PUBLISHED`).
    folds
        For each fold its test sections, for each of these ``(n, g)`` truth and prediction.

    Returns
    -------
    Metric to ``mean``, ``sd`` (over folds; None where undefined) and ``folds``: JSON values for a record's
    ``published``.
    """
    found = {}
    for name in metrics:
        score = PUBLISHED.get(name)(folds)
        found[name] = {"mean": score.mean, "sd": score.sd, "folds": list(score.folds)}
    return found
