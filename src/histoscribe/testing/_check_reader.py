"""Contract of readers: signature and documentation, and what every section that they return satisfies."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.errors import HistoScribeError
from histoscribe.io import READERS, read
from histoscribe.testing._promises import keep_all, promise

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from histoscribe.core.section import Section

__all__ = ["READER_CHECKS", "check_read_section", "check_reader"]

#: Options that every reader has.
_COMMON = ("donor", "mpp", "name", "species")
#: First words of annotations that the command line can turn text into.
_KINDS = ("str", "float", "bool", "int", "Path", "Literal")


def check_reader(name: str, path: Path | str | None = None, **options: Any) -> None:
    """Check every promise of a reader.

    Parameters
    ----------
    name
        Registry name.
    path, options
        Something that it can read, and with which options; the section is then checked too.

    Raises
    ------
    ContractError
        Naming each broken promise; `READER_CHECKS` lists those that need no file.
    """
    keep_all(f"reader {name!r}", READER_CHECKS, name)
    if path is not None:
        checks = {"its section is sound": lambda: check_read_section(name, path, **options)}
        keep_all(f"reader {name!r} on {path}", checks)


def check_read_section(name: str, path: Path | str, **options: Any) -> None:
    """Check the section that a reader returns for `path`."""
    section = read(name, path, **options)
    again = read(name, path, **options)
    origin = section.origin
    promise(origin is not None and origin.reader == name and origin.digest, "origin does not say where it comes from")
    promise(again.origin == origin, "reading the same files twice gives another origin")
    promise(np.array_equal(section.xy, again.xy), "reading the same files twice gives other positions")
    promise(section.table.obsm[keys.SPATIAL].dtype == np.float64, "obsm['spatial'] is not float64")
    if section.slide is not None and section.n_obs:
        inside = ((section.xy >= 0) & (section.xy <= section.slide.size)).all()
        promise(inside, "observations lie outside the image")
    if section.n_obs:
        _check_counts(section)
    promise(not section.blind().measured, "the blinded section still has counts")


def _check_counts(section: Section) -> None:
    counts = section.table.layers.get(keys.COUNTS)
    promise(isinstance(counts, sp.csr_matrix), f"layers['counts'] is {type(counts).__name__}, not csr_matrix")
    promise(counts.dtype.kind in "iu", f"layers['counts'] is {counts.dtype}, not integer")
    promise(counts.data.min(initial=0) >= 0, "layers['counts'] holds negative numbers")
    total = np.asarray(counts.sum(1)).ravel()
    promise((section.depth >= total - 0.5).all(), "total_counts is smaller than the counts it sums")


def _documented(name: str) -> None:
    function = READERS.get(name)
    text = inspect.getdoc(function) or ""
    first = text.partition("\n")[0]
    promise(first.endswith(".") and len(first) <= 88, "the first line of its docstring is not one short sentence")
    lines = {word for line in text.splitlines() if not line.startswith(" ") for word in line.split(", ")}
    parameters = inspect.signature(function).parameters
    lacking = [p for p in parameters if p not in lines]
    promise(not lacking, f"its docstring does not explain {', '.join(lacking)}")


def _signature(name: str) -> None:
    function: Callable[..., Any] = READERS.get(name)
    parameters = list(inspect.signature(function).parameters.values())
    promise(parameters[0].name == "path", "its first parameter is not path")
    positional = [p.name for p in parameters[1:] if p.kind is not p.KEYWORD_ONLY]
    promise(not positional, f"{', '.join(positional)} can be given by position; options are keyword-only")
    lacking = [o for o in _COMMON if o not in {p.name for p in parameters}]
    promise(not lacking, f"it lacks the option(s) {', '.join(lacking)}")
    odd = [p.name for p in parameters if not str(p.annotation).startswith(_KINDS)]
    promise(not odd, f"the command line cannot give {', '.join(odd)}: annotate text, number, bool or path")
    needed = [p.name for p in parameters[1:] if p.default is p.empty]
    promise(not needed, f"{', '.join(needed)} has no default")


def _refuses_nothing(name: str) -> None:
    absent = "no-such-folder/no-such-file"
    try:
        read(name, absent)
    except HistoScribeError as err:
        promise("no-such-file" in str(err), f"the message about a missing file does not name it: {err}")
        promise("\n" not in str(err), "the message about a missing file has several lines")
        return
    promise(kept=False, text="a path that does not exist is accepted")


def _refuses_unknown_options(name: str) -> None:
    try:
        read(name, "no-such-folder/no-such-file", donr="A")
    except HistoScribeError as err:
        promise("donr" in str(err) and "donor" in str(err), f"a mistyped option is not explained: {err}")
        return
    promise(kept=False, text="a mistyped option is accepted")


#: Promise to its check; each takes a registry name and raises `ContractError`.
READER_CHECKS = {
    "it is documented": _documented,
    "its options fit the command line": _signature,
    "it refuses a path that does not exist": _refuses_nothing,
    "it refuses an unknown option": _refuses_unknown_options,
}
