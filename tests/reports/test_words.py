"""Both languages say everything, and nothing is written that is not said."""

from __future__ import annotations

import re
import string
from importlib.resources import files

import pytest
from markupsafe import Markup

from histoscribe.bench import CONTROLS
from histoscribe.metrics import METRICS
from histoscribe.reports._words import LANGUAGES, Text, attribute, words

#: Keys that are put together from a prefix and a name at run time.
BUILT = (
    "about_",
    "bare_",
    "board_unit_",
    "control_",
    "h_",
    "kind_",
    "level_",
    "m_",
    "metric_",
    "unit_",
    "v_ood_",
    "why_",
)


@pytest.mark.parametrize("key", words())
def test_sentence_is_there_in_every_language_with_the_same_fillings(key):
    entry = words()[key]
    assert set(entry) == set(LANGUAGES)
    assert all(text.strip() for text in entry.values())
    fillings = [{name for _, name, _, _ in string.Formatter().parse(text) if name} for text in entry.values()]
    singular = key.endswith("_one")
    # A singular may leave the number out in one language.
    assert fillings[0] - {"n"} == fillings[1] - {"n"} if singular else fillings[0] == fillings[1]
    tags = [sorted(re.findall(r"</?\w+>", text)) for text in entry.values()]
    assert tags[0] == tags[1]
    assert set(tags[0]) <= {"<b>", "</b>", "<code>", "</code>"}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_explained(name):
    assert f"metric_{name}" in words()


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_is_named_and_explained(name):
    assert {f"control_{name}", f"about_{name}"} <= set(words())


def test_no_sentence_is_left_over():
    folder = files("histoscribe.reports")
    sources = [p.read_text(encoding="utf-8") for p in folder.iterdir() if p.name.endswith(".py")]
    used = set(re.findall(r'"([a-z_0-9-]+)"', "\n".join(sources)))
    pages = [p for p in folder.joinpath("templates").iterdir() if p.name.endswith(".j2")]
    page = "\n".join(p.read_text(encoding="utf-8") for p in pages)
    used |= set(re.findall(r"\bt\('([a-z_0-9-]+)'", page))
    left = [k for k in words() if k.removesuffix("_one") not in used and k not in used and not k.startswith(BUILT)]
    assert left == []


def test_fillings_are_escaped_but_sentences_are_not():
    text = Text("fact_section")
    assert "<b>" not in str(Markup(text))
    said = Text("v_beaten_by", control="<i>x</i>", metric="m", value="1", own="2").render("en")
    assert "&lt;i&gt;x&lt;/i&gt;" in said
    assert "<code>m</code>" in said


def test_a_filling_in_words_takes_the_sentences_language():
    text = Text("v_beaten_by", control=Text("control_colour-ridge"), metric="m", value="1", own="2")
    assert "colour alone" in text.plain("en")
    assert "仅凭颜色" in text.plain("zh")


def test_one_has_its_own_form():
    assert Text("unit_donor", n=1).plain("en") == "donor"
    assert Text("unit_donor", n=2).plain("en") == "donors"


def test_attribute_carries_both_languages_and_no_tags():
    found = attribute("alt", Text("alt_map", gene='a"<b>', kind=Text("kind_measured"), low="0", high="1"))
    assert found.count("&#34;&lt;b&gt;") == 3
    assert found.startswith('alt="Map of ')
