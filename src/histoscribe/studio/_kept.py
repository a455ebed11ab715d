"""Kept answers: what only imports of everything can work out stays on disk until code or records change."""

from __future__ import annotations

import json
from functools import cache
from importlib.metadata import distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import HistoScribeError
from histoscribe.core.files import cache_dir, digest, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["kept"]

#: Answers of one name that stay: other folders of records, and the code before a change.
_MOST = 8


def kept(name: str, state: str, make: Callable[[], Any]) -> Any:
    """Return an answer as JSON gives it back; it is made once for each state of the code and of what it is made from.

    Parameters
    ----------
    name
        Of the answer; the file's name begins with it.
    state
        Of what the answer is made from, besides the code.
    make
        Works it out: JSON values.
    """
    path = cache_dir() / "studio" / "answers" / f"{name}-{digest(_code(), state)}.json"
    if path.is_file():
        try:
            return read_json(path)
        except HistoScribeError:
            path.unlink(missing_ok=True)  # damaged: made again
    made = json.loads(json.dumps(make()))
    write_json(path, made)
    for old in sorted(path.parent.glob(f"{name}-*.json"), key=_changed, reverse=True)[_MOST:]:
        old.unlink(missing_ok=True)
    return made


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0  # another studio took it away


@cache
def _code() -> str:
    """Return what changes with the installed code: our files, their version, and the plug-ins."""
    package = Path(__file__).parents[1]
    files = sorted(p for ending in ("py", "toml") for p in package.rglob(f"*.{ending}"))
    ours = (f"{p}:{p.stat().st_mtime_ns}:{p.stat().st_size}" for p in files)
    plugins = sorted(
        f"{point.group}:{point.name}:{point.value}:{installed.version}"
        for installed in distributions()
        for point in installed.entry_points
        if point.group.startswith("histoscribe.")
    )
    return digest(version("histoscribe"), *ours, *plugins)
