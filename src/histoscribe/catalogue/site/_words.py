"""Words: every sentence of the site in English and Chinese, and the marks by which the page exchanges them."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from collections.abc import Mapping

    from histoscribe.catalogue.vocabulary import Vocabulary

__all__ = ["attribute", "say", "sentence", "term", "words"]


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """Return key -> language (``en``, ``zh``) -> sentence; plain text, ``{name}`` is filled in."""
    return tomllib.loads(files("histoscribe.catalogue.site").joinpath("words.toml").read_text(encoding="utf-8"))


@cache
def sentence(key: str, /, **fillings: Any) -> str:
    """Return the English sentence; where ``n`` is 1 and a key ``<key>_one`` exists, that one."""
    return words()[_chosen(key, fillings)]["en"].format(**fillings)


@cache
def say(key: str, /, tag: str = "span", **fillings: Any) -> Markup:
    """Return a sentence as an element that the page can put into the other language.

    Pages are written in English, so that they read without JavaScript; the script exchanges the text of every element
    that carries ``data-t``.
    """
    chosen = _chosen(key, fillings)
    arguments = Markup(" data-a='{}'").format(_json(fillings)) if fillings else ""
    return Markup('<{tag} data-t="{key}"{more}>{text}</{tag}>').format(
        tag=tag, key=chosen, more=arguments, text=sentence(key, **fillings)
    )


@cache
def attribute(name: str, key: str, /, **fillings: Any) -> Markup:
    """Return an attribute (``aria-label``, ``placeholder``) that the page can put into the other language."""
    arguments = Markup(" data-a='{}'").format(_json(fillings)) if fillings else ""
    return Markup('{name}="{text}" data-t-{name}="{key}"{more}').format(
        name=name, text=sentence(key, **fillings), key=_chosen(key, fillings), more=arguments
    )


def term(vocabulary: Vocabulary, facet: str, key: str, tag: str = "span") -> Markup:
    """Return the label of a controlled word as an element that the page can put into the other language."""
    label = vocabulary.label(facet, key)
    return Markup('<{tag} data-v="{facet}:{key}">{label}</{tag}>').format(tag=tag, facet=facet, key=key, label=label)


def _chosen(key: str, fillings: Mapping[str, Any]) -> str:
    one = f"{key}_one"
    return one if str(fillings.get("n")) == "1" and one in words() else key


def _json(fillings: Mapping[str, Any]) -> str:
    return json.dumps(dict(fillings), ensure_ascii=False, separators=(",", ":"), sort_keys=True)
