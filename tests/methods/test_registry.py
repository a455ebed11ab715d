"""The registry of methods."""

import histoscribe.methods


def test_a_method_can_be_made_twice():
    # Importing the subpackage of the same name must not replace the function.
    for _ in range(2):
        assert histoscribe.methods.expression("mean").card.name == "mean"
