"""Routes of the catalogue: papers, data sets, and the words that both are described in."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request

from histoscribe.studio._library_out import (
    PaperQuery,
    Sort,
    dataset_out,
    datasets_out,
    paper_out,
    papers_out,
    vocabulary_out,
)
from histoscribe.studio.routes._common import TheStudio, errors

__all__ = ["PaperKey", "router"]

router = APIRouter(prefix="/api", tags=["catalogue"], responses=errors(403, 404, 422, 429, 503))
PaperKey = Annotated[str, Path(max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
_Text = Annotated[str, Query(max_length=300)]
_Year = Annotated[int | None, Query(ge=1900, le=2100)]


@router.get("/papers")
async def papers(
    request: Request,
    studio: TheStudio,
    *,
    query: _Text = "",
    task: Annotated[str | None, Query(max_length=80)] = None,
    year_from: _Year = None,
    year_to: _Year = None,
    code: bool | None = None,
    rung: Annotated[int | None, Query(ge=0, le=6)] = None,
    implemented: bool | None = None,
    sort: Sort = "relevance",
    offset: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 25,
) -> dict[str, Any]:
    """Search papers in English or Chinese; counts beside each filter respect the other filters."""
    asked = PaperQuery(query, task, year_from, year_to, code, rung, implemented, sort)
    return await studio.slow.run(request, lambda: papers_out(studio.library, asked, offset=offset, limit=limit))


@router.get("/papers/{key}")
async def paper(request: Request, studio: TheStudio, key: PaperKey) -> dict[str, Any]:
    """Send one paper: record, code ladder, results, runs, BibTeX."""
    return await studio.slow.run(request, paper_out, studio.library, key)


@router.get("/datasets")
async def datasets(request: Request, studio: TheStudio, query: _Text = "") -> dict[str, Any]:
    """Send all data sets, or those that meet a query."""
    return await studio.slow.run(request, datasets_out, studio.library, query)


@router.get("/datasets/{key}")
async def dataset(request: Request, studio: TheStudio, key: PaperKey) -> dict[str, Any]:
    """Send one data set, who uses it, and what it is not independent of."""
    return await studio.slow.run(request, dataset_out, studio.library, key)


@router.get("/vocabulary")
async def vocabulary(request: Request, studio: TheStudio) -> dict[str, Any]:
    """Send the controlled words with their labels in English and Chinese."""
    return await studio.slow.run(request, vocabulary_out, studio.library)
