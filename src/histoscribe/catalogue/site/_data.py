"""What the page's script reads: the records as one JavaScript file, and the words as another.

A page opened from disk may not `fetch`, so both are scripts that set one global each.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from histoscribe.catalogue.index import _NAMED, _WEIGHTS, _dataset_row, _paper_row
from histoscribe.catalogue.query import _STOP, LICENCES
from histoscribe.catalogue.site._words import words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.catalogue.ladder import Climb
    from histoscribe.catalogue.schema import Dataset, Paper
    from histoscribe.catalogue.store import Catalogue

__all__ = ["data_script", "licence_group", "words_script"]


def data_script(catalogue: Catalogue, ladder: Mapping[str, Climb], bibtex: Mapping[str, str]) -> str:
    """Return ``assets/data.js``.

    Texts, facets and weights are those of the search index, so that the site finds what `papers search` finds.

    Parameters
    ----------
    ladder
        Paper id to its place on the code ladder.
    bibtex
        Paper id to its BibTeX entry.
    """
    papers = [_paper(p, catalogue, ladder, bibtex[p.id]) for _, p in sorted(catalogue.papers.items())]
    datasets = [_dataset(d, catalogue) for _, d in sorted(catalogue.datasets.items())]
    value = {"papers": papers, "datasets": datasets, "weights": _WEIGHTS, "named": _NAMED, "stop": sorted(_STOP)}
    return _script("HISTOSCRIBE_DATA", value)


def words_script(catalogue: Catalogue) -> str:
    """Return ``assets/words.js``: sentences in both languages, and the vocabulary with its other spellings."""
    terms: dict[str, dict[str, Any]] = {}
    for (facet, key), term in sorted(catalogue.vocabulary.terms.items()):
        terms.setdefault(facet, {})[key] = [term.en, term.zh, term.token, *term.aliases]
    return _script("HISTOSCRIBE_WORDS", {"words": words(), "terms": terms})


def licence_group(licence: str | None) -> str:
    """Return what a licence allows: a group of `LICENCES`, ``other``, or ``unknown`` where none was read."""
    if not licence:
        return "unknown"
    folded = licence.casefold()
    # "CC-BY-NC-SA" also looks like a copyleft licence; what forbids business decides.
    for group in ("none", "non-commercial", "permissive", "copyleft"):
        if any(fnmatchcase(folded, pattern.replace("%", "*")) for pattern in LICENCES[group]):
            return group
    return "other"


def _paper(paper: Paper, catalogue: Catalogue, ladder: Mapping[str, Climb], bibtex: str) -> dict[str, Any]:
    record, text, facets = _paper_row(paper, catalogue, ladder)
    value = _common(paper.id, record, text, facets) | {
        "title": paper.title,
        "venue": paper.venue.name if paper.venue else None,
        "method": paper.method.name if paper.method else None,
        "tasks": paper.tasks,
        "status": paper.status,
        "role": paper.role,
        "founding": paper.founding,
        "level": record["level"],
        "code": paper.code.url if paper.code else None,
        "url": paper.url,
        "licence": paper.code.licence if paper.code else None,
        "group": licence_group(paper.code.licence if paper.code else None),
        "bibtex": bibtex,
    }
    return {key: entry for key, entry in value.items() if entry is not None}


def _dataset(dataset: Dataset, catalogue: Catalogue) -> dict[str, Any]:
    record, text, facets = _dataset_row(dataset, catalogue)
    return _common(dataset.id, record, text, facets) | {"title": dataset.name, "kind": dataset.kind}


def _common(
    key: str, record: Mapping[str, Any], text: Mapping[str, str], facets: set[tuple[str, str]]
) -> dict[str, Any]:
    shown = {"task", "approach", "platform", "organ", "resolution", "species", "data", "dataset"}
    return {
        "id": key,
        "year": record["year"],
        "boost": round(record["boost"], 3),
        # The labels of the terms are in words.js; names and title are written once, as text.
        "text": {name: value for name, value in text.items() if value and name != "terms"},
        "facets": sorted(f"{facet}:{name}" for facet, name in facets if facet in shown),
    }


def _script(name: str, value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False)
    # U+2028 and U+2029 end a line in older JavaScript; "</" would end an inline script should anybody paste it there.
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("</", "<\\/")
    return f"window.{name}={text};\n"
