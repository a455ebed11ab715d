"""Understand a search: words and terms to an FTS5 expression, options to a condition."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from histoscribe.core.errors import DataError

if TYPE_CHECKING:
    from histoscribe.catalogue.vocabulary import Vocabulary

__all__ = ["LICENCES", "Filters", "match_expression", "year_range"]

#: Words that name no subject; leaving them in would make "domains in breast" ask for the word "in".
_STOP = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "at",
        "by",
        "for",
        "from",
        "in",
        "into",
        "is",
        "of",
        "on",
        "or",
        "the",
        "to",
        "using",
        "via",
        "with",
        "which",
        "that",
        "paper",
        "papers",
    ]
)

#: Licence groups by what they allow; the names are SPDX or ours.
LICENCES = {
    "permissive": ("mit%", "apache%", "bsd%", "licenseref-bsd%", "cc0%", "cc-by-4%", "isc%"),
    "copyleft": ("gpl%", "lgpl%", "agpl%", "mpl%", "cc-by-sa%"),
    "non-commercial": ("%nc%",),
    "none": ("none",),
}


def match_expression(query: str, vocabulary: Vocabulary) -> tuple[str | None, str | None]:
    """Write a query as FTS5 expressions.

    A phrase of the vocabulary, in either language, becomes its term, and its own words as an alternative. The last
    word may be unfinished. Quoted text is taken literally.

    Returns
    -------
    The expression that demands every part, and the one that is content with any; None where nothing was asked.
    """
    quoted = re.findall(r'"([^"]+)"', query)
    terms, rest = vocabulary.parse(re.sub(r'"[^"]*"', " ", query))
    parts = [_literal(text) for text in quoted]
    parts += ["(" + " OR ".join(dict.fromkeys(f'terms:"{t.token}"' for t in group)) + ")" for group in terms]
    words = [word for word in rest if word not in _STOP]
    unfinished = bool(words) and not query.endswith((" ", '"'))
    for at, word in enumerate(words):
        last = unfinished and at == len(words) - 1 and len(word) > 1
        parts.append(_literal(word) + ("*" if last else ""))
    if not parts:
        return None, None
    return " AND ".join(parts), " OR ".join(parts)


def _literal(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@dataclass(frozen=True)
class Filters:
    """What a record must have; None asks for nothing.

    Attributes
    ----------
    kind
        ``paper`` or ``dataset``.
    years
        First and last year, both included; None is open.
    tasks, datasets, platforms, organs, species, approaches, resolutions
        Terms, in any spelling of the vocabulary; every one must be met. `datasets` are ids or names.
    has_code
        Whether a link to code is known.
    runs
        Whether its method runs here (level 5 or more).
    min_level
        Lowest rung of the ladder.
    licence
        A group of `LICENCES`, or the beginning of a licence's name.
    status, role, venue
        Exact values.
    """

    kind: str | None = None
    years: tuple[int | None, int | None] = (None, None)
    tasks: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    organs: tuple[str, ...] = ()
    species: tuple[str, ...] = ()
    approaches: tuple[str, ...] = ()
    resolutions: tuple[str, ...] = ()
    has_code: bool | None = None
    runs: bool | None = None
    min_level: int | None = None
    licence: str | None = None
    status: str | None = None
    role: str | None = None
    venue: str | None = None

    def sql(self, vocabulary: Vocabulary) -> tuple[str, list[str | int]]:
        """Write the filters as a condition on table `record` and its values."""
        where, values = ["1"], list[str | int]()

        def add(condition: str, *given: str | int) -> None:
            where.append(condition)
            values.extend(given)

        for column in ("kind", "status", "role"):
            if getattr(self, column) is not None:
                add(f"{column} = ?", getattr(self, column))
        if self.years[0] is not None:
            add("year >= ?", self.years[0])
        if self.years[1] is not None:
            add("year <= ?", self.years[1])
        if self.has_code is not None:
            add("has_code = ?", int(self.has_code))
        if self.runs is not None:
            add("coalesce(level, 0) >= 5" if self.runs else "coalesce(level, 0) < 5")
        if self.min_level is not None:
            add("level >= ?", self.min_level)
        if self.licence is not None:
            patterns = LICENCES.get(self.licence.casefold(), (f"{self.licence.casefold()}%",))
            add("(" + " OR ".join("licence LIKE ?" for _ in patterns) + ")", *patterns)
            if self.licence.casefold() in {"permissive", "copyleft"}:
                add("licence NOT LIKE '%nc%'")
        for facet, value in self._facets(vocabulary):
            add("id IN (SELECT record FROM facet WHERE facet = ? AND value = ?)", facet, value)
        return " AND ".join(where), values

    def _facets(self, vocabulary: Vocabulary) -> list[tuple[str, str]]:
        asked = {
            "task": self.tasks,
            "platform": self.platforms,
            "organ": self.organs,
            "species": self.species,
            "approach": self.approaches,
            "resolution": self.resolutions,
        }
        found = [(facet, vocabulary.resolve(facet, text)) for facet, texts in asked.items() for text in texts]
        found += [("dataset", text) for text in self.datasets]
        return found + ([("venue", self.venue.casefold())] if self.venue else [])


def year_range(text: str) -> tuple[int | None, int | None]:
    """Read ``2024``, ``2022..2024``, ``2024..`` or ``..2020``."""
    first, dots, last = text.partition("..")
    if not dots:
        last = first
    try:
        years = (int(first) if first else None, int(last) if last else None)
    except ValueError as err:
        msg = f"{text!r} is no year. Give one as 2024, or a range as 2022..2024, 2024.. or ..2020."
        raise DataError(msg) from err
    if years[0] and years[1] and years[0] > years[1]:
        msg = f"years {text!r} run backwards. Give the earlier one first."
        raise DataError(msg)
    return years
