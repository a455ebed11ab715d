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
        wanted = _fold(text)
        for key, term in keys.items():
            if wanted in {_fold(name) for name in (key, term.en, term.zh, *term.aliases)}:
                return key
        msg = f"{text!r} is no {facet} of the vocabulary. {did_you_mean(text, list(keys))}"
        raise DataError(msg)

    @cached_property
    def _phrases(self) -> dict[str, list[Term]]:
        phrases: dict[str, list[Term]] = {}
        for term in self.terms.values():
            for name in {_fold(n) for n in (term.key, term.en, term.zh, *term.aliases) if n}:
                phrases.setdefault(name, []).append(term)
        return phrases

    @cached_property
    def _longest(self) -> tuple[int, int]:
        words = max((len(name.split()) for name in self._phrases if not _CJK.search(name)), default=1)
        signs = max((len(name) for name in self._phrases if _CJK.search(name)), default=1)
        return words, signs

    def parse(self, text: str) -> tuple[list[list[Term]], list[str]]:
        """Split a query into the terms it names and the words that are left.

        The longest phrase wins. Chinese needs no blanks between words.

        Returns
        -------
        Terms, one list for each phrase (a phrase may stand for terms of several facets), and the remaining words.
        """
        found: list[list[Term]] = []
        rest: list[str] = []
        for chunk in re.findall(r"[\u3400-\u9fff]+|[^\u3400-\u9fff]+", text):
            (self._parse_cjk if _CJK.search(chunk) else self._parse_words)(chunk, found, rest)
        return found, rest

    def _parse_words(self, chunk: str, found: list[list[Term]], rest: list[str]) -> None:
        words = normalise_title(chunk).split()
        folded = [_singular(word) for word in words]
        at = 0
        while at < len(words):
            for n in range(min(self._longest[0], len(words) - at), 0, -1):
                terms = self._phrases.get(" ".join(folded[at : at + n]))
                if terms:
                    found.append(terms)
                    at += n
                    break
            else:
                rest.append(words[at])
                at += 1

    def _parse_cjk(self, chunk: str, found: list[list[Term]], rest: list[str]) -> None:
        at, unknown = 0, ""
        while at < len(chunk):
            for n in range(min(self._longest[1], len(chunk) - at), 0, -1):
                terms = self._phrases.get(chunk[at : at + n])
                if terms:
                    found.append(terms)
                    rest.extend([unknown] if unknown else [])
                    at, unknown = at + n, ""
                    break
            else:
                # Particles carry no content; without this "\u7684" would make every query find nothing.
                if chunk[at] not in "\u7684\u548c\u4e0e\u53ca\u4ece\u5230\u7528\u4e2d\u5728":
                    unknown += chunk[at]
                at += 1
        if unknown:
            rest.append(unknown)


def _fold(text: str) -> str:
    return " ".join(_singular(word) for word in normalise_title(text).split())


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
