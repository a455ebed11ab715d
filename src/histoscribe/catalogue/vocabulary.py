"""The controlled words of the catalogue, in English and Chinese, and how to find them in a query."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from histoscribe.catalogue.identifiers import normalise_title
from histoscribe.catalogue.yamlfile import load_yaml
from histoscribe.core.errors import DataError
from histoscribe.core.registry import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["FACETS", "Term", "Vocabulary"]

#: Which kinds of term there are.
FACETS = ("task", "approach", "data", "platform", "resolution", "organ", "species")

_CJK = re.compile(r"[\u3400-\u9fff]")
_PARTICLES = "\u7684\u548c\u4e0e\u53ca\u4ece\u5230\u7528\u4e2d\u5728"


@dataclass(frozen=True)
class Term:
    """One controlled word.

    Attributes
    ----------
    facet, key
        E.g. ``task`` and ``spatial-domains``.
    en, zh
        Label in English and Chinese.
    means, means_zh
        Definition; empty where the label says it all.
    aliases
        Other spellings that a query may use, in both languages.
    """

    facet: str
    key: str
    en: str
    zh: str
    means: str = ""
    means_zh: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def token(self) -> str:
        """The single word under which an index knows this term."""
        return f"zz{self.facet}zz{self.key.replace('-', '')}"


@dataclass(frozen=True)
class Vocabulary:
    """All terms, by facet and key."""

    terms: Mapping[tuple[str, str], Term] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Vocabulary:
        """Read ``vocabulary.yaml``: facet to key to a table of labels."""
        value = load_yaml(path)
        terms = {}
        for facet, entries in value.items():
            for key, entry in entries.items():
                aliases = tuple(str(alias) for alias in entry.get("aliases", []))
                labels = {name: entry.get(name, "") for name in ("en", "zh", "means", "means_zh")}
                terms[facet, key] = Term(facet, key, **labels, aliases=aliases)
        return cls(terms)

    def facet(self, facet: str) -> dict[str, Term]:
        """Return key to term for one facet."""
        return {key: term for (kind, key), term in self.terms.items() if kind == facet}

    def label(self, facet: str, key: str, lang: str = "en") -> str:
        """Return the label of a term in ``en`` or ``zh``, or the key itself where it is not in the vocabulary."""
        term = self.terms.get((facet, key))
        return (term.zh if lang == "zh" else term.en) if term else key

    def resolve(self, facet: str, text: str) -> str:
        """Return the key that `text` (key, label or alias, in either language) stands for.

        Raises
        ------
        DataError
            If it stands for none; the nearest are suggested.
        """
        keys = self.facet(facet)
        if text in keys:
            return text
        wanted = _units(text)
        for key, term in keys.items():
            if wanted in {_units(name) for name in (key, term.en, term.zh, *term.aliases)}:
                return key
        msg = f"{text!r} is no {facet} of the vocabulary. {did_you_mean(text, list(keys))}"
        raise DataError(msg)

    @cached_property
    def _phrases(self) -> dict[tuple[str, ...], list[Term]]:
        phrases: dict[tuple[str, ...], list[Term]] = {}
        for term in self.terms.values():
            for units in {_units(n) for n in (term.key, term.en, term.zh, *term.aliases) if n}:
                phrases.setdefault(units, []).append(term)
        return phrases

    @cached_property
    def _longest(self) -> int:
        return max(map(len, self._phrases), default=1)

    def parse(self, text: str) -> tuple[list[list[Term]], list[str]]:
        """Split a query into the terms it names and the words that are left.

        The longest phrase wins. Chinese needs no blanks between words.

        Returns
        -------
        Terms, one list for each phrase (a phrase may stand for terms of several facets), and the remaining words.
        """
        words = _split(text)
        units = tuple(map(_singular, words))
        found: list[list[Term]] = []
        rest: list[str] = []
        at, open_run = 0, False
        while at < len(words):
            terms, n = self._match(units[at : at + self._longest])
            if terms:
                found.append(terms)
                at, open_run = at + n, False
                continue
            sign = words[at]
            if not _CJK.fullmatch(sign):
                rest.append(sign)
            # Particles carry no content; without this "\u7684" would make every query find nothing.
            elif sign not in _PARTICLES:
                # Chinese signs that stand together are one word for the index, too.
                rest[-1:] = [rest[-1] + sign] if open_run else [*rest[-1:], sign]
            open_run = bool(_CJK.fullmatch(sign)) and sign not in _PARTICLES
            at += 1
        return found, rest

    def _match(self, units: tuple[str, ...]) -> tuple[list[Term], int]:
        for n in range(len(units), 0, -1):
            if terms := self._phrases.get(units[:n]):
                return terms, n
        return [], 0


def _split(text: str) -> list[str]:
    """Split text into words, each Chinese sign for itself."""
    return re.findall(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+", normalise_title(text))


def _units(text: str) -> tuple[str, ...]:
    return tuple(map(_singular, _split(text)))


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
