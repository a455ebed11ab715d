"""Check the catalogue: apply every rule offline, honour waivers, report one line a finding."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.finding import Finding
from histoscribe.catalogue.rules import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from histoscribe.catalogue.schema import Waiver
    from histoscribe.catalogue.store import Catalogue

__all__ = ["CheckReport", "check"]


@dataclass(frozen=True)
class CheckReport:
    """What a check found.

    Attributes
    ----------
    findings
        Open findings, in the order of the rules.
    waived
        Findings that a waiver accepts.
    n_papers, n_datasets
        How many records were checked.
    seconds
        How long it took, s.
    """

    findings: list[Finding] = field(default_factory=list)
    waived: list[Finding] = field(default_factory=list)
    n_papers: int = 0
    n_datasets: int = 0
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Whether nothing is open."""
        return not self.findings

    def summary(self) -> str:
        """Return one line: how much was checked, found and waived."""
        counts = Counter(f.rule for f in self.findings)
        listed = ", ".join(f"{rule} {n}" for rule, n in counts.most_common())
        return (
            f"{self.n_papers} papers, {self.n_datasets} data sets, {len(RULES)} rules, {self.seconds:.1f} s: "
            f"{len(self.findings)} open{f' ({listed})' if listed else ''}, {len(self.waived)} waived"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "ok": self.ok,
            "findings": [f.to_dict() for f in self.findings],
            "waived": [f.to_dict() for f in self.waived],
            "n_papers": self.n_papers,
            "n_datasets": self.n_datasets,
            "seconds": round(self.seconds, 3),
        }


def check(catalogue: Catalogue, *, rules: Sequence[str] | None = None, extra: Iterable[Finding] = ()) -> CheckReport:
    """Apply the rules to a catalogue that was loaded with ``collect=True``.

    Parameters
    ----------
    catalogue
        What to check.
    rules
        Rule ids to apply; default all.
    extra
        Findings about files outside the catalogue (generated pages, citation file).
    """
    start = time.perf_counter()
    found = [finding for rule in rules or RULES for finding in RULES[rule](catalogue)]
    found.extend(extra)
    used: set[tuple[str, int]] = set()
    judged = [_judge(finding, catalogue, used) for finding in found]
    if rules is None:
        judged.extend(_idle_waivers(catalogue, used))
    return CheckReport(
        findings=[f for f in judged if f.waived is None],
        waived=[f for f in judged if f.waived is not None],
        n_papers=len(catalogue.papers),
        n_datasets=len(catalogue.datasets),
        seconds=time.perf_counter() - start,
    )


def _waivers(catalogue: Catalogue, key: str | None) -> list[tuple[int, Waiver]]:
    record = catalogue.papers.get(key or "") or catalogue.datasets.get(key or "")
    return list(enumerate(record.waivers)) if record else []


def _judge(finding: Finding, catalogue: Catalogue, used: set[tuple[str, int]]) -> Finding:
    # A pair of records is waived in either of the two: the person who looks starts from one of them.
    sides = [(finding.record, finding.about)]
    if finding.about is not None:
        sides.append((finding.about, finding.record))
    for key, about in sides:
        for index, waiver in _waivers(catalogue, key):
            if waiver.rule == finding.rule and waiver.about in {None, about}:
                used.add((key, index))
                return replace(finding, waived=f"{waiver.reason} ({waiver.by})")
    return finding


def _idle_waivers(catalogue: Catalogue, used: set[tuple[str, int]]) -> list[Finding]:
    records = [*catalogue.papers.values(), *catalogue.datasets.values()]
    return [
        Finding("waiver", record.id, f"the waiver of {waiver.rule!r} accepts nothing", "Take the waiver out.")
        for record in records
        for index, waiver in enumerate(record.waivers)
        if (record.id, index) not in used
    ]
