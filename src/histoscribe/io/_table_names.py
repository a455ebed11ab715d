"""Names that SpatialData forbids in a table, replaced by ones that it allows, and brought back."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from histoscribe.core import keys

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anndata import AnnData

__all__ = ["RENAMED", "allow_names", "restore_names", "safe_names"]

#: uns["histoscribe"]: JSON of slot to {allowed name: own name}.
RENAMED = "renamed"
_SLOTS = ("obsm", "varm", "obsp", "varp", "layers", "uns")


def safe_names(names: Iterable[Any]) -> dict[Any, str]:
    """Give each name one of letters, digits and ``-._``, no two of which differ by case only.

    Examples
    --------
    >>> safe_names(["T cell/CD8", "t cell/cd8", "_index", "area"])
    {'T cell/CD8': 'T_cell_CD8', 't cell/cd8': 't_cell_cd8.2', '_index': 'x_index', 'area': 'area'}
    """
    names = list(names)
    # Names that are allowed keep themselves, whatever a forbidden one beside them would become.
    order = sorted(names, key=lambda name: _cleaned(name) != name)
    chosen: dict[Any, str] = {}
    taken: set[str] = set()
    for name in order:
        base = made = _cleaned(name)
        number = 1
        while made.casefold() in taken:
            number += 1
            made = f"{base}.{number}"
        taken.add(made.casefold())
        chosen[name] = made
    return {name: chosen[name] for name in names}


def allow_names(table: AnnData) -> None:
    """Rename what SpatialData would refuse, in place, and note the own names in ``uns["histoscribe"]["renamed"]``.

    The table's slots are replaced by new ones; arrays are shared. Gene and observation names are values and stay.
    """
    renamed: dict[str, dict[str, str]] = {}
    for axis in ("obs", "var"):
        frame = getattr(table, axis)
        safe = safe_names(frame.columns)
        setattr(table, axis, frame.rename(columns=safe))
        renamed[axis] = {new: str(old) for old, new in safe.items() if new != old}
    for slot in _SLOTS:
        values = dict(getattr(table, slot))
        safe = safe_names(values)
        renamed[slot] = {new: str(old) for old, new in safe.items() if new != old}
        if renamed[slot]:
            setattr(table, slot, {safe[k]: v for k, v in values.items()})
    renamed = {slot: names for slot, names in renamed.items() if names}
    if renamed:
        table.uns[keys.UNS] = dict(table.uns.get(keys.UNS, {})) | {RENAMED: json.dumps(renamed)}


def restore_names(table: AnnData) -> None:
    """Bring back, in place, the names that `allow_names` replaced."""
    ours = dict(table.uns.get(keys.UNS, {}))
    renamed = json.loads(ours.pop(RENAMED, "{}"))
    if not renamed:
        return
    table.uns[keys.UNS] = ours
    for slot, names in renamed.items():
        value = getattr(table, slot)
        if slot in ("obs", "var"):
            setattr(table, slot, value.rename(columns=names))
        else:
            setattr(table, slot, {names.get(k, k): v for k, v in dict(value).items()})


def _cleaned(name: Any) -> str:
    made = re.sub(r"[^A-Za-z0-9_.-]", "_", str(name)) or "x"
    return f"x{made}" if made.startswith("__") or made in (".", "..", "_index") else made
