"""Study: a frozen, versioned question with its own way of running; its records and boards are like those of suites."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from histoscribe.bench.suite import Heading

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from histoscribe.core.records import RunRecord

__all__ = ["Entry", "Study"]


@dataclass(frozen=True)
class Entry:
    """One row of a study's board.

    Attributes
    ----------
    label
        What the row is called, e.g. ``"polaris, 4 layers"``; unique in the study.
    method
        Registry name of the method in its family.
    params
        Its arguments, JSON values.
    control
        True for what any method has to beat.
    slow
        True where a run takes minutes: left out unless asked for by name or with `--all`.
    """

    label: str
    method: str
    params: dict[str, Any] = field(default_factory=dict)
    control: bool = False
    slow: bool = False


class Study(ABC):
    """A question; an author sets the class attributes and writes `run`.

    Attributes
    ----------
    id, version
        Name of the records' folder, lower case with hyphens; the version changes with anything that changes a number.
    family
        ``"composition"``, ``"volume"`` or ``"slide-level"``.
    heading, notes
        The line above every table (states the small n and the information regime), and remarks; English and Chinese.
    metrics
        Columns, the headline first: names in one of the metric registries, or in `own_metrics`.
    own_metrics
        Name to ``(direction, summary)`` of numbers that no registry has; direction is ``"higher"`` or ``"lower"``.
    unit
        What paired differences are taken over: a key of the rows of `RunRecord.per_section`, e.g. ``"donor"``; empty:
        the seeds.
    seeds
        Seeds that `histoscribe bench run` uses by default.
    entries
        The rows, controls among them.
    files, how_to_get
        Patterns below the data folder that must match something, and where they come from; empty where generated.
    protocol
        ``"clean"``, or the paper whose protocol is reproduced, faults included.
    """

    id: ClassVar[str]
    version: ClassVar[str] = "1"
    family: ClassVar[str]
    heading: ClassVar[Heading]
    notes: ClassVar[tuple[Heading, ...]] = ()
    metrics: ClassVar[tuple[str, ...]]
    own_metrics: ClassVar[dict[str, tuple[str, str]]] = {}
    unit: ClassVar[str] = ""
    seeds: ClassVar[tuple[int, ...]] = (0,)
    entries: ClassVar[tuple[Entry, ...]]
    files: ClassVar[tuple[str, ...]] = ()
    how_to_get: ClassVar[str] = ""
    protocol: ClassVar[str] = "clean"

    @abstractmethod
    def run(self, entry: Entry, *, seed: int, root: Path) -> Iterator[RunRecord]:
        """Run one row with one seed on the data below `root`; yield one record for each case.

        ``record.benchmark``, ``benchmark_version``, ``method`` (registry name), ``params``, ``seed`` and ``protocol``
        say what ran; ``split["case"]`` names the case (tables of different cases stand apart; leave it out where
        there is one); ``scores[entry.label]`` has the metrics; ``per_section`` rows of ``unit`` and metrics are what
        paired differences are made of; ``kind`` is ``"control"`` or ``"method"``; `n` and `notes` as ever.
        """

    def missing(self, root: Path) -> list[str]:
        """Return the patterns below `root` that match no file."""
        return [pattern for pattern in self.files if not any(root.glob(pattern))]
