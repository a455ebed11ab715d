"""Sections whose places say nothing about each other: what is foretold comes from their images."""

import numpy as np
import pytest

from histoscribe.core.stack import Stack
from histoscribe.core.target import Target
from histoscribe.methods import volume
from histoscribe.metrics import pcc_gene
from histoscribe.testing import ArraySlide, make_section

GENES = [f"NUCLEAR0{i}" for i in range(1, 5)] + [f"STROMA0{i}" for i in range(1, 5)]


@pytest.fixture(scope="module")
def stack():
    sections = [make_section(0, i, size_um=1300.0).replace(name=f"s{i}", donor="one") for i in range(2)]
    return Stack(tuple(sections), tuple(s.xy_um for s in sections), np.array([0.0, 10.0]))


def impute(stack, method, **more):
    # Colours need no weights, and show nuclei and stroma.
    model = volume(method, others=False, encoder="colour", **more).fit((), GENES)
    return model.impute(stack, labelled=["s0"])[0]


def score(stack, table):
    return pcc_gene(Target()(stack.sections[1], GENES), table.X).mean()


def recoloured(stack):
    """Return the stack with another image of the section to impute."""
    section = stack.sections[1]
    slide = ArraySlide(section.slide.thumbnail(max_px=2000)[::-1].copy(), mpp=section.mpp)
    return Stack((stack.sections[0], section.replace(slide=slide)), stack.xy_um, stack.z_um)


def test_stack_scribe_reads_from_images_what_places_do_not_tell(stack):
    more = {"sides_um": [112.0]}
    with_images = score(stack, impute(stack, "stack-scribe", images=True, **more))
    assert with_images > score(stack, impute(stack, "stack-scribe")) + 0.2


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("stack-scribe", {"sides_um": [112.0]}),
        ("asign", {"sides_um": [112.0, 250.0, 500.0], "own_epochs": 2, "width": 16}),
    ],
)
def test_another_image_gives_another_prediction_where_images_are_used(stack, method, more):
    first, other = (impute(s, method, images=True, **more) for s in (stack, recoloured(stack)))
    assert np.abs(first.X - other.X).max() > 1e-3
    blind = {k: v for k, v in more.items() if k != "sides_um" or method == "asign"}
    first, other = (impute(s, method, images=False, **blind) for s in (stack, recoloured(stack)))
    assert np.array_equal(first.X, other.X)
