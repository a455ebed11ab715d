"""Which genes are shown, and the commands that repeat a prediction."""

from __future__ import annotations

import json
import shlex

from hypothesis import example, given
from hypothesis import strategies as st

from histoscribe.io import parse_spec
from histoscribe.reports._facts import Facts
from histoscribe.reports._genes import choose_genes
from histoscribe.reports._repeat import commands, spec_text
from reports.example import predict

VALUES = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12), st.booleans(), st.integers()
)


def test_best_trusted_genes_and_one_warning_are_shown(prediction):
    shown = choose_genes(prediction)
    names = list(prediction.var_names)
    assert [(s.gene, s.why) for s in shown] == [*((g, "best") for g in names[:4]), (names[-1], "warning")]


def test_the_choice_ignores_how_the_slide_itself_came_out(prediction):
    other = prediction.copy()
    other.X = other.X[::-1].copy()
    assert choose_genes(other) == choose_genes(prediction)


def test_asked_for_genes_come_first_and_only_once(prediction):
    names = list(prediction.var_names)
    shown = choose_genes(prediction, [names[2], names[9]])
    assert [s.gene for s in shown][:2] == [names[2], names[9]]
    assert len({s.gene for s in shown}) == len(shown)
    assert not any(s.why == "warning" for s in shown)


def test_without_a_trusted_gene_the_top_stands_in(prediction):
    prediction.var["trusted"] = False
    shown = choose_genes(prediction)
    assert [(s.why, s.trusted) for s in shown] == [("top", False)] * 2


@example(options={"a": "", "_": "="})
@given(options=st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUES, max_size=4))
def test_a_training_section_is_written_as_its_specification(options):
    text = spec_text({"reader": "st-array", "path": "data/her2st", "options": options})
    reader, path, found = parse_spec(text)
    assert (reader, path) == ("st-array", "data/her2st")
    assert found == {k: v if isinstance(v, str) else json.dumps(v) for k, v in options.items()}


def test_commands_name_everything_that_shaped_the_model(measured):
    entry = {"name": "C2", "donor": "C", "reader": "st-array", "path": "my data/her2st", "options": {"section": "C2"}}
    facts = Facts.of(predict(measured, training=json.dumps([entry]), params='{"pca": 64}'))
    fit, again = (shlex.split(line) for line in commands(facts, 250))
    assert fit[:3] == ["histoscribe", "fit", "st-array:my data/her2st?section=C2"]
    for pair in (["--method", "ridge"], ["--encoder", "colour"], ["--size-um", "112"], ["--genes", "250"]):
        assert fit[fit.index(pair[0]) + 1] == pair[1]
    assert fit[fit.index("--param") + 1] == "pca=64"
    assert fit[fit.index("--seed") + 1] == "3"
    assert again[:2] == ["histoscribe", "predict"]


def test_no_command_is_made_up_where_sections_came_from_nowhere(prediction):
    assert commands(Facts.of(prediction), 12) == []
