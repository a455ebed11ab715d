"""The studio: a local web application that shows slides, genes, trust, boards and papers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from histoscribe.studio._app import create_app
    from histoscribe.studio._serve import serve
    from histoscribe.studio._studio import Studio

__all__ = ["Studio", "create_app", "serve"]

_WHERE = {"Studio": "_studio", "create_app": "_app", "serve": "_serve"}


def __getattr__(name: str) -> Any:
    # Late, because a job's process imports this package without any need of the server.
    if name not in _WHERE:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
