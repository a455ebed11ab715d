"""Routes of predictions and other long work: bundles, checks, jobs."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import FileResponse, Response, StreamingResponse

from histoscribe.core.files import digest
from histoscribe.studio._error import StudioError
from histoscribe.studio.jobs._job import FINAL, Job
from histoscribe.studio.routes._common import ERRORS, TheStudio, errors
from histoscribe.studio.routes.papers import PaperKey

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from histoscribe.studio._studio import Studio

__all__ = ["router"]

router = APIRouter(prefix="/api", tags=["jobs"])
_Id = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
JobKey = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
#: How often a stream looks whether its job changed, s, and after how long it says that it is alive.
_LOOK, _ALIVE = 0.2, 10.0


class BundleOut(BaseModel):
    """A fitted model."""

    id: str
    name: str
    method: str
    encoder: str
    n_genes: int
    tile_um: float | None
    trained_on: list[str]
    licence: str | None


class BundlesOut(BaseModel):
    """All fitted models that were given."""

    bundles: list[BundleOut]


class CheckIn(BaseModel):
    """What to check; `mpp` (um/px) where the slide does not state it."""

    item: _Id
    bundle: _Id
    mpp: Annotated[float | None, Field(gt=0.01, lt=100)] = None


class FindingOut(BaseModel):
    """One finding."""

    what: str
    where: str
    todo: str
    level: Literal["ok", "warn", "wrong"]


class CheckOut(BaseModel):
    """What was found, and the address of a picture of it."""

    ok: Literal["ok", "warn", "wrong"]
    findings: list[FindingOut]
    overlay: str | None


class PredictIn(CheckIn):
    """Predict a bundle's genes on a slide or at a section's places."""

    kind: Literal["predict"]
    rescale: bool = False


class EvaluateIn(BaseModel):
    """Score a prediction against a measured section."""

    kind: Literal["evaluate"]
    prediction: _Id
    section: _Id


JobIn = Annotated[PredictIn | EvaluateIn, Field(discriminator="kind")]


class JobsOut(BaseModel):
    """All jobs, newest first."""

    jobs: list[Job]


@router.get("/bundles", responses=ERRORS)
async def bundles(request: Request, studio: TheStudio) -> BundlesOut:
    """List the fitted models that were given."""
    found = await studio.slow.run(request, studio.bundles.facts)
    return BundlesOut(bundles=[BundleOut(**asdict(b)) for b in found])


@router.post("/checks", responses=ERRORS)
async def checks(request: Request, studio: TheStudio, asked: CheckIn) -> CheckOut:
    """Check whether places, scale, species and encoder fit, and draw the places."""
    return await studio.slow.run(request, _check, studio, asked)


@router.get(
    "/checks/{key}/overlay",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}} | errors(403, 404, 422, 429),
)
async def overlay(studio: TheStudio, key: JobKey) -> Response:
    """Send the picture of a check."""
    path = _overlay(studio, key)
    if not path.is_file():
        raise StudioError(404, "there is no such picture.", where="checks", todo="Check again.")
    return FileResponse(path, media_type="image/png", headers={"cache-control": "no-store"})


@router.post("/jobs", status_code=201, responses=ERRORS)
async def start(request: Request, studio: TheStudio, asked: JobIn) -> Job:
    """Put a prediction or an evaluation in line."""
    work = studio.start_predict if isinstance(asked, PredictIn) else studio.start_evaluate
    return await studio.slow.run(request, lambda: work(**asked.model_dump(exclude={"kind"})))


@router.post("/papers/{key}/run", status_code=201, responses=ERRORS)
async def run_paper(request: Request, studio: TheStudio, key: PaperKey) -> Job:
    """Run a paper's method on generated sections, as `histoscribe papers run` does."""
    return await studio.slow.run(request, studio.start_run, key)


@router.get("/jobs", responses=errors(403, 429))
async def jobs(studio: TheStudio) -> JobsOut:
    """List all jobs, newest first."""
    return JobsOut(jobs=studio.jobs.all())


@router.get("/jobs/{key}", responses=errors(403, 404, 422, 429))
async def job(studio: TheStudio, key: JobKey) -> Job:
    """Send one job."""
    return studio.jobs.get(key)


@router.get(
    "/jobs/{key}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}} | errors(403, 404, 422, 429),
)
async def events(studio: TheStudio, key: JobKey) -> StreamingResponse:
    """Send a job each time it changes, until it has ended (server-sent events)."""
    studio.jobs.get(key)
    return StreamingResponse(
        _events(studio, key), media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


@router.delete("/jobs/{key}", responses=errors(403, 404, 422, 429))
async def cancel(studio: TheStudio, key: JobKey) -> Job:
    """Cancel a job; one that has ended stays as it is."""
    return studio.jobs.cancel(key)


async def _events(studio: Studio, key: str) -> AsyncIterator[str]:
    sent, quiet = None, 0.0
    while True:
        found = studio.jobs.get(key)
        if found is not sent:
            yield f"event: job\ndata: {found.model_dump_json()}\n\n"
            sent, quiet = found, 0.0
        if found.state in FINAL:
            return
        if quiet >= _ALIVE:
            yield ": still here\n\n"
            quiet = 0.0
        await asyncio.sleep(_LOOK)
        quiet += _LOOK


def _overlay(studio: Studio, key: str) -> FilePath:
    return studio.work / "checks" / f"{key}.png"


def _check(studio: Studio, asked: CheckIn) -> CheckOut:
    from histoscribe.studio._check import run_check

    spec = studio.readable_spec(asked.item, asked.mpp)
    key = digest(spec, asked.bundle)
    found = run_check(spec, studio.bundles.load(asked.bundle), _overlay(studio, key))
    findings: list[Any] = [FindingOut(**asdict(f)) for f in found.findings]
    address = f"/api/checks/{key}/overlay" if found.drawn else None
    return CheckOut(ok=found.ok, findings=findings, overlay=address)
