"""Options of readers and writers: refuse unknown ones, and turn the text of a command line into what is declared."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import DataError
from histoscribe.core.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["checked_options"]


def checked_options(
    function: Callable[..., Any], what: str, options: Mapping[str, Any], *, common: Sequence[str] = ()
) -> dict[str, Any]:
    """Return `options` as the keyword-only parameters of `function` declare them.

    Parameters
    ----------
    function
        A reader or writer.
    what
        Its name in messages, e.g. ``"reader 'visium'"``.
    options
        Values, or the text of a command line.
    common
        Options that exist beside the function's own, for the message.

    Raises
    ------
    DataError
        If an option does not exist, or its text cannot be turned into the declared type.
    """
    parameters = {k: p for k, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY}
    unknown = [key for key in options if key not in parameters]
    if unknown:
        known = list(dict.fromkeys([*parameters, *common]))
        msg = f"{what} has no option {unknown[0]!r}. {did_you_mean(unknown[0], known)}"
        raise DataError(msg)
    return {key: _convert(key, value, str(parameters[key].annotation)) for key, value in options.items()}


def _convert(key: str, value: Any, annotation: str) -> Any:
    if not isinstance(value, str):
        # A path or a numpy number given from Python must become JSON, since the origin is written into bundles.
        return str(value) if isinstance(value, Path) else value.item() if hasattr(value, "item") else value
    if annotation.startswith(("float", "int")):
        try:
            return float(value) if annotation.startswith("float") else int(value)
        except ValueError as err:
            kind = "number" if annotation.startswith("float") else "whole number"
            msg = f"{key}={value!r} is not a {kind}. Give e.g. {key}={'0.5' if kind == 'number' else '8'}."
            raise DataError(msg) from err
    if annotation.startswith("bool"):
        if value.lower() not in ("true", "false"):
            msg = f"{key}={value!r} is neither true nor false. Give {key}=true or {key}=false."
            raise DataError(msg)
        return value.lower() == "true"
    return value
