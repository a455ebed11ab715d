"""A measured synthetic section, a prediction of it, and its evaluation."""

from __future__ import annotations

import pytest

from histoscribe.bench import evaluate
from histoscribe.testing import make_section
from reports.example import predict


@pytest.fixture(scope="session")
def measured():
    return make_section(donor=3)


@pytest.fixture
def prediction(measured):
    return predict(measured)


@pytest.fixture(scope="session")
def evaluation(measured):
    return evaluate(predict(measured), measured, training=[make_section(0), make_section(1)])
