"""`histoscribe methods` shows every family, whatever it is made of."""

import json

import pytest

from histoscribe.methods import FAMILIES


def test_every_method_of_every_family_is_listed(histoscribe):
    found = json.loads(histoscribe("methods", "list", "--json").out)
    assert [(f["family"], f["name"]) for f in found] == [(kind, name) for kind, r in FAMILIES.items() for name in r]
    assert all(f["summary"] and f["paper"] is not None for f in found)


def test_one_family_can_be_asked_for(histoscribe):
    done = histoscribe("methods", "list", "--family", "composition")
    assert "robust-regression" in done.out
    assert "triplex" not in done.out


@pytest.mark.parametrize("name", ["triplex", "histology-composition", "polaris"])
def test_a_card_says_its_family_and_deviations(histoscribe, name):
    done = histoscribe("methods", "info", name)
    assert "family: " in done.out
    assert "deviation: " in done.out


def test_a_name_of_several_families_is_found_in_the_one_asked_for(histoscribe):
    assert json.loads(histoscribe("methods", "info", "mean", "--json").out)["family"] == "expression"
    done = histoscribe("methods", "info", "mean", "--family", "slide-level", "--json")
    assert json.loads(done.out)["family"] == "slide-level"


def test_unknown_names_suggest_the_nearest(histoscribe):
    done = histoscribe("methods", "info", "stereoscop")
    assert done.status == 2
    assert "Did you mean 'stereoscope'" in done.err
    assert "Did you mean 'histology'" in histoscribe("methods", "list", "--family", "histologie").err
