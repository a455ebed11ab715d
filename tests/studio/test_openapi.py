"""The OpenAPI document: requests made up from it never break the server, and its answers are as described."""

from __future__ import annotations

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings

from histoscribe.studio._limits import Limits

#: Streams until a job ends; and what would read all papers and methods for each made-up request.
SLOW = ["/api/jobs/{key}/events", "/api/papers/{key}/run"]


@pytest.fixture(scope="module")
def module_client(files, tmp_path_factory):
    """One studio for all made-up requests; they end with its lifespan, so it is no other tests'."""
    from histoscribe.studio import Studio, create_app

    work = tmp_path_factory.mktemp("work")
    paths = [str(files / name) for name in ("slide.tif", "section.h5ad", "prediction.h5ad")]
    studio = Studio.of(paths, work=work, results=work)
    studio.limits = Limits(burst=1e9)
    for item in studio.items:
        studio.items.open(item)
    yield studio, create_app(studio)
    studio.close()


def test_made_up_requests_get_answers_as_described(module_client):
    studio, app = module_client
    host = {"host": "127.0.0.1"}
    document = schemathesis.openapi.from_asgi("/api/openapi.json", app, headers=host).exclude(path=SLOW)
    section = next(i.id for i in studio.items if i.kind == "section")
    operations = [found.ok() for found in document.get_all_operations()]
    assert len(operations) > 20
    for operation in operations:

        @settings(
            max_examples=4,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case):
            if "item" in (case.path_parameters or {}):
                # A made-up id only ever meets "no such item".
                case.path_parameters["item"] = section
            # Made-up bytes are no slide, and the schema cannot say so.
            but = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")] if "uploads" in case.path else []
            case.call_and_validate(headers=host, excluded_checks=but)

        ask()
