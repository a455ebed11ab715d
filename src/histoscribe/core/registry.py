"""Registry: a name -> "module:Attribute" table that imports only what is asked for."""

from __future__ import annotations

import difflib
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Registry", "did_you_mean"]


class Registry:
    """Members of one kind (encoders, methods, readers, ...), loaded lazily.

    Parameters
    ----------
    kind
        Singular noun for messages, e.g. ``"encoder"``; installed packages add members through
        the entry-point group ``histoscribe.<kind>``.
    members
        Name to ``"module:Attribute"``; one line per member.
    """

    def __init__(self, kind: str, members: Mapping[str, str]) -> None:
        self.kind = kind
        self._members = dict(members)
        self._plugins: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._plugins is None:
            found = entry_points(group=f"histoscribe.{self.kind}")
            # A plug-in can add a name but never replace one of ours: numbers under a name must stay comparable.
            self._plugins = {ep.name: ep.value for ep in found if ep.name not in self._members}
        return self._members | self._plugins

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._all()))

    def __len__(self) -> int:
        return len(self._all())

    def __contains__(self, name: object) -> bool:
        return name in self._all()

    def get(self, name: str) -> Any:
        """Import and return the member called `name`.

        Raises
        ------
        RegistryError
            If there is no such member; the nearest names are suggested.
        """
        members = self._all()
        if name not in members:
            msg = f"there is no {self.kind} called {name!r}. {did_you_mean(name, members)}"
            raise RegistryError(msg)
        module, _, attribute = members[name].partition(":")
        return getattr(import_module(module), attribute)


def did_you_mean(name: str, choices: Mapping[str, Any] | list[str]) -> str:
    """Suggest the nearest of `choices`, or list them where none is near."""
    near = difflib.get_close_matches(name, list(choices), n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(repr(n) for n in near)}?"
    return f"Choose one of: {', '.join(sorted(choices))}."
