"""Cards of foundation models: the table `foundation.toml`, one entry an encoder, as typed facts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any, Literal

from histoscribe.core.card import Card

__all__ = ["EncoderCard", "TokenPooling", "model_cards"]

TokenPooling = Literal["class", "mean", "class+mean"]


@dataclass(frozen=True, kw_only=True)
class EncoderCard(Card):
    """What a foundation model is, what it expects, and how its weights become a network.

    Attributes
    ----------
    paper
        Key of a catalogue record; empty where the catalogue has none, and then `reference` says what to cite.
    reference
        The paper or release as its authors name it.
    hub
        Repository on the Hugging Face hub, ``"organisation/name"``.
    revision
        Commit of the repository; None where no stored source confirms one: any revision is then taken.
    sha256
        SHA-256 of the weights file, where a source states it.
    files
        Names of the weights file, in the order in which they are looked for.
    family
        Library whose classes build the network.
    arch
        timm's name of the architecture, or the ``model_type`` of transformers.
    args
        Arguments of the architecture; those in a ``config.json`` beside the weights win.
    layout
        ``"dinov2"`` where the file names its arrays as the original DINOv2 code does.
    width, patch_px, prefix_tokens
        Length of a token; side of the square that one token sees, px; tokens before the image's own (class, registers).
    stage
        For a convolutional network: stage whose map is pooled, counted from the stem (0); None for transformers.
    pooling
        How tokens become the features that published boards use.
    dim
        Length of those features.
    tile_px
        Side of the network's input, px. Tiles are read at this size, so that nothing is resized twice.
    own_resize
        What the authors' own transform does to a larger image.
    mean, std
        Per channel, of pixels scaled to 0-1.
    mpp
        um/px of the training tiles, as a source states them; empty where none was read.
    precision
        Arithmetic on a GPU as published boards use it; on a CPU it is always float32.
    parameters
        Number of parameters in millions.
    why_not
        Why the network cannot be built here; empty where it can.
    """

    paper: str = ""
    reference: str = ""
    hub: str
    revision: str | None = None
    sha256: str | None = None
    files: tuple[str, ...] = ("model.safetensors", "pytorch_model.bin")
    family: Literal["timm", "transformers"] = "timm"
    arch: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    layout: Literal["", "dinov2"] = ""
    width: int = 0
    patch_px: int = 0
    prefix_tokens: int = 1
    stage: int | None = None
    pooling: TokenPooling = "class"
    dim: int
    tile_px: int = 224
    own_resize: str = ""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    mpp: tuple[float, ...] = ()
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    parameters: float | None = None
    needs: tuple[str, ...] = ("hub",)
    why_not: str = ""

    @property
    def loads(self) -> bool:
        """Whether HistoScribe can build this network."""
        return not self.why_not

    @property
    def address(self) -> str:
        """Where the weights are, and their licence is accepted."""
        return f"https://huggingface.co/{self.hub}"


@cache
def model_cards() -> dict[str, EncoderCard]:
    """Read the table: registry name to card."""
    text = (resources.files("histoscribe.encoders") / "foundation.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    statistics = table.pop("statistics")
    cards = {}
    for name, entry in table.items():
        values = {key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()}
        mean, std = statistics[values.pop("normalise")]
        cards[name] = EncoderCard(name=name, mean=tuple(mean), std=tuple(std), **values)
    return cards
