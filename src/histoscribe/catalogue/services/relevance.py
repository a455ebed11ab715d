"""Say how well a work fits the catalogue, with the reason for every point."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from histoscribe.catalogue.services.work import Work
    from histoscribe.catalogue.vocabulary import Vocabulary

__all__ = ["Relevance", "terms_of", "weigh"]

#: What is looked for: name, points in the title, points in the abstract alone, and the words.
_GROUPS = (
    (
        "spatial expression",
        40,
        25,
        r"spatial(ly)?[- ](resolved[- ])?(transcriptom\w*|gene expression|omics|multi-?omics|expression|rna)"
        r"|gene expression|transcriptom\w+|visium|xenium|cosmx|merfish|stereo-?seq|slide-?seq|spatial domain\w*",
    ),
    (
        "histology image",
        30,
        20,
        r"histolog\w+|histopatholog\w+|h\s?&\s?e|ha?ematoxylin|whole[- ]slide|wsis?|patholog\w+|tissue images?"
        r"|morpholog\w+|microscopy images?",
    ),
    (
        "both in one breath",
        0,
        10,
        r"(from|using|with|between|integrat\w+)[^.]{0,60}(histolog\w+|histopatholog\w+|h\s?&\s?e|whole[- ]slide)",
    ),
    (
        "computation",
        15,
        10,
        r"deep learning|neural|predict\w*|infer\w*|transformers?|foundation models?|contrastive|diffusion|graph"
        r"|multi-?modal|learning|super-?resol\w+|benchmark\w*|generative|alignment|registration|deconvol\w+|cluster\w*|dataset",
    ),
)
_PREDICTS = re.compile(r"predict.*(expression|transcriptom)|(expression|transcriptom).*predict", re.IGNORECASE)
#: What speaks against it, whatever else is said.
_AGAINST = (
    ("case report", r"case report|case series"),
    ("clinical trial", r"randomi[sz]ed|phase (i|ii|iii|[123]) trial"),
)


@dataclass(frozen=True)
class Relevance:
    """Points from 0 to 100, why, and what the record would say.

    Attributes
    ----------
    score
        Sum of the points, cut to 0-100.
    reasons
        One line for each group of words that counted.
    tasks, role
        Suggested terms of the vocabulary.
    """

    score: int
    reasons: tuple[str, ...]
    tasks: tuple[str, ...]
    role: Literal["core", "related"]


def weigh(work: Work, vocabulary: Vocabulary) -> Relevance:
    """Weigh title and abstract: spatial expression, histology and computation together make a paper of the field."""
    title, abstract = work.title.casefold(), work.abstract.casefold()
    score, reasons, hit = 0, [], set()
    for name, in_title, in_abstract, words in _GROUPS:
        place, points, found = "title", in_title, re.search(rf"\b({words})", title) if in_title else None
        if found is None:
            place, points, found = "abstract", in_abstract, re.search(rf"\b({words})", abstract)
        if found:
            hit.add(name)
            score += points
            reasons.append(f"+{points} {name}: {found.group()[:40]!r} in the {place}")
    tasks = terms_of(work.title, "task", vocabulary)
    if tasks:
        score += 15
        reasons.append(f"+15 names a task: {', '.join(tasks)}")
    for name, words in _AGAINST:
        if re.search(words, f"{title} {abstract}"):
            score -= 40
            reasons.append(f"-40 {name}")
    both = {"spatial expression", "histology image"} <= hit
    return Relevance(
        score=min(max(score, 0), 100),
        reasons=tuple(reasons),
        tasks=tuple(tasks) or ("other",),
        role="core" if both else "related",
    )


def terms_of(text: str, facet: str, vocabulary: Vocabulary) -> list[str]:
    """Return the terms of one facet that `text` names, in order."""
    groups, _ = vocabulary.parse(text)
    named = [term.key for group in groups for term in group if term.facet == facet]
    if facet == "task" and re.search(
        r"predict\w*.*(expression|transcriptom)|(expression|transcriptom\w*).*predict", text.casefold()
    ):
        named.insert(0, "expression-prediction")
    return list(dict.fromkeys(named))
