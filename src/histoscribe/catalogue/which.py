"""Which methods fit my data: rules of thumb over what the records say, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.catalogue.ladder import Climb
    from histoscribe.catalogue.schema import Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = ["Fit", "Need", "which"]

#: Coarser than this, nuclei cannot be told apart, um/px: a nucleus of 6 um is then 6 px wide.
_CELL_MPP = 1.0
#: A network trained end to end on fewer donors than this is judged by too few independent cases.
_FEW_DONORS = 5

_GROUPS = {
    "permissive": ("mit", "apache", "bsd", "licenseref-bsd", "isc", "cc0"),
    "open": ("mit", "apache", "bsd", "licenseref-bsd", "isc", "cc0", "gpl", "lgpl", "agpl", "mpl"),
}


@dataclass(frozen=True)
class Need:
    """What a user has and wants.

    Attributes
    ----------
    task
        Vocabulary key.
    platform, resolution, organ
        Of the user's data; None where it does not matter.
    mpp
        Resolution of the image, um/px; None where there is no image.
    donors
        How many measured donors there are to learn from.
    licence
        ``permissive`` (also for products), ``open`` (any free licence), or ``any``.
    """

    task: str = "expression-prediction"
    platform: str | None = None
    resolution: str | None = None
    organ: str | None = None
    mpp: float | None = None
    donors: int | None = None
    licence: str = "any"


@dataclass(frozen=True)
class Fit:
    """A paper, how well it fits, what speaks for it, what against it, and what has not been read."""

    paper: Paper
    score: float
    level: int
    pro: list[str] = field(default_factory=list)
    contra: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)


def which(catalogue: Catalogue, need: Need, *, ladder: Mapping[str, Climb], limit: int = 10) -> list[Fit]:
    """Rank the methods of a task by how well their records fit the data.

    A method whose records contradict the need (image required but absent, wrong resolution, licence that forbids the
    use) is left out; what has not been read counts neither for nor against, and is said.
    """
    fits = []
    for paper in catalogue.papers.values():
        # A survey or benchmark about the task is no method for it.
        if need.task not in paper.tasks or paper.method is None or paper.tasks[0] in {"survey", "benchmark", "dataset"}:
            continue
        fit = _judge(paper, need, catalogue, ladder[paper.id].level)
        if fit is not None:
            fits.append(fit)
    return sorted(fits, key=lambda f: (-f.score, -(f.paper.year or 0), f.paper.id))[:limit]


def _judge(paper: Paper, need: Need, catalogue: Catalogue, level: int) -> Fit | None:
    pro, contra, unread = list[str](), list[str](), list[str]()
    score = float(level)
    pro.append(f"ladder {level}")
    m = paper.modality
    if m.histology == "required" and need.mpp is None:
        return None
    for asked, has, what in (
        (need.platform, _platforms(paper, catalogue), "platform"),
        (need.resolution, m.resolution, "resolution"),
        (need.organ, _organs(paper, catalogue), "organ"),
    ):
        if asked is None:
            continue
        if asked in has:
            score += 2
            pro.append(f"used on {what} {asked}")
        elif not has:
            unread.append(what)
        elif what == "resolution":
            return None
        else:
            score -= 1
            contra.append(f"{what} was {', '.join(has)}")
    if need.mpp is not None and need.mpp > _CELL_MPP and "single-cell" in m.resolution:
        score -= 3
        contra.append(f"works on single cells, which an image of {need.mpp:g} um/px does not show")
    if need.donors is not None and need.donors < _FEW_DONORS:
        if set(paper.approach) & {"foundation-features", "retrieval", "zero-shot"}:
            score += 1
            pro.append("starts from pretrained features, which suits few donors")
        elif "transformer" in paper.approach:
            score -= 1
            contra.append(f"trains a transformer, and {need.donors} donors are few")
    verdict = _licence(paper, need.licence)
    if verdict is False:
        return None
    if verdict is None and need.licence != "any":
        unread.append("licence")
    elif verdict and need.licence != "any":
        score += 1
        pro.append(f"licence {paper.code.licence if paper.code else ''}")
    return Fit(paper, score, level, pro, contra, unread)


def _platforms(paper: Paper, catalogue: Catalogue) -> list[str]:
    found = list(paper.modality.platforms)
    for key in paper.datasets:
        dataset = catalogue.datasets.get(key)
        found += dataset.technology if dataset and dataset.kind == "cohort" else []
    return sorted(set(found))


def _organs(paper: Paper, catalogue: Catalogue) -> list[str]:
    found = list(paper.modality.organs)
    for key in paper.datasets:
        dataset = catalogue.datasets.get(key)
        found += dataset.organs if dataset and dataset.kind == "cohort" else []
    return sorted(set(found))


def _licence(paper: Paper, wanted: str) -> bool | None:
    """Say whether the code may be used as wanted; None where its licence was not read or there is no code."""
    if wanted == "any":
        return True
    if paper.code is None or paper.code.licence is None:
        return None
    # Code without a licence may not be used, however public it is.
    return paper.code.licence.casefold().startswith(_GROUPS[wanted])
