"""Routes of small analyses: markers of a selection, a gene by group."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import numpy as np
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from histoscribe.studio._error import StudioError
from histoscribe.studio._models import LayerName
from histoscribe.studio.routes._common import ERRORS, NamedItem, TheStudio, errors
from histoscribe.studio.routes.genes import category_of, own_layer
from histoscribe.studio.values._markers import MIN_SIDE, find_markers
from histoscribe.studio.values._summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable

    from histoscribe.studio._studio import Studio
    from histoscribe.studio.items._item import Item
    from histoscribe.studio.items._opened import Opened

__all__ = ["Selection", "router", "selected"]

router = APIRouter(prefix="/api/items/{item}", tags=["analysis"])

Indices = Annotated[list[Annotated[int, Field(ge=0, le=2**31)]], Field(max_length=2_000_000)]


class Selection(BaseModel):
    """Observations by their place in the list, and a layer."""

    indices: Indices
    layer: LayerName | None = None


class MarkerOut(BaseModel):
    """One gene that tells the selection apart."""

    name: str
    mean_inside: float
    mean_outside: float
    log2_fold_change: float | None
    auc: float
    p_adjusted: float


class MarkersOut(BaseModel):
    """The genes that tell a selection apart best, its own first."""

    n_inside: int
    n_outside: int
    n_tested: int
    n_genes: int
    genes: list[MarkerOut]


class GroupOut(BaseModel):
    """A gene in one group."""

    name: str
    n: int
    mean: float | None
    median: float | None
    q25: float | None
    q75: float | None


class SummaryOut(BaseModel):
    """A gene by group."""

    groups: list[GroupOut]


@router.post("/markers", responses=ERRORS | errors(413))
async def markers(request: Request, item: NamedItem, studio: TheStudio, selection: Selection) -> MarkersOut:
    """Compare every gene inside a selection with outside; ends after some seconds, with what was tested by then."""
    return await studio.slow.run(request, _markers, studio, item, selection)


@router.get("/summary", responses=ERRORS)
async def summary(
    request: Request,
    item: NamedItem,
    studio: TheStudio,
    *,
    gene: Annotated[str, Query(max_length=200)],
    layer: LayerName | None = None,
    category: Annotated[str | None, Query(max_length=200)] = None,
) -> SummaryOut:
    """Summarise a gene in each group of a category, or in all observations."""
    return await studio.fast.run(request, _summary, studio, item, gene, layer, category)


def selected(opened: Opened, indices: list[int]) -> np.ndarray:
    """Return a selection as ``(n,)`` bool, or raise status 409 where it names what is not there."""
    found = np.asarray(indices, dtype=np.int64)
    if len(found) and found.max() >= opened.n:
        what = f"the selection names observation {int(found.max())}, but there are {opened.n}."
        raise StudioError(409, what, where=opened.name, todo="Select again: the item was opened anew.")
    inside = np.zeros(opened.n, dtype=bool)
    inside[found] = True
    return inside


def _markers(studio: Studio, item: Item, selection: Selection) -> MarkersOut:
    opened = studio.items.open(item)
    values, _ = studio.items.values(item)
    most = studio.limits.markers_observations
    if opened.n > most:
        what = f"{opened.n:,} observations are more than the {most:,} that markers are computed of."
        raise StudioError(413, what, where=opened.name, todo="Give a part of the section (?where=...).")
    inside = selected(opened, selection.indices)
    if min(inside.sum(), (~inside).sum()) < MIN_SIDE:
        what = f"{int(inside.sum())} of {opened.n} observations are selected; a test needs {MIN_SIDE} on either side."
        raise StudioError(409, what, where=opened.name, todo="Select more, or fewer.")
    layer = values.layer(selection.layer or own_layer(item), where=opened.name)
    # By mean, so that whatever the time does not suffice for is what is hardly expressed.
    genes = [values.genes[i] for i in np.argsort(-np.nan_to_num(values.means), kind="stable")]
    found = find_markers(layer, genes, inside, to_rate=_back(opened, layer.name), seconds=studio.limits.markers_seconds)
    return MarkersOut(**asdict(found))


def _back(opened: Opened, layer: str) -> Callable[[np.ndarray], np.ndarray] | None:
    if layer not in {"measured", "predicted"} or opened.target is None:
        return None
    if opened.target.base == "10":
        return lambda values: np.power(10.0, values) - 1
    return np.expm1


def _summary(studio: Studio, item: Item, gene: str, layer: LayerName | None, category: str | None) -> SummaryOut:
    opened = studio.items.open(item)
    values, _ = studio.items.values(item)
    column = values.column(gene, layer or own_layer(item), where=opened.name)
    if category is None:
        groups = summarise(column, None, ["all"])
    else:
        found = category_of(opened, category)
        groups = summarise(column, found.codes, found.names)
    return SummaryOut(groups=[GroupOut(**asdict(g)) for g in groups])
