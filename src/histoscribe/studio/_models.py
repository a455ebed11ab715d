"""Models of the API's items: what the page gets, typed, so that OpenAPI describes it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from histoscribe.studio._error import ErrorParts

__all__ = [
    "CategoryOut",
    "CompositionOut",
    "GeneOut",
    "GenesOut",
    "ItemDetail",
    "ItemOut",
    "ItemsOut",
    "LayerOut",
    "LevelOut",
    "Meta",
    "MetaLimits",
    "ObservationsOut",
    "PairOut",
    "PlaceOut",
    "SlideOut",
    "StackSection",
]

LayerName = Literal["measured", "predicted", "residual", "uncertainty"]


class MetaLimits(BaseModel):
    """What a client should know before it asks."""

    upload_bytes: int
    markers_observations: int


class Meta(BaseModel):
    """About this server."""

    version: str
    project: str = "HistoScribe"
    limits: MetaLimits
    items: int
    demo: bool


class ItemOut(BaseModel):
    """One item; numbers are null until it was opened."""

    id: str
    kind: Literal["slide", "section", "prediction"]
    name: str
    donor: str | None
    file: str
    state: Literal["waiting", "opening", "ready", "failed"]
    error: ErrorParts | None
    n_observations: int | None
    n_genes: int | None
    mpp: float | None
    width_px: int | None
    height_px: int | None
    compare: list[str]
    stack: str | None


class ItemsOut(BaseModel):
    """All items; with `making`, generated sections are on their way, or say why they could not be made."""

    items: list[ItemOut]
    making: bool = False
    making_error: ErrorParts | None = None


class LevelOut(BaseModel):
    """One level of a slide; 0 is full resolution. Edge tiles are padded to full size."""

    level: int
    width_px: int
    height_px: int
    tile_width_px: int
    tile_height_px: int
    downsample: float


class SlideOut(BaseModel):
    """The slide of an item."""

    width_px: int
    height_px: int
    mpp: float | None
    levels: list[LevelOut]
    passthrough: bool
    mime: str = "image/jpeg"


class ObservationsOut(BaseModel):
    """How observations are drawn."""

    n: int
    shape: Literal["circle", "square"]
    size_px: float
    pitch_px: float | None


class LayerOut(BaseModel):
    """One kind of value."""

    name: LayerName
    unit: str
    default: bool


class CategoryOut(BaseModel):
    """A grouping of observations."""

    key: str
    kind: Literal["domain"] = "domain"
    names: list[str]
    colours: list[str]


class CompositionOut(BaseModel):
    """Names and colours of cell types."""

    names: list[str]
    colours: list[str]


class PairOut(BaseModel):
    """How well a section was registered to a neighbour."""

    fixed: str
    verdict: str
    reasons: list[str]
    overlap: float


class PlaceOut(BaseModel):
    """Turn, scale and shift of level-0 px into the stack's frame: x' = a x - b y + x_um, y' = b x + a y + y_um."""

    a: float
    b: float
    x_um: float
    y_um: float
    off_um: float


class StackSection(BaseModel):
    """A section of a stack, in order of depth; no `pairs` where it is the reference, or nothing was registered."""

    id: str
    z_um: float | None
    pairs: list[PairOut]


class ItemDetail(ItemOut):
    """Everything about an item but its numbers."""

    slide: SlideOut | None
    observations: ObservationsOut | None
    layers: list[LayerOut]
    categories: list[CategoryOut]
    composition: CompositionOut | None
    trust: bool
    notes: list[str]
    sections_of_stack: list[StackSection]
    place: PlaceOut | None
    opening_others: bool


class GeneOut(BaseModel):
    """One gene in a list."""

    name: str
    mean: float | None
    trust: Literal["good", "weak", "none"] | None
    reason: str | None
    layers: list[LayerName]


class GenesOut(BaseModel):
    """A page of genes."""

    total: int
    genes: list[GeneOut]
