"""Which encoders can compute here and now, and what the others lack."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from histoscribe.core.errors import WeightsError
from histoscribe.encoders._registry import ENCODERS
from histoscribe.encoders._weights import AbsentWeightsError, find_weights, hub_cache, refuse_unusable

__all__ = ["EncoderState", "encoder_state", "has_token"]

_HUB_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@dataclass(frozen=True)
class EncoderState:
    """Whether an encoder computes here.

    Attributes
    ----------
    state
        ``"built in"``, ``"ready"`` (its weights are here), ``"not here"``, ``"broken"`` (what is here does not do),
        ``"refused"`` (by its licence), or ``"card only"`` (HistoScribe cannot build it).
    detail
        Where the weights are, or what to do.
    revision
        Commit of the hub's repository, where the place of the weights tells it.
    """

    state: Literal["built in", "ready", "not here", "broken", "refused", "card only"]
    detail: str = ""
    revision: str | None = None


def encoder_state(name: str) -> EncoderState:
    """Look for an encoder's weights without reading them.

    Raises
    ------
    RegistryError
        If there is no such encoder.
    """
    member = ENCODERS.get(name)
    if not member.takes_weights:
        return EncoderState("built in")
    card = member.card
    try:
        refuse_unusable(card)
    except WeightsError as err:
        return EncoderState("card only" if not card.loads else "refused", str(err))
    try:
        found = find_weights(card)
    except AbsentWeightsError as err:
        return EncoderState("not here", str(err))
    except WeightsError as err:
        return EncoderState("broken", str(err))
    if find_spec(card.family) is None:
        return EncoderState("broken", f"{card.family} is not installed. Run: pip install 'histoscribe[hub]'")
    return EncoderState("ready", found.place, found.revision)


def has_token() -> bool:
    """Say whether the user is logged in to the hub; the token itself is not read."""
    named = os.environ.get("HF_TOKEN_PATH")
    file = Path(named).expanduser() if named else hub_cache().parent / "token"
    return any(os.environ.get(name) for name in _HUB_TOKENS) or file.is_file()
