"""Published protocols: a run's scores as the paper averages them, and the values that papers report."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from histoscribe.metrics import PUBLISHED
from histoscribe.metrics._metric import is_constant

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    encoder
        Where encoders are compared: registry name of the one whose features the method was given; else empty.
    task
        Task of the suite, or empty for the average over tasks (or where there are none).
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
    encoder: str = ""
    task: str = ""

    @property
    def name(self) -> str:
        """The method, and the encoder where several are compared under one method."""
        return f"{self.method}, {self.encoder}" if self.encoder else self.method

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
    found = [v for table in tomllib.loads(text)["table"] if table["suite"] == suite for v in _of_table(table)]
    return [v for v in found if method in (None, v.method)]


def _of_table(table: dict[str, Any]) -> list[PublishedValue]:
    """Return a table's values; one with ``method`` has a row for each encoder, one with ``tasks`` a column for each."""
    found = []
    tasks = table.get("tasks", [""] * len(table["metrics"]))
    metrics = table["metrics"] * (len(tasks) if len(table["metrics"]) == 1 else 1)
    about = {key: table[key] for key in ("suite", "source", "text", "second_hand")}
    for name, values in table["values"].items():
        who = {"method": table["method"], "encoder": name} if "method" in table else {"method": name}
        found += [
            PublishedValue(metric=metric, task=task, value=value, **who, **about)
            for metric, task, value in zip(metrics, tasks, values, strict=True)
            if not math.isnan(value)
        ]
    return found


def published_scores(
    metrics: Sequence[str],
    folds: Sequence[Sequence[tuple[np.ndarray, np.ndarray]]],
    *,
    tasks: Sequence[str] = (),
    apart: Sequence[str] = (),
    genes: Sequence[Sequence[str]] = (),
) -> dict[str, dict[str, Any]]:
    """Compute published metrics over all folds of a run.

    Parameters
    ----------
    metrics
        Registry names (`histoscribe.metrics.PUBLISHED`).
    folds
        For each fold its test sections, for each of these ``(n, g)`` truth and prediction.
    tasks
        Task of each fold, where the suite has tasks.
    apart
        Tasks that take no part in the mean.
    genes
        Panel of each fold, to name what left a fold undefined.

    Returns
    -------
    Metric to ``mean``, ``sd`` (over folds; None where undefined) and ``folds``: JSON values for a record's
    ``published``. With tasks ``mean`` is the mean over tasks of their means over folds, undefined where one of these
    is, without an ``sd``; ``tasks`` has each task's mean and sd over its folds. ``constant`` names, fold by fold, the
    genes that left it undefined, where some did and not all.
    """
    found = {}
    for name in metrics:
        score = PUBLISHED.get(name)(folds)
        found[name] = {"mean": score.mean, "sd": score.sd, "folds": list(score.folds)}
        constant = {
            str(i): names
            for i, (value, fold) in enumerate(zip(score.folds, folds, strict=True))
            if value is None and genes and len(names := _constant(fold, genes[i])) < len(genes[i])
        }
        found[name] |= {"constant": constant} if constant else {}
        if any(tasks):
            each = {}
            for task in dict.fromkeys(tasks):
                own = PUBLISHED.get(name).over([v for v, t in zip(score.folds, tasks, strict=True) if t == task])
                each[task] = {"mean": own.mean, "sd": own.sd}
            means = [value["mean"] for task, value in each.items() if task not in apart]
            average = None if not means or None in means else sum(means) / len(means)
            found[name] |= {"mean": average, "sd": None, "tasks": each}
    return found


def _constant(fold: Sequence[tuple[np.ndarray, np.ndarray]], genes: Sequence[str]) -> list[str]:
    """Return the genes whose truth or prediction is the same in all of a fold's observations."""
    sides = [np.concatenate([pair[i] for pair in fold]) for i in (0, 1)]
    return [gene for gene, flat in zip(genes, is_constant(sides[0]) | is_constant(sides[1]), strict=True) if flat]
