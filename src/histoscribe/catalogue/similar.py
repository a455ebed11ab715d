"""Neighbours of a paper and a table that sets papers side by side."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from histoscribe.catalogue.identifiers import normalise_title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from histoscribe.catalogue.ladder import Climb
    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = ["compare", "similar"]

_COMMON = frozenset(["a", "an", "and", "for", "from", "in", "of", "on", "the", "to", "via", "with", "using", "by"])


def _features(paper: Paper) -> set[str]:
    m = paper.modality
    found = {f"task:{t}" for t in paper.tasks} | {f"approach:{a}" for a in paper.approach}
    found |= {f"data:{d}" for d in paper.datasets} | {f"organ:{o}" for o in m.organs}
    found |= {f"resolution:{r}" for r in m.resolution} | {f"platform:{p}" for p in m.platforms}
    found |= {f"in:{i}" for i in m.inputs} | {f"out:{o}" for o in m.outputs}
    return found | {f"word:{w}" for w in normalise_title(paper.title).split() if w not in _COMMON}


def similar(catalogue: Catalogue, key: str, *, limit: int = 10) -> list[tuple[Paper, float, list[str]]]:
    """Find the papers most like one: shared tasks, approaches, data and words, rare ones counting more.

    Returns
    -------
    Paper, cosine of the weighted features (0-1), and the shared features that weigh most.
    """
    wanted = catalogue.paper(key)
    features = {p.id: _features(p) for p in catalogue.papers.values()}
    holders = Counter(f for found in features.values() for f in found)
    weight = {f: math.log(len(features) / n) + 0.1 for f, n in holders.items()}
    own = features[wanted.id]
    norms = {k: math.sqrt(sum(weight[f] ** 2 for f in found)) for k, found in features.items()}
    ranked = []
    for other in catalogue.papers.values():
        shared = own & features[other.id]
        if other.id == wanted.id or not shared:
            continue
        cosine = sum(weight[f] ** 2 for f in shared) / (norms[wanted.id] * norms[other.id])
        why = sorted(shared, key=lambda f: (-weight[f], f))[:4]
        ranked.append((other, round(cosine, 4), [f.partition(":")[2] for f in why]))
    return sorted(ranked, key=lambda row: (-row[1], row[0].id))[:limit]


def compare(
    catalogue: Catalogue, keys: Sequence[str], *, ladder: Mapping[str, Climb], lang: str = "en"
) -> tuple[list[str], list[list[str]]]:
    """Set papers side by side.

    Returns
    -------
    Header (field, then one column a paper) and rows; a blank cell means "not read", never "has none".
    """
    papers = [catalogue.paper(key) for key in keys]
    words = catalogue.vocabulary

    def labels(facet: str, values: Sequence[str]) -> str:
        return ", ".join(words.label(facet, value, lang) for value in values)

    rows = {
        "year": [str(p.year or "") for p in papers],
        "venue": [p.venue.name if p.venue else "" for p in papers],
        "tasks": [labels("task", p.tasks) for p in papers],
        "approach": [labels("approach", p.approach) for p in papers],
        "needs": [labels("data", p.modality.inputs) for p in papers],
        "gives": [labels("data", p.modality.outputs) for p in papers],
        "resolution": [labels("resolution", p.modality.resolution) for p in papers],
        "platform": [labels("platform", p.modality.platforms) for p in papers],
        "data sets": [", ".join(p.datasets) for p in papers],
        "code": [p.code.url or "" if p.code else "" for p in papers],
        "licence": [p.code.licence or "" if p.code else "" for p in papers],
        "ladder": [f"{ladder[p.id].level} {ladder[p.id].name}" for p in papers],
        "results": [
            "; ".join(f"{r.metric} {r.value:g} ({r.dataset}, {r.split}, {r.encoder})" for r in p.results)
            for p in papers
        ],
    }
    header = ["", *(p.method.name if p.method else p.id for p in papers)]
    return header, [[name, *cells] for name, cells in rows.items() if any(cells)]
