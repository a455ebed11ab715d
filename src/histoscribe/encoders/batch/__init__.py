"""Batch: encode many slides, by one process, several, or a cluster; stop at any time and go on later."""

from __future__ import annotations

from histoscribe.encoders.batch._executors import Executor, LostSchedulerError
from histoscribe.encoders.batch._find import FoundSlide, find_slides, jobs_of, listed_slides
from histoscribe.encoders.batch._job import Outcome, Settings, SlideJob, perform
from histoscribe.encoders.batch._many import encode_many
from histoscribe.encoders.batch._report import Report

__all__ = [
    "Executor",
    "FoundSlide",
    "LostSchedulerError",
    "Outcome",
    "Report",
    "Settings",
    "SlideJob",
    "encode_many",
    "find_slides",
    "jobs_of",
    "listed_slides",
    "perform",
]
