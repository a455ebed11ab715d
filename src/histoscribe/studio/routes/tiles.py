"""Routes of pictures: tiles and thumbnails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from histoscribe.studio._answers import JPEG, cached, unchanged
from histoscribe.studio._error import StudioError
from histoscribe.studio._pool import unless_gone
from histoscribe.studio.routes._common import ERRORS, NamedItem, TheStudio

if TYPE_CHECKING:
    from histoscribe.studio._studio import Studio
    from histoscribe.studio.items._item import Item
    from histoscribe.studio.pixels._tiles import SlideTiles

__all__ = ["router"]

router = APIRouter(prefix="/api/items/{item}", tags=["pictures"])
_Place = Annotated[int, Path(ge=0, le=1_000_000)]


@router.head("/tile/{level}/{column}/{row}", include_in_schema=False)
@router.get("/tile/{level}/{column}/{row}", response_class=Response, responses=JPEG | ERRORS)
async def tile(
    request: Request,
    item: NamedItem,
    studio: TheStudio,
    *,
    level: Annotated[int, Path(ge=0, le=64)],
    column: _Place,
    row: _Place,
) -> Response:
    """Send one tile; edge tiles are padded to full size."""
    tiles = await _tiles(request, studio, item)
    found = tiles.level(level, column, row)
    etag = tiles.etag(level, column, row)
    if (kept := unchanged(request, etag)) is not None:
        return kept
    if (waiting := tiles.pending(found)) is not None:
        await unless_gone(request, waiting)
    if tiles.cheap(found):
        data = tiles.tile(level, column, row)
    else:
        data = await studio.fast.run(request, tiles.tile, level, column, row)
    return cached(data, "image/jpeg", etag)


@router.head("/thumbnail", include_in_schema=False)
@router.get("/thumbnail", response_class=Response, responses=JPEG | ERRORS)
async def thumbnail(
    request: Request, item: NamedItem, studio: TheStudio, max_px: Annotated[int, Query(ge=16, le=2048)] = 512
) -> Response:
    """Send the whole slide, small."""
    tiles = await _tiles(request, studio, item)
    etag = tiles.etag("thumbnail", max_px)
    if (kept := unchanged(request, etag)) is not None:
        return kept
    return cached(await studio.fast.run(request, tiles.thumbnail, max_px), "image/jpeg", etag)


async def _tiles(request: Request, studio: Studio, item: Item) -> SlideTiles:
    opened = item.opened or await studio.slow.run(request, studio.items.open, item)
    if opened.tiles is None:
        raise StudioError(404, "this item has no slide.", where=item.name, todo="Give the section with its image.")
    opened.tiles.check()
    return opened.tiles
