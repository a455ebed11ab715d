"""How contract checks report: every broken promise of a plug-in at once, each in one line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from histoscribe.core.errors import HistoScribeError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from histoscribe.core.card import Card

__all__ = ["ContractError", "check_card", "keep_all", "promise"]

_SLUG = re.compile(r"[a-z0-9]+([.-][a-z0-9]+)*")


class ContractError(AssertionError):
    """A plug-in breaks a promise that the rest of the package relies on."""


def promise(kept: object, text: str) -> None:
    """Raise `ContractError` with `text` unless the promise is kept."""
    if not kept:
        raise ContractError(text)


def keep_all(what: str, checks: Mapping[str, Callable[..., None]], *args: Any) -> None:
    """Run every check and raise once, naming each that failed.

    Raises
    ------
    ContractError
        With one line per broken promise; a check that ends in another error counts as broken.
    """
    broken = []
    for name, check in checks.items():
        try:
            check(*args)
        except ContractError as err:
            broken.append(f"{name}: {err}")
        except (HistoScribeError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as err:
            broken.append(f"{name}: {type(err).__name__}: {err}")
    if broken:
        raise ContractError(f"{what} breaks {len(broken)} of {len(checks)} promises:\n  " + "\n  ".join(broken))


def check_card(card: Card, *, name: str | None) -> None:
    """Check that a card says what is needed to trust a plug-in; `name` is its registry name where it has one."""
    import json

    promise(name is None or card.name == name, f"card.name is {card.name!r}, but it is registered as {name!r}")
    promise(_SLUG.fullmatch(card.name), f"card.name {card.name!r} is not lowercase with hyphens")
    promise(card.summary.endswith("."), "card.summary is not a sentence that ends with a full stop")
    # A foundation model that the catalogue does not know may name what to cite instead.
    known = _SLUG.fullmatch(card.paper) or (not card.paper and getattr(card, "reference", ""))
    promise(known, f"card.paper {card.paper!r} is not a catalogue key such as 'stnet-2020'")
    promise(card.licence, "card.licence is empty")
    promise(card.origin, "card.origin is empty")
    json.dumps(card.to_dict())
