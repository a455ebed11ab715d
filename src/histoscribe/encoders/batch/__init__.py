"""Batch: encode many slides, by one process, several, or a cluster; stop at any time and go on later."""

from __future__ import annotations

from histoscribe.encoders.batch._executors import Executor, LostSchedulerError
from histoscribe.encoders.batch._find import find_slides, jobs_of, listed_slides
from histoscribe.encoders.batch._job import Outcome, Settings, SlideJob, perform
from histoscribe.encoders.batch._many import encode_many

__all__ = [
    "Executor",
    "LostSchedulerError",
    "Outcome",
    "Settings",
    "SlideJob",
    "encode_many",
    "find_slides",
    "jobs_of",
    "listed_slides",
    "perform",
]
