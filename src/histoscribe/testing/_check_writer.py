"""Contract of writers: what they write reads back as it was, and nothing is replaced unasked."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from histoscribe.core import keys
from histoscribe.core.errors import StorageError
from histoscribe.io import WRITERS, read, write
from histoscribe.testing._promises import keep_all, promise

if TYPE_CHECKING:
    from pathlib import Path

    from histoscribe.core.section import Section

__all__ = ["WRITER_CHECKS", "check_writer"]

#: What a writer keeps unless its module's `KEEPS` says otherwise.
_ALL = ("names", "genes", "counts", "donor", "mpp")
#: Positions come back to this, level-0 px.
_TOLERANCE_PX = 1e-6


def check_writer(name: str, section: Section, folder: Path, **options: Any) -> None:
    """Check every promise of a writer.

    Parameters
    ----------
    name
        Registry name; the reader of the same name reads what was written.
    section
        A measured section with a slide.
    folder
        An empty folder to write in.
    options
        Options of the writer.

    Raises
    ------
    ContractError
        Naming each broken promise of `WRITER_CHECKS`.
    """
    keep_all(f"writer {name!r}", WRITER_CHECKS, name, section, folder, options)


def _target(name: str, folder: Path) -> Path:
    endings = getattr(import_module(WRITERS.get(name).__module__), "ENDINGS", ("",))
    return folder / f"written{endings[0]}"


def _documented(name: str, _section: Section, _folder: Path, _options: dict[str, Any]) -> None:
    function = WRITERS.get(name)
    text = inspect.getdoc(function) or ""
    first = text.partition("\n")[0]
    promise(first.endswith(".") and len(first) <= 88, "the first line of its docstring is not one short sentence")
    parameters = inspect.signature(function).parameters
    promise(list(parameters)[:2] == ["section", "path"], "its first parameters are not section and path")
    promise("overwrite" in parameters, "it has no option overwrite")
    lines = {word for line in text.splitlines() if not line.startswith(" ") for word in line.split(", ")}
    lacking = [p for p in parameters if p not in lines]
    promise(not lacking, f"its docstring does not explain {', '.join(lacking)}")


def _reads_back(name: str, section: Section, folder: Path, options: dict[str, Any]) -> None:
    keeps = getattr(import_module(WRITERS.get(name).__module__), "KEEPS", _ALL)
    target = _target(name, folder / "back")
    before = section.table.copy()
    found = read(name, write(section, target, name, **options))
    _unchanged(section, before)
    promise(found.n_obs == section.n_obs, f"{found.n_obs} of {section.n_obs} observations come back")
    order = np.arange(section.n_obs)
    if "names" in keeps:
        order = found.table.obs_names.get_indexer(section.table.obs_names)
        promise((order >= 0).all(), "observations change their names")
    far = np.abs(found.xy[order] - section.xy).max(initial=0.0)
    promise(far <= _TOLERANCE_PX, f"positions come back {far:g} px off")
    if "genes" in keeps:
        promise(set(found.table.var_names) == set(section.table.var_names), "genes change their names")
    if "counts" in keeps:
        _same_counts(section, found, order)
    for fact in ("donor", "mpp"):
        if fact in keeps:
            old, new = getattr(section, fact), getattr(found, fact)
            promise(old == new, f"the {fact} {old!r} comes back as {new!r}")
    if section.slide is not None and found.slide is not None:
        promise(found.slide.size == section.slide.size, "the slide comes back with another size")


def _unchanged(section: Section, before: Any) -> None:
    now = section.table
    promise(
        set(now.uns) == set(before.uns) and set(now.obsm) == set(before.obsm), "writing changes the section's slots"
    )
    promise(now.obs.equals(before.obs), "writing changes the section's obs")


def _same_counts(section: Section, found: Section, order: np.ndarray) -> None:
    old = sp.csr_matrix(section.table.layers[keys.COUNTS])
    genes = found.table.var_names.get_indexer(section.table.var_names)
    new = sp.csr_matrix(found.table.layers[keys.COUNTS])[order][:, genes]
    promise((old != new).nnz == 0, "counts change")
    promise(np.array_equal(found.depth[order], section.depth), "library sizes change")


def _refuses_to_replace(name: str, section: Section, folder: Path, options: dict[str, Any]) -> None:
    target = _target(name, folder / "twice")
    write(section, target, name, **options)
    try:
        write(section, target, name, **options)
    except StorageError as err:
        promise("overwrite" in str(err), f"the refusal to replace a file does not name overwrite: {err}")
    else:
        promise(kept=False, text="an existing file is replaced unasked")
    write(section, target, name, overwrite=True, **options)
    halves = [p.name for p in (folder / "twice").rglob("*.partial")]
    promise(not halves, f"{', '.join(halves)} is left behind")


#: Promise to its check; each takes registry name, section, folder and options, and raises `ContractError`.
WRITER_CHECKS = {
    "it is documented": _documented,
    "what it writes reads back": _reads_back,
    "it replaces nothing unasked": _refuses_to_replace,
}
