"""Routes of numbers: places, genes, categories, composition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from histoscribe.core.files import digest
from histoscribe.studio._answers import BINARY, cached, unchanged
from histoscribe.studio._error import StudioError
from histoscribe.studio._models import GeneOut, GenesOut, LayerName
from histoscribe.studio.routes._common import ERRORS, NamedItem, TheStudio

if TYPE_CHECKING:
    from histoscribe.studio._studio import Studio
    from histoscribe.studio.items._item import Item
    from histoscribe.studio.items._opened import Category, Opened

__all__ = ["category_of", "opened_of", "own_layer", "router"]

router = APIRouter(prefix="/api/items/{item}", tags=["numbers"])
_KIND = "application/octet-stream"


@router.get("/observations", response_class=Response, responses=BINARY | ERRORS)
async def observations(request: Request, item: NamedItem, studio: TheStudio) -> Response:
    """Send the centres of observations: float32 (n, 2) x, y, level-0 px."""
    opened = await opened_of(request, studio, item)
    etag = _etag(opened, "observations")
    return unchanged(request, etag) or cached(opened.xy.tobytes(), _KIND, etag)


@router.get("/genes", responses=ERRORS)
async def genes(
    request: Request,
    item: NamedItem,
    studio: TheStudio,
    *,
    query: Annotated[str, Query(max_length=100)] = "",
    offset: Annotated[int, Query(ge=0, le=10_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> GenesOut:
    """Search genes: the name itself, then names that begin so, then names that hold it; trusted genes first."""
    return await studio.fast.run(request, _genes, studio, item, query, offset, limit)


@router.get("/genes/{gene}", response_class=Response, responses=BINARY | ERRORS)
async def gene(
    request: Request,
    item: NamedItem,
    studio: TheStudio,
    *,
    gene: Annotated[str, Path(max_length=200)],
    layer: LayerName | None = None,
) -> Response:
    """Send a gene's values: float32 (n,), NaN where unknown; unit and range are in the headers."""
    opened = await opened_of(request, studio, item)
    partners = [other.id for other in studio.items.partners(item)]
    etag = _etag(opened, gene, str(layer), *partners)
    if (kept := unchanged(request, etag)) is not None:
        return kept
    data, headers = await studio.fast.run(request, _gene, studio, item, gene, layer)
    return cached(data, _KIND, etag, headers)


@router.get("/categories/{key}", response_class=Response, responses=BINARY | ERRORS)
async def categories(
    request: Request, item: NamedItem, studio: TheStudio, key: Annotated[str, Path(max_length=200)]
) -> Response:
    """Send a grouping: uint16 (n,) codes into its names, 65535 for none."""
    opened = await opened_of(request, studio, item)
    etag = _etag(opened, "category", key)
    return unchanged(request, etag) or cached(category_of(opened, key).codes.tobytes(), _KIND, etag)


@router.get("/composition", response_class=Response, responses=BINARY | ERRORS)
async def composition(request: Request, item: NamedItem, studio: TheStudio) -> Response:
    """Send shares of cell types: float32 (n, k), row by row."""
    opened = await opened_of(request, studio, item)
    if opened.composition is None:
        todo = "Give what `histoscribe deconvolve` wrote."
        raise StudioError(404, "this item has no composition.", where=opened.name, todo=todo)
    etag = _etag(opened, "composition")
    return unchanged(request, etag) or cached(opened.composition.shares.tobytes(), _KIND, etag)


async def opened_of(request: Request, studio: Studio, item: Item) -> Opened:
    """Return an item opened, reading it where that was not done yet."""
    if item.opened is None:
        return await studio.slow.run(request, studio.items.open, item)
    item.opened.check()
    return item.opened


def category_of(opened: Opened, key: str) -> Category:
    """Return a grouping, or raise status 404."""
    for category in opened.categories:
        if category.key == key:
            return category
    has = ", ".join(c.key for c in opened.categories) or "none"
    raise StudioError(404, f"there is no category {key[:60]!r}.", where=opened.name, todo=f"Ask for one of: {has}.")


def own_layer(item: Item) -> LayerName:
    """Return the layer that an item holds itself."""
    return "predicted" if item.kind == "prediction" else "measured"


def _etag(opened: Opened, *parts: str) -> str:
    return f'"{digest(*(w.version for w in opened.watched), *parts)}"'


def _gene(studio: Studio, item: Item, gene: str, layer: LayerName | None) -> tuple[bytes, dict[str, str]]:
    values, _ = studio.items.values(item)
    name = layer or own_layer(item)
    found = values.column(gene, name, where=item.name).astype("<f4", copy=False)
    known = found[np.isfinite(found)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 0.0)
    headers = {"x-unit": values.layer(name, where=item.name).unit, "x-layer": name}
    headers |= {"x-min": f"{low:.6g}", "x-max": f"{high:.6g}"}
    if gene in values.trust:
        headers["x-trust"] = values.trust[gene].flag
    return found.tobytes(), headers


def _genes(studio: Studio, item: Item, query: str, offset: int, limit: int) -> GenesOut:
    values, _ = studio.items.values(item)
    found = values.search(query)
    page = []
    for i in found[offset : offset + limit]:
        name = values.genes[i]
        trust, mean = values.trust.get(name), float(values.means[i])
        page.append(
            GeneOut(
                name=name,
                mean=mean if np.isfinite(mean) else None,
                trust=trust.flag if trust else None,
                reason=trust.reason if trust else None,
                layers=[y.name for y in values.layers.values() if name in y.genes],
            )
        )
    return GenesOut(total=len(found), genes=page)
