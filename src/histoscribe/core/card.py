"""Card: the facts about a method, encoder or reader that decide whether to trust it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Card"]


@dataclass(frozen=True, kw_only=True)
class Card:
    """What a registered thing is, where it comes from and what it may be used for.

    Attributes
    ----------
    name
        Registry name, lowercase with hyphens.
    summary
        One sentence for tables and `--help`.
    paper
        Key of a catalogue record, e.g. ``"triplex-2024"``.
    licence
        SPDX expression of the code, and of the weights where there are any.
    origin
        Where it was ported from (repository and commit), or ``"HistoScribe"``.
    control
        True for a baseline that any method has to beat.
    gated, commercial_use
        Whether weights need a log-in; whether they may be used commercially.
    needs
        Extras that must be installed.
    trained_on
        What weights were trained on, for contamination checks.
    deviations
        Each way in which this differs from the paper or the released code.
    """

    name: str
    summary: str
    paper: str
    licence: str = "BSD-3-Clause"
    origin: str = "HistoScribe"
    control: bool = False
    gated: bool = False
    commercial_use: bool = True
    needs: tuple[str, ...] = ()
    trained_on: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the card as plain JSON values."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}
