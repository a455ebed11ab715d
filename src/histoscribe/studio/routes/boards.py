"""Routes of benchmarks: boards, and the record behind every number."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Path, Request

from histoscribe.studio.routes._common import TheStudio, errors

if TYPE_CHECKING:
    from histoscribe.studio._studio import Studio

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["boards"], responses=errors(403, 404, 422, 429, 503))
#: What the list shows of a board.
_LINE = ("id", "version", "kind", "family", "protocol", "heading", "unit", "n", "best", "beaten")
_Name = Annotated[str, Path(max_length=120)]


@router.get("/boards")
async def boards(request: Request, studio: TheStudio) -> dict[str, Any]:
    """List the boards of every suite and study with stored runs."""
    return await studio.slow.run(request, _boards, studio)


@router.get("/boards/{key}")
async def board(request: Request, studio: TheStudio, key: _Name) -> dict[str, Any]:
    """Send one board: tables, controls that win, paired differences, cost, what the protocol fixes."""
    return await studio.slow.run(request, studio.records.board, key)


@router.get("/records/{benchmark}/{method}/{key}")
async def record(request: Request, studio: TheStudio, benchmark: _Name, method: _Name, key: _Name) -> dict[str, Any]:
    """Send the record of one run: everything that is needed to repeat it."""
    return await studio.slow.run(request, _record, studio, benchmark, method, key)


def _boards(studio: Studio) -> dict[str, Any]:
    boards = studio.records.boards().values()
    return {"boards": [{name: board[name] for name in _LINE} for board in boards]}


def _record(studio: Studio, benchmark: str, method: str, key: str) -> dict[str, Any]:
    found = studio.records.record(benchmark, method, key)
    return asdict(found) | {"id": found.id}
