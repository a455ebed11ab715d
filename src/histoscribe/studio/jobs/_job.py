"""Job: one piece of long work as the API tells it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel

from histoscribe.studio._error import ErrorParts

__all__ = ["FINAL", "Job", "JobKind", "JobState"]

JobKind = Literal["predict", "evaluate", "run"]
JobState = Literal["waiting", "running", "done", "failed", "cancelled"]
FINAL = frozenset({"done", "failed", "cancelled"})


class Job(BaseModel):
    """State of a job; `done` of `total` `unit`s, at `rate` a second.

    `total` and `rate` are null until they are known.
    """

    id: str
    kind: JobKind
    title: str
    input_item: str | None = None
    bundle: str | None = None
    state: JobState = "waiting"
    done: int = 0
    total: int | None = None
    unit: str = ""
    rate: float | None = None
    eta_s: float | None = None
    message: str = ""
    result_item: str | None = None
    scores: dict[str, Any] | None = None
    error: ErrorParts | None = None
    created: str
