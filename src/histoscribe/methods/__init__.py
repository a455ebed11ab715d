"""Methods: one file and one registry line each."""

from __future__ import annotations

from typing import Any

from histoscribe.core.registry import Registry

__all__ = ["EXPRESSION", "expression"]

EXPRESSION = Registry(
    "expression",
    {
        "knn": "histoscribe.methods.expression.knn:Knn",
        "mean": "histoscribe.methods.expression.mean:TrainingMean",
        "ridge": "histoscribe.methods.expression.ridge:Ridge",
    },
)


def expression(name: str, **params: Any) -> Any:
    """Make an unfitted expression predictor by its registry name."""
    return EXPRESSION.get(name)(**params)
