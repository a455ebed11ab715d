"""Counts over the catalogue: what it covers and what it does not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.ladder import RUNGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.catalogue.ladder import Climb
    from histoscribe.catalogue.store import Catalogue

__all__ = ["stats"]


def stats(catalogue: Catalogue, *, ladder: Mapping[str, Climb]) -> dict[str, Any]:
    """Count records by year, task, venue, ladder, and what is known of them.

    Returns
    -------
    JSON values; `coverage` holds how many papers have each kind of fact read, so that gaps are seen.
    """
    papers = list(catalogue.papers.values())
    core = [p for p in papers if p.role == "core"]
    venues = Counter(p.venue.name for p in papers if p.venue)
    levels = Counter(ladder[p.id].level for p in papers)
    return {
        "papers": len(papers),
        "core": len(core),
        "datasets": len(catalogue.datasets),
        "by_year": dict(sorted(Counter(str(p.year or "not read") for p in papers).items())),
        "by_task": dict(Counter(t for p in papers for t in p.tasks).most_common()),
        "by_status": dict(Counter(p.status for p in papers).most_common()),
        "by_venue": dict(venues.most_common(20)),
        "by_level": {f"{level} {RUNGS[level][0]}": levels.get(level, 0) for level in RUNGS},
        "by_licence": dict(Counter(p.code.licence for p in papers if p.code and p.code.licence).most_common()),
        "by_kind": dict(Counter(d.kind for d in catalogue.datasets.values()).most_common()),
        "coverage": {
            "core with DOI or arXiv": sum(bool(p.doi or p.arxiv or p.versions) for p in core),
            "core with DOI confirmed": sum(bool(p.verified) for p in core),
            "core with code link": sum(bool(p.code and p.code.url) for p in core),
            "core with code read": sum(bool(p.code and p.code.status in {"read", "incomplete"}) for p in core),
            "core with data sets": sum(bool(p.datasets) for p in core),
            "core with platform": sum(bool(p.modality.platforms) for p in core),
            "core with organ": sum(bool(p.modality.organs) for p in core),
            "core with authors": sum(bool(p.authors) for p in core),
            "with results": sum(bool(p.results) for p in papers),
            "open conflicts": sum(c.decided is None for p in papers for c in p.conflicts),
        },
    }
