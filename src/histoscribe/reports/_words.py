"""Words: every sentence of the report in English and Chinese, filled in and escaped in one place."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LANGUAGES", "Lang", "Text", "attribute", "words"]

Lang = Literal["en", "zh"]

#: Language to its tag in HTML.
LANGUAGES: dict[Lang, str] = {"en": "en", "zh": "zh-Hans"}


@cache
def words() -> Mapping[str, Mapping[Lang, str]]:
    """Return key -> language -> sentence."""
    return tomllib.loads(files("histoscribe.reports").joinpath("words.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, init=False)
class Text:
    """A sentence in every language: a key of `words.toml` and what is filled in.

    Fillings are escaped; a filling that is itself a `Text`, or a list of them, is put in in the same language. Where
    ``n`` is 1 and a key ``<key>_one`` exists, that one is used.
    """

    key: str
    fillings: Mapping[str, Any]

    def __init__(self, key: str, **fillings: Any) -> None:
        one = f"{key}_one"
        chosen = one if one in words() and str(fillings.get("n")) == "1" else key
        object.__setattr__(self, "key", chosen)
        object.__setattr__(self, "fillings", fillings)

    def render(self, lang: Lang) -> Markup:
        """Return the sentence as HTML in one language."""
        filled = {name: _fill(value, lang) for name, value in self.fillings.items()}
        # The sentences are ours; `Markup.format` escapes what is filled in.
        return Markup(words()[self.key][lang]).format(**filled)

    def plain(self, lang: Lang) -> str:
        """Return the sentence without tags."""
        return self.render(lang).striptags()

    def __html__(self) -> str:
        """Return both languages; the style sheet shows the chosen one."""
        parts = [
            Markup('<span class="t" lang="{}">{}</span>').format(tag, self.render(lang))
            for lang, tag in LANGUAGES.items()
        ]
        return str(Markup("").join(parts))


def attribute(name: str, text: Text) -> Markup:
    """Return an HTML attribute in English that the language switch can exchange."""
    en, zh = text.plain("en"), text.plain("zh")
    return Markup('{}="{}" data-attribute="{}" data-en="{}" data-zh="{}"').format(name, en, name, en, zh)


def _fill(value: Any, lang: Lang) -> Any:
    if isinstance(value, Text):
        return value.render(lang)
    if isinstance(value, (list, tuple)):
        return Markup("; " if lang == "en" else "；").join(_fill(v, lang) for v in value)
    return value
