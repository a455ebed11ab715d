"""Which way a study's metric is better: asked of the metric registries, or of the study itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoscribe import metrics
from histoscribe.core.errors import RegistryError
from histoscribe.core.registry import Registry

if TYPE_CHECKING:
    from histoscribe.bench.studies._study import Study

__all__ = ["MetricFacts", "metric_facts"]


@dataclass(frozen=True)
class MetricFacts:
    """Name, direction (``"higher"``, ``"lower"`` or ``"nearer"``), best value where it is known, and one sentence."""

    name: str
    direction: str
    best: float | None
    summary: str


def metric_facts(study: Study, name: str) -> MetricFacts:
    """Find a metric's facts.

    Raises
    ------
    RegistryError
        If neither a registry nor the study knows the name.
    """
    if name in study.own_metrics:
        direction, summary = study.own_metrics[name]
        return MetricFacts(name, direction, None, summary)
    for registry in (value for value in vars(metrics).values() if isinstance(value, Registry)):
        if name in registry:
            found = registry.get(name)
            return MetricFacts(name, found.direction, found.best, found.summary)
    msg = f"study {study.id!r} names the metric {name!r}, which no registry knows. Add it to `own_metrics`."
    raise RegistryError(msg)
