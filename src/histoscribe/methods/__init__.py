"""Methods: one file and one registry line each."""

from __future__ import annotations

import inspect
from typing import Any

# Importing the subpackage sets `histoscribe.methods.expression` to the module; done here, before the function of the
# same name is defined, it cannot replace the function later.
import histoscribe.methods.expression  # noqa: F401
from histoscribe.core.errors import RegistryError
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
    """Make an unfitted expression predictor by its registry name.

    Raises
    ------
    RegistryError
        If there is no such method, or it has no such parameter.
    """
    method = EXPRESSION.get(name)
    known = [p for p in inspect.signature(method).parameters if p != "self"]
    unknown = [p for p in params if p not in known]
    if unknown:
        has = f"It takes: {', '.join(known)}." if known else "It takes none."
        msg = f"method {name!r} has no parameter {', '.join(map(repr, unknown))}. {has}"
        raise RegistryError(msg)
    return method(**params)
