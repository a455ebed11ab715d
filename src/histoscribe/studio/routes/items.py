"""Routes of items: the list, and everything about one but its numbers."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request

from histoscribe.studio._models import (
    CategoryOut,
    CompositionOut,
    ItemDetail,
    ItemOut,
    ItemsOut,
    LayerOut,
    LevelOut,
    Meta,
    MetaLimits,
    ObservationsOut,
    PairOut,
    PlaceOut,
    SlideOut,
    StackSection,
)
from histoscribe.studio.items._stacks import place_of
from histoscribe.studio.routes._common import ERRORS, NamedItem, TheStudio

if TYPE_CHECKING:
    from histoscribe.studio._studio import Studio
    from histoscribe.studio.items._item import Item
    from histoscribe.studio.items._opened import Opened

__all__ = ["item_out", "router"]

router = APIRouter(prefix="/api", tags=["items"])


@router.get("/meta")
async def meta(studio: TheStudio) -> Meta:
    """Tell what this server is."""
    limits = MetaLimits(
        upload_bytes=studio.limits.upload_bytes, markers_observations=studio.limits.markers_observations
    )
    return Meta(version=version("histoscribe"), limits=limits, items=len(studio.items), demo=studio.demo)


@router.get("/items")
async def items(studio: TheStudio) -> ItemsOut:
    """List all items, opened or not."""
    listed = [item_out(studio, item) for item in studio.items]
    return ItemsOut(items=listed, making=studio.making, making_error=studio.making_error)


@router.get("/items/{item}", responses=ERRORS)
async def item(request: Request, item: NamedItem, studio: TheStudio) -> ItemDetail:
    """Tell everything about an item but its numbers; opens it, which can take seconds."""
    return await studio.slow.run(request, _detail, studio, item)


def item_out(studio: Studio, item: Item) -> ItemOut:
    """Describe an item in a list."""
    opened = item.opened
    return ItemOut(
        id=item.id,
        kind=item.kind,
        name=item.name,
        donor=opened.donor if opened else None,
        file=item.file,
        state=item.state,
        error=item.error,
        n_observations=opened.n if opened else None,
        n_genes=len(opened.genes) if opened else None,
        mpp=opened.mpp if opened else None,
        width_px=opened.size[0] if opened else None,
        height_px=opened.size[1] if opened else None,
        compare=[other.id for other in studio.items.partners(item)],
        stack=item.stack,
    )


def _detail(studio: Studio, item: Item) -> ItemDetail:
    opened = studio.items.open(item)
    values, notes = studio.items.values(item)
    shown = "measured" if item.kind == "section" else "predicted"
    composition = opened.composition
    return ItemDetail(
        **item_out(studio, item).model_dump(),
        slide=_slide(opened),
        observations=_observations(opened),
        layers=[LayerOut(name=y.name, unit=y.unit, default=y.name == shown) for y in values.layers.values()],
        categories=[CategoryOut(key=c.key, names=c.names, colours=c.colours) for c in opened.categories],
        composition=composition and CompositionOut(names=composition.names, colours=composition.colours),
        trust=bool(values.trust),
        notes=[*opened.notes, *notes],
        sections_of_stack=_stack(studio, item),
        place=_place(studio, item, opened),
        opening_others=studio.making or any(other.state in {"waiting", "opening"} for other in studio.items),
    )


def _slide(opened: Opened) -> SlideOut | None:
    if opened.tiles is None:
        return None
    levels = [
        LevelOut(
            level=i,
            width_px=v.width,
            height_px=v.height,
            tile_width_px=v.tile_width,
            tile_height_px=v.tile_height,
            downsample=v.downsample,
        )
        for i, v in enumerate(opened.tiles.levels)
    ]
    return SlideOut(
        width_px=opened.size[0],
        height_px=opened.size[1],
        mpp=opened.mpp,
        levels=levels,
        passthrough=opened.tiles.passthrough,
    )


def _observations(opened: Opened) -> ObservationsOut | None:
    if not opened.n:
        return None
    return ObservationsOut(n=opened.n, shape=opened.shape, size_px=opened.spot_px, pitch_px=opened.pitch_px)


def _stack(studio: Studio, item: Item) -> list[StackSection]:
    if item.stack is None:
        return []
    kin = [other for other in studio.items if other.stack == item.stack]
    layers = {other.id: studio.layer_of(other) for other in kin}
    kin.sort(key=lambda other: layer.z_um if (layer := layers[other.id]) else 0.0)
    return [
        StackSection(
            id=other.id,
            z_um=layer.z_um if (layer := layers[other.id]) else None,
            pairs=[PairOut(**asdict(pair)) for pair in layer.pairs] if layer else [],
        )
        for other in kin
    ]


def _place(studio: Studio, item: Item, opened: Opened) -> PlaceOut | None:
    layer = studio.layer_of(item)
    if layer is None or opened.mpp is None:
        return None
    return PlaceOut(**asdict(place_of(layer.matrix, opened.xy, opened.mpp)))
