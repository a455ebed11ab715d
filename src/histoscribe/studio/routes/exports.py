"""Routes of exports and uploads: what leaves the studio, and the one thing that comes in."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, File, Form, Query, Request, UploadFile
from pydantic import BaseModel, Field
from starlette.responses import Response

from histoscribe.studio._error import StudioError
from histoscribe.studio._models import ItemOut, LayerName
from histoscribe.studio._upload import keep_upload
from histoscribe.studio.routes._common import ERRORS, NamedItem, TheStudio, errors
from histoscribe.studio.routes.analysis import Indices, selected
from histoscribe.studio.routes.genes import own_layer
from histoscribe.studio.routes.items import item_out

if TYPE_CHECKING:
    from histoscribe.studio._studio import Studio
    from histoscribe.studio.exports._table import View
    from histoscribe.studio.items._item import Item

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["exports"])
What = Literal["csv", "geojson", "vitessce", "html"]
_KINDS = {
    "csv": ("text/csv; charset=utf-8", "csv"),
    "geojson": ("application/geo+json", "geojson"),
    "vitessce": ("application/zip", "vitessce.zip"),
    "html": ("text/html; charset=utf-8", "html"),
}
#: Genes of an export that names none, and most of one that does.
_GENES, _MOST_GENES = 12, 100
#: Observations in one HTML file or archive: beyond, a browser takes minutes to open it.
_MOST_OBSERVATIONS = 300_000
_Gene = Annotated[str, Field(max_length=200)]
_SCHEMAS = {"csv": {"type": "string"}, "html": {"type": "string"}, "geojson": {"type": "object"}}
_DOWNLOAD: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A file.",
        "content": {kind.partition(";")[0]: {"schema": _SCHEMAS.get(what, {})} for what, (kind, _) in _KINDS.items()},
    }
}


class ExportIn(BaseModel):
    """A selection to export; without `indices` everything."""

    indices: Indices | None = None
    gene: _Gene | None = None
    genes: Annotated[list[_Gene], Field(max_length=_MOST_GENES)] = []
    layer: LayerName | None = None


class UploadOut(BaseModel):
    """The item that an upload became."""

    item: ItemOut


@router.get("/items/{item}/export/{what}", response_class=Response, responses=_DOWNLOAD | ERRORS | errors(413))
async def export(
    request: Request,
    item: NamedItem,
    studio: TheStudio,
    what: What,
    *,
    gene: Annotated[str | None, Query(max_length=200)] = None,
    genes: Annotated[list[str] | None, Query(max_length=_MOST_GENES)] = None,
    layer: LayerName | None = None,
) -> Response:
    """Send the item as a file."""
    names = [name for text in genes or [] for name in text.split(",")][:_MOST_GENES]
    asked = ExportIn(gene=gene, genes=[n for n in names if n and len(n) <= 200], layer=layer)
    return await studio.slow.run(request, _export, studio, item, what, asked)


@router.post("/items/{item}/export/{what}", response_class=Response, responses=_DOWNLOAD | ERRORS | errors(413))
async def export_selection(
    request: Request, item: NamedItem, studio: TheStudio, what: What, asked: ExportIn
) -> Response:
    """Send a selection of observations as a file."""
    return await studio.slow.run(request, _export, studio, item, what, asked)


@router.post("/uploads", status_code=201, responses=errors(403, 409, 413, 422, 429, 503))
async def upload(
    request: Request,
    studio: TheStudio,
    file: Annotated[UploadFile, File(description="A slide in one file.")],
    mpp: Annotated[float | None, Form(gt=0.01, lt=100, description="um per px, where the file states none.")] = None,
) -> UploadOut:
    """Take a slide, keep it in the studio's work folder, and add it as an item."""
    item = await studio.slow.run(request, keep_upload, studio, file.filename or "", file.file, mpp)
    return UploadOut(item=item_out(studio, item))


def _export(studio: Studio, item: Item, what: What, asked: ExportIn) -> Response:
    view = _view(studio, item, asked, limit=None if what in {"csv", "geojson"} else _MOST_OBSERVATIONS)
    kind, ending = _KINDS[what]
    name = re.sub(r"[^\w.-]+", "-", view.opened.name)[:80] or "item"
    # The plain name for old clients, the real one beside it.
    plain = name.encode("ascii", "ignore").decode() or "item"
    place = f"attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{quote(f'{name}.{ending}')}"
    return Response(
        _make(what, view), media_type=kind, headers={"content-disposition": place, "cache-control": "no-store"}
    )


def _make(what: What, view: View) -> bytes:
    from histoscribe.studio.exports._geojson import geojson_text
    from histoscribe.studio.exports._page import html_page
    from histoscribe.studio.exports._table import csv_text
    from histoscribe.studio.exports._vitessce import vitessce_zip

    return {"csv": csv_text, "geojson": geojson_text, "vitessce": vitessce_zip, "html": html_page}[what](view)


def _view(studio: Studio, item: Item, asked: ExportIn, *, limit: int | None) -> View:
    from histoscribe.studio.exports._table import View

    opened = studio.items.open(item)
    values, _ = studio.items.values(item)
    rows = np.arange(opened.n) if asked.indices is None else np.flatnonzero(selected(opened, asked.indices))
    if limit is not None and len(rows) > limit:
        what = f"{len(rows):,} observations are more than the {limit:,} that one file may hold."
        raise StudioError(413, what, where=opened.name, todo="Select some of them, or export CSV.")
    genes = list(dict.fromkeys([*([asked.gene] if asked.gene else []), *asked.genes]))
    layer = asked.layer or own_layer(item)
    for gene in genes:
        if not any(gene in y.genes for y in values.layers.values()):
            values.column(gene, layer, where=opened.name)  # says what is near
    # A page for a colleague holds the gene on show and others to switch to; a table holds what was asked for.
    if values.layers and (not genes or (limit is not None and not asked.genes)):
        known = values.layer(layer, where=opened.name).genes
        best = (values.genes[i] for i in values.search("") if values.genes[i] in known)
        genes = list(itertools.islice(dict.fromkeys([*genes, *itertools.islice(best, _GENES)]), _GENES))
    if layer in values.layers:
        genes = [g for g in genes if g in values.layers[layer].genes] or genes
    return View(opened, values, genes, layer, rows)
